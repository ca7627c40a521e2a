package main

import (
	"context"
	"log/slog"

	"github.com/vantiq-go/connectorsdk/connector"
)

// A source holds what outlives the sessions of one source of Vantiq: its connection to the broker. A short loss of the link
// to Vantiq leaves it as it is, and so does a configuration with the same broker.
type source struct {
	ctx      context.Context // ends when the connector is to leave
	embedded *embeddedBroker
	log      *slog.Logger

	broker *broker // for connect, and for close when that is no longer called; others get it as their session
}

func newSource(ctx context.Context, embedded *embeddedBroker, log *slog.Logger) *source {
	return &source{ctx: ctx, embedded: embedded, log: log}
}

func (s *source) handlers() connector.Handlers {
	return connector.SessionHandlers[*broker]{Connect: s.connect, Publish: publish, Query: query}.Handlers()
}

// close ends the connection to the broker. It is called when the source's last session is over.
func (s *source) close() {
	if s.broker != nil {
		s.broker.close()
		s.broker = nil
	}
}

func (s *source) connect(ctx context.Context, c *connector.SourceConnection, document connector.Document) (*broker, error) {
	config, err := connector.DecodeConfig[config](document)
	if err != nil {
		return nil, err
	}
	general := &config.MQTT.General
	if general.URL == "" {
		if general.URL, err = s.embedded.start(); err != nil {
			return nil, err
		}
		general.ReceiveMaximum = embeddedReceiveMaximum
	}
	if general.ClientID == "" {
		general.ClientID = "vantiq-" + c.Source()
	}
	if s.broker == nil || s.broker.settings != *general {
		s.close()
		if s.broker, err = openBroker(s.ctx, config.MQTT, c, s.log.With("source", c.Source())); err != nil {
			return nil, err
		}
	}
	s.broker.config.Store(&config.MQTT)
	if err := s.broker.reach(ctx); err != nil {
		return nil, err
	}
	return s.broker, s.broker.subscribe(ctx)
}

// publish publishes a message to its topic.
func publish(ctx context.Context, _ *connector.SourceConnection, b *broker, document connector.Document) error {
	p, err := parseMessage(document)
	if err != nil {
		return err
	}
	_, err = b.publish(ctx, p)
	return err
}

// query publishes a request to its topic, and answers with the response.
func query(ctx context.Context, _ *connector.SourceConnection, b *broker, q *connector.Query) error {
	p, patience, err := parseRequest(q.Parameters())
	if err != nil {
		return connector.QueryError{Code: "mqtt.badRequest", Template: "{0}", Parameters: []any{err.Error()}}
	}
	response, err := b.request(ctx, p, patience)
	if err != nil {
		return err
	}
	return q.Complete(ctx, received(response))
}
