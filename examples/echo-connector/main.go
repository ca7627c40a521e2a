// Echo-connector is the connector to copy from. It sends each message that is published to its source back as a
// notification, and answers each query with the query's own parameters.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"

	"github.com/vantiq-go/connectorsdk/connectorset"
)

func main() {
	file := flag.String("config", "", "read this `file` instead of serverConfig/server.config or server.config")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *file)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "echo-connector:", strings.ReplaceAll(err.Error(), "\n", "; "))
		os.Exit(1)
	}
}

// run serves the sources until ctx ends, which drains them, or until they have ended with errors.
func run(ctx context.Context, file string) error {
	logger, err := newLogger(os.Stderr, os.Getenv("LOG_LEVEL"))
	if err != nil {
		return err
	}
	set, err := connectorset.Load(connectorset.WithFile(file), connectorset.WithLogger(logger))
	if err != nil {
		return err
	}
	set.SetHandlers(handlers)

	var declaring sync.WaitGroup
	declaring.Go(func() { declareHealthy(ctx, set, logger) })
	defer declaring.Wait()
	return set.Run(ctx)
}

// declareHealthy opens the health port as soon as every source has been connected. It stays open while Vantiq is away
// later: the sources come back by themselves, and a restart of the pod would only lose what waits to be sent.
func declareHealthy(ctx context.Context, set *connectorset.ConnectorSet, logger *slog.Logger) {
	for _, c := range set.Connections() {
		if c.WaitConnected(ctx) != nil {
			return // the source has ended, or we are leaving
		}
	}
	if err := set.DeclareHealthy(); err != nil && ctx.Err() == nil {
		logger.Error("the connector cannot be declared healthy", "error", err)
	}
}
