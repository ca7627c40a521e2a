package main

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/vantiq-go/connectorsdk/boltoutbox"
	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/connectorset"
)

// Environment variables by which a tester sets what server.config does not.
const (
	queryTimeoutVariable = "TEST_CONNECTOR_QUERY_TIMEOUT" // a duration for connector.Options.QueryTimeout
	outboxVariable       = "TEST_CONNECTOR_OUTBOX"        // the directory of a durable outbox
)

func queryTimeout() ([]connectorset.Option, error) {
	text := os.Getenv(queryTimeoutVariable)
	if text == "" {
		return nil, nil
	}
	limit, err := time.ParseDuration(text)
	if err != nil {
		return nil, fmt.Errorf("%s %q is not a duration: write it like 500ms or 1m30s, or -1s for no limit", queryTimeoutVariable, text)
	}
	setLimit := func(_ string, o *connector.Options) { o.QueryTimeout = limit }
	return []connectorset.Option{connectorset.Each(setLimit)}, nil
}

// openOutbox opens the outbox that all sources share, if there is to be one. It is to be closed when they have ended.
func openOutbox(logger *slog.Logger) (options []connectorset.Option, closeOutbox func() error, err error) {
	directory := os.Getenv(outboxVariable)
	if directory == "" {
		return nil, func() error { return nil }, nil
	}
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", outboxVariable, err)
	}
	outbox, err := boltoutbox.Open(filepath.Join(directory, "outbox.db"), boltoutbox.Options{Logger: logger})
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", outboxVariable, err)
	}
	return []connectorset.Option{connectorset.WithOutbox(outbox)}, outbox.Close, nil
}
