package browser_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/connectorset"
	"github.com/vantiq-go/connectorsdk/protocol"
)

// An ask is what the parameters of a query make the connector of these tests do.
type ask struct {
	Partials int    `json:"partials"` // so many partial answers first, of one row each
	Rows     int    `json:"rows"`     // in the answer
	Fail     string `json:"fail"`     // the message of an error instead
	Hang     bool   `json:"hang"`     // no answer while the connector runs
	After    int    `json:"after"`    // the answer comes so many milliseconds later
}

// row is what an answer consists of.
type row struct {
	ID   int     `json:"id"`
	Name string  `json:"name"`
	Big  float64 `json:"price"`
}

// handlersUntil returns those of a connector that sends back what is published, and answers queries as they ask, hanging
// until over is closed.
func handlersUntil(over <-chan struct{}) connector.Handlers {
	return connector.Handlers{
		Publish: func(ctx context.Context, c *connector.SourceConnection, message connector.Document) error {
			return c.SendNotification(ctx, message)
		},
		Query: func(ctx context.Context, _ *connector.SourceConnection, q *connector.Query) error {
			var a ask
			if err := q.Decode(&a); err != nil {
				return err
			}
			if a.Hang {
				<-over
				return nil
			}
			if a.After > 0 {
				later := time.NewTimer(time.Duration(a.After) * time.Millisecond)
				defer later.Stop()
				<-later.C
			}
			if a.Fail != "" {
				return protocol.QueryError{Code: "com.example.failed", Template: a.Fail, Parameters: []any{"first", 2}}
			}
			for i := range a.Partials {
				if err := q.Partial(ctx, []row{{ID: -i - 1, Name: "partial", Big: 0.5}}); err != nil {
					return err
				}
			}
			rows := make([]row, a.Rows)
			for i := range rows {
				rows[i] = row{ID: i + 1, Name: strings.Repeat("n", i+1), Big: 1.5 * float64(i)}
			}
			return q.Complete(ctx, rows)
		},
	}
}

// A connectors is a connector set that runs in the test.
type connectors struct {
	*connectorset.ConnectorSet
	stop func()
}

// connect runs a connector behind these sources until the test ends or stop is called.
func connect(t *testing.T, s *serve, sources ...string) connectors {
	t.Helper()
	return connectWith(t, s, func(*connectorset.Config) {}, sources...)
}

// connectWith does so with a changed Config.
func connectWith(t *testing.T, s *serve, change func(*connectorset.Config), sources ...string) connectors {
	t.Helper()
	config := connectorset.Config{Sources: sources, TCPProbePort: -1}
	config.TargetServer, config.AuthToken = s.url, token
	change(&config)
	set, err := connectorset.New(config)
	if err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	set.SetHandlers(handlersUntil(over))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- set.Run(ctx) }()
	var once sync.Once
	stop := func() {
		once.Do(func() {
			close(over)
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("the connector: %v", err)
			}
		})
	}
	t.Cleanup(stop)
	return connectors{set, stop}
}
