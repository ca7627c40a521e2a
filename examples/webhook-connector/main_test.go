package main

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/connectorset"
	"github.com/vantiq-go/connectorsdk/connectortest"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(builtIn)
		os.Exit(code)
	}))
}

// An object is a part of a source configuration, or of a query.
type object = map[string]any

// start runs the connector in memory, with sources that have these parts of a webhookConfig.
func start(t *testing.T, sources map[string]object, opts ...connectortest.Option) (*connectortest.Running, *hooks) {
	t.Helper()
	for name, config := range sources {
		opts = append(opts, connectortest.WithSource(name, object{"webhookConfig": config}))
	}
	opts = append(opts, connectortest.WithConfig(func(c *connectorset.Config) { c.OutboxFull = connector.Fail }))
	hooks := newHooks(len(sources), slog.New(slog.NewTextHandler(t.Output(), nil)))
	return connectortest.Start(t, newHandlers(hooks), opts...), hooks
}

// startOne runs the connector with one source, whose path is /hooks/a.
func startOne(t *testing.T, config object, opts ...connectortest.Option) (*connectortest.Running, *vantiqtest.Source, *hooks) {
	t.Helper()
	running, hooks := start(t, map[string]object{"a": config}, opts...)
	return running, running.Source("a"), hooks
}

// do hands a request to the connector and returns the answer.
func do(handler http.Handler, method, target, body string, header http.Header) *http.Response {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for name, values := range header {
		r.Header[name] = values
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return w.Result()
}

// post posts JSON to /hooks/a and returns the status.
func post(handler http.Handler, body string) int {
	return do(handler, http.MethodPost, "/hooks/a", body, jsonContent).StatusCode
}

var jsonContent = http.Header{"Content-Type": {"application/json"}}

// next returns the next event.
func next(t *testing.T, source *vantiqtest.Source) protocol.Document {
	t.Helper()
	event, err := source.Notification(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return event
}

// member returns one member of an event as it came, or nothing.
func member(t *testing.T, event protocol.Document, name string) string {
	t.Helper()
	var members map[string]json.RawMessage
	if err := event.Decode(&members); err != nil {
		t.Fatal(err)
	}
	return string(members[name])
}
