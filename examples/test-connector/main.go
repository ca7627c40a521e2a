// Test-connector is a connector whose behaviour a server can steer, message by message, so that every promise of the SDK
// can be checked from outside the process, over the wire. It is an ordinary connector; the README lists what it can be
// told.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/connectorset"
)

func main() {
	file := flag.String("config", "", "read this `file` instead of serverConfig/server.config or server.config")
	version := flag.Bool("version", false, "print the SDK's version and exit")
	flag.Parse()
	if *version {
		fmt.Println(sdkVersion())
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *file)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "test-connector:", strings.ReplaceAll(err.Error(), "\n", "; "))
		os.Exit(1)
	}
}

// run serves the sources until ctx ends, which drains them, or until they have ended with errors.
func run(ctx context.Context, file string) (err error) {
	logger, err := newLogger(os.Stderr, os.Getenv("LOG_LEVEL"))
	if err != nil {
		return err
	}
	options, err := queryTimeout()
	if err != nil {
		return err
	}
	durable, closeOutbox, err := openOutbox(logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeOutbox()) }()
	options = append(append(options, durable...), connectorset.WithFile(file), connectorset.WithLogger(logger))
	set, err := connectorset.Load(options...)
	if err != nil {
		return err
	}
	set.SetHandlers(newHandlers(ctx, logger))
	return leave(ctx, logger, set.Run(ctx))
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
