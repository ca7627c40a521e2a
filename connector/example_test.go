package connector_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// A connector that echoes, against a local Vantiq.
func Example() {
	server := vantiqtest.NewServer()
	defer server.Close()
	source := server.Source("EchoSource", nil)

	c, err := connector.New("EchoSource", connector.Options{TargetServer: server.URL(), AuthToken: protocol.Secret(server.Token())})
	if err != nil {
		fmt.Println(err)
		return
	}
	c.SetHandlers(connector.Handlers{
		Publish: func(ctx context.Context, c *connector.SourceConnection, message connector.Document) error {
			return c.SendNotification(ctx, message)
		},
	})
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()

	if err := c.WaitConnected(ctx); err != nil {
		fmt.Println(err)
	}
	if err := source.Publish(ctx, map[string]any{"text": "hello"}); err != nil {
		fmt.Println(err)
	}
	event, err := source.Notification(ctx)
	fmt.Println(event, err)

	stop()
	fmt.Println(<-ended)
	// Output:
	// {"text":"hello"} <nil>
	// <nil>
}

// A session's state is made by Connect and handed to the others, so that one value serves any number of sources.
func ExampleSessionHandlers() {
	type config struct {
		Address string        `json:"address"`
		Every   time.Duration `json:"every,omitempty"`
	}
	type session struct {
		config config
		// and the client, the pool, … that was opened for it
	}
	handlers := connector.SessionHandlers[*session]{
		Connect: func(_ context.Context, _ *connector.SourceConnection, document connector.Document) (*session, error) {
			config, err := connector.DecodeConfig[config](document)
			if err != nil {
				return nil, err // permanent: it is not tried again before the configuration changes
			}
			return &session{config: config}, nil
		},
		Query: func(ctx context.Context, _ *connector.SourceConnection, s *session, q *connector.Query) error {
			return q.Complete(ctx, map[string]any{"address": s.config.Address})
		},
		Close: func(_ context.Context, _ *connector.SourceConnection, _ *session, _ error) error {
			return nil // close the client, the pool, …
		},
	}
	_ = handlers.Handlers() // for SetHandlers
}

// Rows streams an answer of any length in messages below the size limit.
func ExampleRows() {
	type reading struct {
		Sensor string  `json:"sensor"`
		Value  float64 `json:"value"`
	}
	readings := func(context.Context) iter.Seq2[reading, error] {
		return func(yield func(reading, error) bool) {
			for n := range 100_000 {
				if !yield(reading{Sensor: fmt.Sprint("s", n), Value: 0.5}, nil) {
					return
				}
			}
		}
	}
	_ = connector.Handlers{
		Query: func(ctx context.Context, _ *connector.SourceConnection, q *connector.Query) error {
			return connector.Rows(ctx, q, readings(ctx))
		},
	}
}

// Everything that is wrong with a source configuration is reported at once.
func ExampleDecodeConfig() {
	type config struct {
		Host    string        `json:"host"`
		Port    int           `json:"port" default:"5432"`
		Timeout time.Duration `json:"timeout" default:"30s"`
		Mode    string        `json:"mode" default:"verify" enum:"disable, verify"`
	}
	decode := func(members map[string]any) {
		document, _ := protocol.NewDocument(members)
		got, err := connector.DecodeConfig[config](document)
		fmt.Println(got, err)
	}
	decode(map[string]any{"host": "db.example.com", "timeout": "1m"})
	decode(map[string]any{"hots": "db.example.com", "port": "5432x", "mode": "verfy"})
	// Output:
	// {db.example.com 5432 1m0s verify} <nil>
	// { 0 0s } source configuration: host: missing
	// port: "5432x" is not a whole number of 64 bits
	// mode: "verfy" is not one of disable, verify
	// hots: unknown, check its spelling
}

// A query that takes long is answered from elsewhere: its handler returns at once and gives its slot back.
func ExampleQuery() {
	jobs := make(chan *connector.Query, 100)
	_ = connector.Handlers{
		Query: func(_ context.Context, _ *connector.SourceConnection, q *connector.Query) error {
			select {
			case jobs <- q:
				return connector.ErrAnswerLater
			default:
				return connector.QueryError{Code: "com.example.busy", Template: "{0} jobs are waiting", Parameters: []any{len(jobs)}}
			}
		},
	}
	go func() {
		for q := range jobs {
			err := q.Complete(q.Context(), map[string]any{"done": true})
			if errors.Is(err, connector.ErrQueryAnswered) {
				continue // its time was up
			}
		}
	}()
	close(jobs)
}
