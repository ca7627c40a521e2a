package connector

import (
	"context"

	"github.com/vantiq-go/connectorsdk/protocol"
)

// Document is a JSON object as Vantiq sent it. See [protocol.Document].
type Document = protocol.Document

// Encoded is JSON of another codec, for which its maker vouches: a notification, a row or the rows of a query, sent without a
// check. Broken JSON costs an answer, or the count of acknowledgements: see [protocol.Encoded].
type Encoded = protocol.Encoded

// Handlers are what a connector does; any may be nil. They are called on goroutines of the SDK, never on the one that
// reads the link, so they may take their time and may call every sender. Their contexts carry the values of Run's
// context. A panic in a handler is recovered and logged with its stack. The goroutines are used again, for any source of the
// process: a handler that locks its goroutine to a thread must unlock it.
//
// No handler of a session starts before its Connect has returned nil, or after its Close has begun.
type Handlers struct {
	// Connect begins a session with the source configuration. It is called once per session, before any other handler,
	// again with growing waits if it returns an error, and not again if that error is [Permanent]; until it returns nil,
	// publishes wait and queries are answered with its error: a [QueryError] as it is, any other under [CodeNotConfigured].
	// Its ctx ends when the link is lost or the connection drains, so it may be kept for work that belongs to the session;
	// see also [SourceConnection.Go]. Nil accepts every configuration.
	Connect func(ctx context.Context, c *SourceConnection, config Document) error

	// Publish gets the published messages of the source, one after the other and in order. Nobody awaits an answer: an
	// error is logged and counted. Its ctx ends 2 seconds after the link was lost. Nil logs and drops the message.
	Publish func(ctx context.Context, c *SourceConnection, message Document) error

	// Query answers a SELECT. Up to MaxQueries run at once, beside Publish. An error returned is the answer: a
	// [QueryError] as it is, any other under [CodeHandlerError]. Nil without a final answer means no rows.
	// [ErrAnswerLater] leaves the answer to somebody else. Its ctx is the query's own, see [Query.Context]. Nil answers
	// every query CodeNoHandler.
	Query func(ctx context.Context, c *SourceConnection, q *Query) error

	// Close ends a session: it is called exactly once for each Connect that returned nil, after every other handler of
	// the session and everything started with Go has returned. Cause is nil only when the connection ends for good,
	// [ErrReconnectRequired] when Vantiq asked for a new session, and else what happened to the link. Its ctx carries the
	// drain's deadline, if there is one. An error is logged.
	Close func(ctx context.Context, c *SourceConnection, cause error) error
}

// SessionHandlers are [Handlers] for a connector whose sessions have a state: a pool, a client, a typed configuration.
// Connect makes it, the others get it, so that one value serves any number of sources without a map or a lock.
type SessionHandlers[S any] struct {
	Connect func(ctx context.Context, c *SourceConnection, config Document) (S, error)
	Publish func(ctx context.Context, c *SourceConnection, session S, message Document) error
	Query   func(ctx context.Context, c *SourceConnection, session S, q *Query) error
	Close   func(ctx context.Context, c *SourceConnection, session S, cause error) error
}

// Handlers returns plain handlers that keep the session's state where the session is. Without Connect the state is the
// zero S.
func (h SessionHandlers[S]) Handlers() Handlers {
	if h.Connect == nil {
		h.Connect = func(context.Context, *SourceConnection, Document) (session S, err error) { return session, nil }
	}
	plain := Handlers{
		Connect: func(ctx context.Context, c *SourceConnection, config Document) error {
			session, err := h.Connect(ctx, c, config)
			if err == nil {
				c.keepSessionValue(session)
			}
			return err
		},
	}
	if h.Publish != nil {
		plain.Publish = func(ctx context.Context, c *SourceConnection, message Document) error {
			return h.Publish(ctx, c, sessionOf[S](c), message)
		}
	}
	if h.Query != nil {
		plain.Query = func(ctx context.Context, c *SourceConnection, q *Query) error {
			return h.Query(ctx, c, sessionOf[S](c), q)
		}
	}
	if h.Close != nil {
		plain.Close = func(ctx context.Context, c *SourceConnection, cause error) error {
			return h.Close(ctx, c, sessionOf[S](c), cause)
		}
	}
	return plain
}

func sessionOf[S any](c *SourceConnection) S {
	session, _ := c.sessionValue().(S) // not ok only for a nil of an interface type
	return session
}
