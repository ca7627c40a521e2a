package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
)

// A testConnector does what it is told, for any number of sources.
type testConnector struct {
	ctx     context.Context // ends when the connector is to leave; for work that outlives a session
	log     *slog.Logger
	healthy sync.Once // the first Connect that succeeds declares the connector healthy

	mu      sync.Mutex
	sources map[string]*source
}

// A source counts what has happened to one source, beyond the end of its sessions. Its Connect and Close handlers never
// run beside each other, and nobody else uses it: it needs no lock.
type source struct {
	connects int // that succeeded
	closes   int

	configuration uint64 // the one that failed refers to, counted from 1
	failed        int    // connects of it that failed on purpose
}

// newHandlers returns the handlers of all sources. Ctx is to end when the connector drains.
func newHandlers(ctx context.Context, logger *slog.Logger) connector.Handlers {
	t := &testConnector{ctx: ctx, log: logger, sources: make(map[string]*source)}
	return connector.SessionHandlers[*source]{
		Connect: t.connect,
		Publish: t.publish,
		Query:   t.query,
		Close:   t.close,
	}.Handlers()
}

func (t *testConnector) source(name string) *source {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.sources[name]
	if s == nil {
		s = new(source)
		t.sources[name] = s
	}
	return s
}

func (t *testConnector) connect(ctx context.Context, c *connector.SourceConnection, config connector.Document) (*source, error) {
	var wrapper struct {
		TestConfig connector.Document `json:"testConfig"`
	}
	var test struct {
		ConnectFails     int  `json:"connectFails"`
		ConnectPermanent bool `json:"connectPermanent"`
		ConnectDelayMs   int  `json:"connectDelayMs"`
		NotifyOnConnect  bool `json:"notifyOnConnect"`
	}
	// Not DecodeConfig, which most connectors should use: it reports unknown keys, and here they are to be ignored.
	if err := errors.Join(config.Decode(&wrapper), wrapper.TestConfig.Decode(&test)); err != nil {
		return nil, connector.Permanent(fmt.Errorf("source configuration, testConfig: %w", err))
	}

	if err := sleep(ctx, test.ConnectDelayMs); err != nil {
		return nil, err
	}
	if test.ConnectPermanent {
		return nil, connector.Permanent(errors.New("connectPermanent is set"))
	}
	s := t.source(c.Source())
	if err := s.failOnPurpose(c.Stats().Sessions, test.ConnectFails); err != nil {
		return nil, err
	}
	if test.NotifyOnConnect {
		event := map[string]any{"event": "connect", "connects": s.connects + 1, "closes": s.closes, "config": wrapper.TestConfig}
		if err := c.SendNotification(ctx, event); err != nil {
			return nil, err
		}
	}
	s.connects++
	t.healthy.Do(func() { t.declareHealthy(c) })
	return s, nil
}

// failOnPurpose returns an error for the first so many connects of each configuration that Vantiq sends.
func (s *source) failOnPurpose(configuration uint64, times int) error {
	if s.configuration != configuration {
		s.configuration, s.failed = configuration, 0
	}
	if s.failed >= times {
		return nil
	}
	s.failed++
	return fmt.Errorf("connectFails: failure %d of %d", s.failed, times)
}

// declareHealthy is called in a Connect handler, and not from main as most connectors should: before it has returned no
// message can arrive that declares something else.
func (t *testConnector) declareHealthy(c *connector.SourceConnection) {
	if err := c.DeclareHealthy(); err != nil {
		t.log.Error("the connector cannot be declared healthy", "error", err)
	}
}

func (t *testConnector) close(_ context.Context, _ *connector.SourceConnection, s *source, _ error) error {
	s.closes++
	return nil
}

// verb returns what a message or query says is to be done. All else in it is left alone: an echo takes anything.
func verb(d connector.Document) (string, error) {
	var steer struct {
		Do string `json:"do"`
	}
	if err := d.Decode(&steer); err != nil {
		return "", fmt.Errorf("the member do must name what to do: %w", err)
	}
	if steer.Do == "" {
		return "echo", nil
	}
	return steer.Do, nil
}

// sleep waits for so many milliseconds, or until ctx ends.
func sleep(ctx context.Context, ms int) error {
	timer := time.NewTimer(milliseconds(ms))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func milliseconds(n int) time.Duration {
	return time.Duration(min(n, math.MaxInt64/int(time.Millisecond))) * time.Millisecond
}

// orNull stands in for a member that is absent.
func orNull(value json.RawMessage) json.RawMessage {
	if len(value) == 0 {
		return json.RawMessage("null")
	}
	return value
}
