// Test-connector is a connector whose behaviour a server can steer, message by message, so that every promise of the SDK
// can be checked from outside the process, over the wire. It is an ordinary connector; the README lists what it can be
// told.
package main

import (
	"context"
	"errors"
	"log/slog"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/connectorset"
	"github.com/vantiq-go/connectorsdk/program"
)

func main() { program.Main(serve) }

// serve serves the sources until ctx ends, which drains them, or until they have ended with errors. It does not use
// env.Options: the health port is what the handlers declare.
func serve(ctx context.Context, env program.Env) (err error) {
	options, err := queryTimeout()
	if err != nil {
		return err
	}
	durable, closeOutbox, err := openOutbox(env.Logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeOutbox()) }()
	options = append(append(options, durable...), connectorset.WithFile(env.File), connectorset.WithLogger(env.Logger))
	set, err := connectorset.Load(options...)
	if err != nil {
		return err
	}
	set.SetHandlers(newHandlers(ctx, env.Logger))
	return leave(ctx, env.Logger, set.Run(ctx))
}

// leave decides how to exit. Whoever tells a connector to go while Vantiq is away gets what he asked for: what could not
// be delivered is logged, and is no failure of the connector.
func leave(ctx context.Context, logger *slog.Logger, err error) error {
	if ctx.Err() == nil {
		return err
	}
	var rest []error
	for _, err := range each(err) {
		if errors.Is(err, connector.ErrUndelivered) {
			logger.Error("the connector left before everything was delivered", "error", err)
		} else {
			rest = append(rest, err)
		}
	}
	return errors.Join(rest...)
}

// each returns the errors that Run has joined, one for each source: no more of the tree than that.
func each(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	if err == nil {
		return nil
	}
	return []error{err}
}
