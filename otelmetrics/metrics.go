package otelmetrics

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/health"
)

// Metrics are the metrics of one connector set: a [connector.Hook] to be given to the set. Make it with [New]. Its methods
// may be called from several goroutines.
type Metrics struct {
	instruments

	mu      sync.RWMutex
	sources map[string]source
	calls   map[call][]metric.RecordOption // made once, so that counting a call costs no memory
}

// A source is a source connection and the attributes of what is observed of it.
type source struct {
	*connector.SourceConnection
	itself metric.ObserveOption
	states []metric.ObserveOption // by connector.State
}

// A call is what calls of handlers are told apart by.
type call struct{ source, handler, outcome string }

// New makes the instruments of a set that is still to be made. Call it once for each set and provider.
func New(provider metric.MeterProvider) (*Metrics, error) {
	meter := provider.Meter("github.com/vantiq-go/connectorsdk/otelmetrics")
	all, err := newInstruments(meter)
	if err != nil {
		return nil, fmt.Errorf("otelmetrics: making the instruments: %w", err)
	}
	m := &Metrics{instruments: all, sources: map[string]source{}, calls: map[call][]metric.RecordOption{}}
	if _, err := meter.RegisterCallback(m.observe, all.observables()...); err != nil {
		return nil, fmt.Errorf("otelmetrics: registering the callback: %w", err)
	}
	return m, nil
}

// OnConnection implements [connector.ConnectionHook]. A connection that is made again for the same source takes the place
// of the earlier one.
func (m *Metrics) OnConnection(c *connector.SourceConnection) {
	name := attribute.String("source", c.Source())
	s := source{SourceConnection: c, itself: metric.WithAttributeSet(attribute.NewSet(name))}
	for state := connector.Idle; state <= connector.Closed; state++ {
		set := attribute.NewSet(name, attribute.String("state", strings.ToLower(state.String())))
		s.states = append(s.states, metric.WithAttributeSet(set))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sources[c.Source()] = s
}

// OnHandled implements [connector.HandlerHook].
func (m *Metrics) OnHandled(source, handler string, took time.Duration, err error) {
	m.duration.Record(context.Background(), took.Seconds(), m.attributesOf(call{source, handler, outcome(err)})...)
}

func (m *Metrics) attributesOf(c call) []metric.RecordOption {
	m.mu.RLock()
	options, ok := m.calls[c]
	m.mu.RUnlock()
	if ok {
		return options
	}
	options = []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(
		attribute.String("source", c.source), attribute.String("handler", c.handler), attribute.String("outcome", c.outcome)))}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls[c] = options
	return options
}

// outcome returns the value of the attribute outcome: what became of a call, without the error's words.
func outcome(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, connector.ErrAnswerLater):
		return "later"
	case errors.Is(err, context.Canceled):
		return "canceled" // its link was lost, its time was up, or the connector drains
	}
	return "error"
}

// observe reads the Stats of every source.
func (m *Metrics) observe(_ context.Context, to metric.Observer) error {
	m.mu.RLock()
	defer m.mu.RUnlock()
	allHealthy := len(m.sources) > 0
	for _, s := range m.sources {
		now := s.Stats()
		for _, stat := range m.stats {
			to.ObserveInt64(stat.instrument, stat.value(now), s.itself)
		}
		to.ObserveFloat64(m.used, now.OutboxUsed, s.itself)
		in := s.State()
		to.ObserveInt64(m.connected, number(in == connector.Connected), s.itself)
		for state, attributes := range s.states {
			to.ObserveInt64(m.state, number(in == connector.State(state)), attributes)
		}
		allHealthy = allHealthy && s.Health() == health.Healthy
	}
	to.ObserveInt64(m.healthy, number(allHealthy))
	return nil
}

func number(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}
