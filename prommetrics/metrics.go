package prommetrics

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/health"
)

// Metrics are the metrics of one connector set: a [connector.Hook] to be given to the set, and a [prometheus.Collector] to
// be registered. Make it with [New]. Its methods may be called from several goroutines.
type Metrics struct {
	durations *prometheus.HistogramVec

	mu          sync.RWMutex
	connections map[string]*connector.SourceConnection // by source
}

// New returns the metrics of a set that is still to be made.
func New() *Metrics {
	return &Metrics{
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    namespace + "handler_duration_seconds",
			Help:    "How long calls of handlers took, and work that they started.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120},
		}, []string{"source", "handler", "outcome"}),
		connections: map[string]*connector.SourceConnection{},
	}
}

// OnConnection implements [connector.ConnectionHook]. A connection that is made again for the same source takes the place
// of the earlier one.
func (m *Metrics) OnConnection(c *connector.SourceConnection) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.connections[c.Source()] = c
}

// OnHandled implements [connector.HandlerHook].
func (m *Metrics) OnHandled(source, handler string, took time.Duration, err error) {
	m.durations.WithLabelValues(source, handler, outcome(err)).Observe(took.Seconds())
}

// Describe implements [prometheus.Collector].
func (m *Metrics) Describe(descs chan<- *prometheus.Desc) {
	m.durations.Describe(descs)
	for _, s := range stats {
		descs <- s.desc
	}
	descs <- connected
	descs <- state
	descs <- healthy
}

// Collect implements [prometheus.Collector]: it reads the Stats of every source.
func (m *Metrics) Collect(metrics chan<- prometheus.Metric) {
	m.durations.Collect(metrics)
	m.mu.RLock()
	defer m.mu.RUnlock()
	allHealthy := len(m.connections) > 0
	for source, c := range m.connections {
		now := c.Stats()
		for _, s := range stats {
			metrics <- prometheus.MustNewConstMetric(s.desc, s.kind, s.value(now), source)
		}
		in := c.State()
		metrics <- prometheus.MustNewConstMetric(connected, prometheus.GaugeValue, number(in == connector.Connected), source)
		for s, name := range stateNames {
			metrics <- prometheus.MustNewConstMetric(state, prometheus.GaugeValue, number(in == connector.State(s)), source, name)
		}
		allHealthy = allHealthy && c.Health() == health.Healthy
	}
	metrics <- prometheus.MustNewConstMetric(healthy, prometheus.GaugeValue, number(allHealthy))
}
