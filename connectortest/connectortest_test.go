package connectortest_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/connectorset"
	"github.com/vantiq-go/connectorsdk/connectortest"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The connector that the tests here test.
var echo = connector.Handlers{
	Publish: func(ctx context.Context, c *connector.SourceConnection, message connector.Document) error {
		return c.SendNotification(ctx, message)
	},
}

// A connector is tested in ten lines.
func TestEcho(t *testing.T) {
	running := connectortest.Start(t, echo, connectortest.WithSource("EchoSource", nil))
	source := running.Source("EchoSource")
	if err := source.Publish(t.Context(), map[string]any{"text": "hello"}); err != nil {
		t.Fatal(err)
	}
	event, err := source.Notification(t.Context())
	if err != nil || event.String() != `{"text":"hello"}` {
		t.Errorf("got %v (%v)", event, err)
	}
}

// In a bubble an outage of an hour takes no time, and a goroutine left behind fails the test.
func TestEchoAfterAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		running := connectortest.Start(t, echo)
		running.Network.Partition()
		time.Sleep(time.Hour)
		running.Network.Heal()
		source := running.Source("TestSource")
		if err := source.WaitSession(t.Context(), 2); err != nil {
			t.Fatal(err)
		}
		if err := source.Publish(t.Context(), map[string]any{"n": 1}); err != nil {
			t.Fatal(err)
		}
		if event, err := source.Notification(t.Context()); err != nil || event.String() != `{"n":1}` {
			t.Errorf("got %v (%v)", event, err)
		}
	})
}

// Sources of one connector with different configurations, each in the state of its own session.
func TestSessionHandlers(t *testing.T) {
	type config struct {
		Factor int `json:"factor"`
	}
	handlers := connector.SessionHandlers[config]{
		Connect: func(_ context.Context, _ *connector.SourceConnection, document connector.Document) (config, error) {
			return connector.DecodeConfig[config](document)
		},
		Query: func(ctx context.Context, _ *connector.SourceConnection, session config, q *connector.Query) error {
			var parameters struct{ N int }
			if err := q.Decode(&parameters); err != nil {
				return err
			}
			return q.Complete(ctx, map[string]int{"product": session.Factor * parameters.N})
		},
	}.Handlers()

	running := connectortest.Start(t, handlers,
		connectortest.WithSource("Double", map[string]any{"factor": 2}),
		connectortest.WithSource("Triple", map[string]any{"factor": "3"}),
	)
	for source, want := range map[string]string{"Double": `{"product":14}`, "Triple": `{"product":21}`} {
		rows, err := running.Source(source).Query(t.Context(), map[string]any{"n": 7})
		if err != nil || len(rows) != 1 || rows[0].String() != want {
			t.Errorf("%s: got %v (%v), want %s", source, rows, err, want)
		}
	}
}

func TestOptionsReachWhatTheyAreFor(t *testing.T) {
	var sources []string
	running := connectortest.Start(t, connector.Handlers{},
		connectortest.WithServer(vantiqtest.WithToken("another")),
		connectortest.WithConfig(func(c *connectorset.Config) { c.ReconnectSecret = "fixed" }),
		connectortest.WithSet(connectorset.Each(func(source string, _ *connector.Options) { sources = append(sources, source) })),
	)
	connects := running.Source("TestSource").Connects()
	if len(connects) != 1 || connects[0].Secret != "TestSource_fixed" {
		t.Errorf("connects: %v", connects)
	}
	if len(sources) != 1 || running.Server.Token() != "another" {
		t.Errorf("sources %v, token %s", sources, running.Server.Token())
	}
	if _, ok := running.Set.Connection("TestSource"); !ok || running.Connection("TestSource").State() != connector.Connected {
		t.Error("TestSource is not connected")
	}
}

func TestStopReturnsWhatRunReturned(t *testing.T) {
	running := connectortest.Start(t, echo, connectortest.WithoutWaiting(),
		connectortest.WithConfig(func(c *connectorset.Config) { c.AuthToken = "wrong" }))
	var rejected *connector.StatusError
	if err := running.Connection("TestSource").WaitConnected(t.Context()); !errors.As(err, &rejected) {
		t.Errorf("WaitConnected: %v", err)
	}
	if err := running.Stop(); !errors.As(err, &rejected) {
		t.Errorf("Stop: %v", err)
	}
	if err := running.Stop(); err != nil {
		t.Errorf("Stop again: %v", err)
	}
}
