package main

import (
	"context"
	"io"

	"github.com/vantiq-go/connectorsdk/connector"
)

// newHandlers returns the handlers of all sources. A session's state is what makes its requests; its hook outlives it.
func newHandlers(hooks *hooks) connector.Handlers {
	return connector.SessionHandlers[*requester]{
		Connect: func(_ context.Context, c *connector.SourceConnection, document connector.Document) (*requester, error) {
			return connect(hooks, c, document)
		},
		Publish: publish,
		Query:   query,
		Close:   closeSession,
	}.Handlers()
}

// connect begins a session: the source takes requests as its configuration says. It goes on with that when the session has
// ended, until it gets another configuration.
func connect(hooks *hooks, c *connector.SourceConnection, document connector.Document) (*requester, error) {
	config, err := connector.DecodeConfig[config](document)
	if err == nil {
		err = hooks.put(c, config)
	}
	if err != nil {
		hooks.remove(c)
		return nil, err
	}
	return newRequester(config.Webhook.Requests), nil
}

// publish makes the request that a message describes, once: whoever must know what came of it asks a query instead.
func publish(ctx context.Context, _ *connector.SourceConnection, r *requester, message connector.Document) error {
	return r.do(ctx, message, func(_ context.Context, answer *response) error {
		if answer.StatusCode >= 300 {
			return answer.unexpected()
		}
		_, _ = io.Copy(io.Discard, answer.limited()) // so that the next request can use the connection
		return nil
	})
}

// query makes the request that the parameters describe, and answers with what came back.
func query(ctx context.Context, _ *connector.SourceConnection, r *requester, q *connector.Query) error {
	return r.do(ctx, q.Parameters(), func(ctx context.Context, answer *response) error {
		if answer.rows {
			return connector.Rows(ctx, q, answer.eachRow())
		}
		row, err := answer.row()
		if err != nil {
			return err
		}
		return q.Complete(ctx, row)
	})
}

func closeSession(_ context.Context, _ *connector.SourceConnection, r *requester, _ error) error {
	r.close()
	return nil
}
