package main

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/connectortest"
	"github.com/vantiq-go/connectorsdk/health"
	"github.com/vantiq-go/connectorsdk/protocol"
)

func TestConnect(t *testing.T) {
	bubble(t, "counts connects and closes across sessions and links", func(t *testing.T) {
		running, source := start(t, document{"notifyOnConnect": true, "other": "key"})
		notified(t, source, `{"event":"connect","connects":1,"closes":0,"config":{"notifyOnConnect":true,"other":"key"}}`)
		source.RequireReconnect()
		notified(t, source, `{"event":"connect","connects":2,"closes":1,"config":{"notifyOnConnect":true,"other":"key"}}`)
		if err := running.Connection("TestSource").Flush(t.Context()); err != nil { // or it may come again
			t.Fatal(err)
		}
		source.Drop(1001)
		notified(t, source, `{"event":"connect","connects":3,"closes":2,"config":{"notifyOnConnect":true,"other":"key"}}`)
	})

	bubble(t, "connectFails counts anew for each configuration", func(t *testing.T) {
		running, source := start(t, document{"connectFails": 2, "notifyOnConnect": true})
		c := running.Connection("TestSource")
		if got := c.Stats().LastError; got != "connectFails: failure 2 of 2" {
			t.Errorf("last error %q", got)
		}
		notified(t, source, `{"event":"connect","connects":1,"closes":0,"config":{"connectFails":2,"notifyOnConnect":true}}`)
		source.Reconfigure(document{"testConfig": document{"connectFails": 3, "notifyOnConnect": true}})
		notified(t, source, `{"event":"connect","connects":2,"closes":1,"config":{"connectFails":3,"notifyOnConnect":true}}`)
		if got := c.Stats().LastError; got != "connectFails: failure 3 of 3" {
			t.Errorf("last error %q", got)
		}
	})

	bubble(t, "connectPermanent waits for another configuration", func(t *testing.T) {
		running, source := start(t, document{"connectPermanent": true}, connectortest.WithoutWaiting())
		<-time.After(time.Hour)
		if state := running.Connection("TestSource").State(); state != connector.Configuring {
			t.Errorf("state %v", state)
		}
		_, err := source.Query(t.Context(), nil)
		var failed protocol.QueryError
		if !errors.As(err, &failed) || failed.Code != connector.CodeNotConfigured {
			t.Errorf("query: %v", err)
		}
		source.Reconfigure(nil)
		if err := running.Connection("TestSource").WaitConnected(t.Context()); err != nil {
			t.Error(err)
		}
	})

	bubble(t, "connectDelayMs takes its time, and ends with its session", func(t *testing.T) {
		began := time.Now()
		_, source := start(t, document{"connectDelayMs": 5000})
		if took := time.Since(began); took < 5*time.Second || took > 6*time.Second {
			t.Errorf("took %v", took)
		}
		source.Drop(1001)
		if err := source.WaitSession(t.Context(), 2); err != nil {
			t.Fatal(err)
		}
		began = time.Now() // in the middle of the delay
		source.Reconfigure(document{"testConfig": document{"notifyOnConnect": true}})
		notified(t, source, `{"event":"connect","connects":2,"closes":1,"config":{"notifyOnConnect":true}}`)
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("took %v", took)
		}
	})

	bubble(t, "a testConfig of another type is refused", func(t *testing.T) {
		running, source := start(t, document{"connectFails": "many"}, connectortest.WithoutWaiting())
		if err := source.WaitConnected(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, err := source.Query(t.Context(), nil)
		var failed protocol.QueryError
		if !errors.As(err, &failed) || failed.Code != connector.CodeNotConfigured {
			t.Errorf("query: %v (%s)", err, running.Connection("TestSource").Stats().LastError)
		}
	})
}

func TestFirstConnectDeclaresHealthy(t *testing.T) {
	handlers := newHandlers(t.Context(), slog.New(slog.DiscardHandler))
	running := connectortest.Start(t, handlers,
		connectortest.WithSource("Never", document{"testConfig": document{"connectPermanent": true}}),
		connectortest.WithSource("First", nil),
		connectortest.WithoutWaiting())
	source := running.Source("First")
	if err := running.Connection("First").WaitConnected(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := running.Set.Health(); got != health.Healthy {
		t.Errorf("health %v", got)
	}
	publish(t, source, document{"do": "unhealthy"})
	notified(t, source, `{"health":"unhealthy","error":""}`)
	source.RequireReconnect()
	if err := source.WaitSession(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	publish(t, source, document{}) // handled after the second Connect
	notified(t, source, `{}`)
	if got := running.Set.Health(); got != health.Unhealthy {
		t.Errorf("health %v after another Connect", got)
	}
}
