package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/connectorset"
)

// Environment variables by which a tester sets what server.config does not.
const (
	queryTimeoutVariable = "TEST_CONNECTOR_QUERY_TIMEOUT" // a duration for connector.Options.QueryTimeout
	outboxVariable       = "TEST_CONNECTOR_OUTBOX"        // the directory of a durable outbox
)

func optionsFromEnvironment() ([]connectorset.Option, error) {
	if os.Getenv(outboxVariable) != "" {
		return nil, errors.New(outboxVariable + " is set, but the SDK has no durable outbox yet: unset it, and notifications " +
			"wait in memory")
	}
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
