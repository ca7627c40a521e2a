package main

import (
	"encoding/json"
	"log/slog"
	"os"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

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

// A document is what tests send.
type document = map[string]any

// start runs the handlers behind one source with a testConfig, in memory.
func start(t *testing.T, testConfig document, opts ...connectortest.Option) (*connectortest.Running, *vantiqtest.Source) {
	t.Helper()
	opts = append(opts, connectortest.WithSource("TestSource", document{"testConfig": testConfig}))
	handlers := newHandlers(t.Context(), slog.New(slog.NewTextHandler(t.Output(), nil)))
	running := connectortest.Start(t, handlers, opts...)
	return running, running.Source("TestSource")
}

// bubble runs a test in virtual time.
func bubble(t *testing.T, name string, test func(t *testing.T)) {
	t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
}

func publish(t *testing.T, source *vantiqtest.Source, message any) {
	t.Helper()
	if err := source.Publish(t.Context(), message); err != nil {
		t.Fatal(err)
	}
}

// notified fails the test unless the next notification is want.
func notified(t *testing.T, source *vantiqtest.Source, want string) {
	t.Helper()
	got, err := source.Notification(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !got.Equal(parse(t, want)) {
		t.Errorf("notification %s, want %s", got, want)
	}
}

func parse(t *testing.T, text string) protocol.Document {
	t.Helper()
	d, err := protocol.NewDocument(json.RawMessage(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}
