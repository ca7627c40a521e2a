package main

import (
	"context"

	"github.com/vantiq-go/connectorsdk/connector"
)

// config is the configuration that a source has in Vantiq. Everything in it is optional.
type config struct {
	Echo struct {
		General struct {
			Prefix string `json:"prefix,omitempty" jsonschema:"put before the member text of each message"`
		} `json:"general"`
	} `json:"echoConfig"`
}

// handlers serve any number of sources: what belongs to one is its session, here no more than its configuration.
var handlers = connector.SessionHandlers[config]{
	Connect: connect,
	Publish: publish,
	Query:   query,
}.Handlers()

// connect begins a session. A real connector opens here what it stands for, and closes it in a Close handler.
func connect(_ context.Context, _ *connector.SourceConnection, document connector.Document) (config, error) {
	return connector.DecodeConfig[config](document)
}

func publish(ctx context.Context, c *connector.SourceConnection, session config, message connector.Document) error {
	prefix := session.Echo.General.Prefix
	if prefix == "" {
		return c.SendNotification(ctx, message)
	}
	object, err := message.Map()
	if err != nil {
		return err
	}
	if text, ok := object["text"].(string); ok {
		object["text"] = prefix + text
	}
	return c.SendNotification(ctx, object)
}

func query(ctx context.Context, _ *connector.SourceConnection, _ config, q *connector.Query) error {
	parameters := q.Parameters()
	if parameters.Equal(connector.Document{}) {
		return q.Empty(ctx)
	}
	return q.Complete(ctx, parameters)
}
