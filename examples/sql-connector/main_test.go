package main

import (
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/vantiq-go/connectorsdk/connectortest"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// suite runs the tests, and then ends what they share, before leaks are looked for.
type suite struct{ m *testing.M }

func (s suite) Run() int {
	code := s.m.Run()
	stopSharedPostgres()
	_ = os.RemoveAll(builtIn)
	return code
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(suite{m}) }

// A document is what tests send.
type document = map[string]any

// start runs the handlers behind one source with a sqlConfig, in memory, with a state of its own.
func start(t *testing.T, sqlConfig document, opts ...connectortest.Option) (*connectortest.Running, *vantiqtest.Source) {
	t.Helper()
	return startIn(t, t.TempDir(), sqlConfig, opts...)
}

func startIn(t *testing.T, state string, sqlConfig document, opts ...connectortest.Option) (*connectortest.Running, *vantiqtest.Source) {
	t.Helper()
	return startAs(t, testConnector(t, state), sqlConfig, opts...)
}

func startAs(t *testing.T, c *sqlConnector, sqlConfig document, opts ...connectortest.Option) (*connectortest.Running, *vantiqtest.Source) {
	t.Helper()
	opts = append(opts, connectortest.WithSource("SqlSource", document{"sqlConfig": sqlConfig}))
	running := connectortest.Start(t, c.handlers(), opts...)
	return running, running.Source("SqlSource")
}

func testConnector(t *testing.T, state string) *sqlConnector {
	return newConnector(state, slog.New(slog.NewTextHandler(t.Output(), nil)))
}

func send(t *testing.T, source *vantiqtest.Source, message any) {
	t.Helper()
	if err := source.Publish(t.Context(), message); err != nil {
		t.Fatal(err)
	}
}

// ask queries with SQL, and returns the rows as one line each.
func ask(t *testing.T, source *vantiqtest.Source, sql string, parameters ...any) string {
	t.Helper()
	rows, err := source.Query(t.Context(), document{"sql": sql, "parameters": parameters})
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	lines := make([]string, len(rows))
	for i, row := range rows {
		lines[i] = row.String()
	}
	return strings.Join(lines, "\n")
}

// fails queries, and fails the test unless the answer is an error with the code and the texts.
func fails(t *testing.T, source *vantiqtest.Source, parameters any, code string, texts ...string) {
	t.Helper()
	rows, err := source.Query(t.Context(), parameters)
	var failed protocol.QueryError
	if !errors.As(err, &failed) || failed.Code != code {
		t.Errorf("%v: rows %v (%v), want %s", parameters, rows, err, code)
	}
	for _, text := range texts {
		if !strings.Contains(failed.Message(), text) {
			t.Errorf("%v: %q does not say %q", parameters, failed.Message(), text)
		}
	}
}

// notified fails the test unless the next notification is want.
func notified(t *testing.T, source *vantiqtest.Source, want string) {
	t.Helper()
	got, err := source.Notification(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != want {
		t.Errorf("notification %s\nwant         %s", got, want)
	}
}

// raw is JSON as it stands.
func raw(text string) json.RawMessage { return json.RawMessage(text) }
