package connectortest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/connectortest"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

type databaseConfig struct {
	Host string `json:"host"`
	Pool struct {
		Size int `json:"size" default:"4"`
	} `json:"pool,omitzero"`
	Polls []struct {
		Name  string            `json:"name"`
		Every time.Duration     `json:"every" default:"30s"`
		With  map[string]string `json:"with,omitempty"`
	} `json:"polls,omitempty"`
}

var database = connector.SessionHandlers[databaseConfig]{
	Connect: func(_ context.Context, _ *connector.SourceConnection, config connector.Document) (databaseConfig, error) {
		return connector.DecodeConfig[databaseConfig](config)
	},
	Query: func(ctx context.Context, _ *connector.SourceConnection, config databaseConfig, q *connector.Query) error {
		return q.Complete(ctx, map[string]any{"host": config.Host, "size": config.Pool.Size})
	},
}.Handlers()

// refusal returns the answer that a SELECT from the source gets as soon as Vantiq has sent the configuration n.
func refusal(t *testing.T, source *vantiqtest.Source, n int) connector.QueryError {
	t.Helper()
	if err := source.WaitSession(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	rows, err := source.Query(t.Context(), nil)
	var failed connector.QueryError
	if !errors.As(err, &failed) {
		t.Fatalf("the query was answered %v (%v)", rows, err)
	}
	return failed
}

func TestTheAuthorOfAQueryIsToldEveryWrongPath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		running := connectortest.Start(t, database, connectortest.WithoutWaiting(), connectortest.WithSource("Database", map[string]any{
			"pool":  map[string]any{"size": "many"},
			"polls": []any{map[string]any{"name": "a"}, map[string]any{"name": "b", "with": map[string]any{"limit": 5}}},
		}))
		source := running.Source("Database")
		got := refusal(t, source, 1)
		if got.Code != connector.CodeNotConfigured {
			t.Errorf("code %s", got.Code)
		}
		for _, want := range []string{"host: missing", `pool.size: "many" is not a whole number`, "polls[1].with[limit]: 5 is not text, put it in quotes"} {
			if !strings.Contains(got.Message(), want) {
				t.Errorf("%q is not in the answer: %s", want, got.Message())
			}
		}

		source.Reconfigure(map[string]any{"host": "db.example.com", "polls": []any{map[string]any{"name": "a"}}})
		if err := running.Connection("Database").WaitConnected(t.Context()); err != nil {
			t.Fatal(err)
		}
		rows, err := source.Query(t.Context(), nil)
		if err != nil || len(rows) != 1 || rows[0].String() != `{"host":"db.example.com","size":4}` {
			t.Errorf("after it was corrected: %v (%v)", rows, err)
		}
	})
}

// The answer fits into one message and commands no terminal, whatever the configuration; what is only missing comes first.
func TestTheAnswerToAHostileConfigurationIsBounded(t *testing.T) {
	long := strings.Repeat("\x1b[2J", 20_000)
	many := map[string]any{}
	for n := range 2_000 {
		many[fmt.Sprintf("%s%d", long[:1_000], n)] = n
	}
	for name, config := range map[string]map[string]any{
		"a long value": {"pool": map[string]any{"size": long}},
		"a long key":   {"polls": []any{map[string]any{"with": map[string]any{long: 1}}}},
		"many keys":    many,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				running := connectortest.Start(t, database, connectortest.WithoutWaiting(), connectortest.WithSource("Database", config))
				got := refusal(t, running.Source("Database"), 1)
				if text := got.Message(); got.Code != connector.CodeNotConfigured || !strings.Contains(text, "host: missing") || len(text) > 60_000 || strings.Contains(text, "\x1b") {
					t.Errorf("%s, %d bytes: %.300q", got.Code, len(text), text)
				}
			})
		})
	}
}
