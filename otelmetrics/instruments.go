package otelmetrics

import (
	"errors"

	"go.opentelemetry.io/otel/metric"

	"github.com/vantiq-go/connectorsdk/connector"
)

const namespace = "vantiq.connector."

// A stat is an instrument that is read from the Stats of each source.
type stat struct {
	instrument metric.Int64Observable
	value      func(s connector.Stats) int64
}

type instruments struct {
	stats     []stat
	used      metric.Float64ObservableGauge
	connected metric.Int64ObservableUpDownCounter
	state     metric.Int64ObservableUpDownCounter
	healthy   metric.Int64ObservableUpDownCounter
	duration  metric.Float64Histogram
}

func newInstruments(meter metric.Meter) (instruments, error) {
	m := maker{meter: meter}
	all := instruments{
		stats: []stat{
			m.counter("notifications.accepted", "{notification}", "Notifications that SendNotification accepted.",
				func(s connector.Stats) uint64 { return s.Accepted }),
			m.counter("notifications.sent", "{notification}", "Notifications handed to a link for the first time.",
				func(s connector.Stats) uint64 { return s.Sent }),
			m.counter("notifications.resent", "{notification}", "Notifications handed to a link again, because their acknowledgement never came.",
				func(s connector.Stats) uint64 { return s.Resent }),
			m.counter("notifications.acknowledged", "{notification}", "Notifications that Vantiq acknowledged.",
				func(s connector.Stats) uint64 { return s.Acknowledged }),
			m.counter("notifications.refused", "{notification}", "Notifications that Vantiq answered with an error: they are lost.",
				func(s connector.Stats) uint64 { return s.Refused }),
			m.counter("notifications.dropped", "{notification}", "Notifications that a full outbox dropped (outboxFull=dropOldest): they are lost.",
				func(s connector.Stats) uint64 { return s.Dropped }),
			m.level("outbox.notifications", "{notification}", "Notifications in the outbox, in flight or not.",
				func(s connector.Stats) int { return s.Queued }),
			m.level("outbox.window", "{notification}", "Notifications that may be in flight.",
				func(s connector.Stats) int { return s.Window }),

			m.counter("publishes.handled", "{message}", "Published messages handed to the Publish handler.",
				func(s connector.Stats) uint64 { return s.Publishes }),
			m.counter("publishes.failed", "{message}", "Published messages for which the Publish handler returned an error or panicked.",
				func(s connector.Stats) uint64 { return s.PublishErrors }),
			m.counter("publishes.dropped", "{message}", "Published messages that never reached the Publish handler: they are lost.",
				func(s connector.Stats) uint64 { return s.PublishesDropped }),

			m.counter("queries.received", "{query}", "Queries received.",
				func(s connector.Stats) uint64 { return s.Queries }),
			m.level("queries.open", "{query}", "Queries without a final answer.",
				func(s connector.Stats) int { return s.QueriesOpen }),
			m.counter("answers.interrupted", "{answer}", "Answers cut short because the link was lost between their rows.",
				func(s connector.Stats) uint64 { return s.AnswersInterrupted }),
			m.counter("handlers.abandoned", "{handler}", "Handlers left behind because they ignored the end of their context.",
				func(s connector.Stats) uint64 { return s.Abandoned }),

			m.counter("sessions", "{session}", "Sessions: configurations received.",
				func(s connector.Stats) uint64 { return s.Sessions }),
			m.counter("reconnects", "{link}", "Links after the first.",
				func(s connector.Stats) uint64 { return s.Reconnects }),
		},
		connected: m.upDown("connected", "{source}", "1 while the source is connected, 0 otherwise."),
		state:     m.upDown("state", "{source}", "1 for the state that the source is in, 0 for the others."),
		healthy:   m.upDown("healthy", "{connector}", "1 while the connector is declared healthy, 0 otherwise."),
	}
	var err error
	all.used, err = meter.Float64ObservableGauge(namespace+"outbox.used", metric.WithUnit("1"),
		metric.WithDescription("How full the outbox is, of its notifications, its bytes or the memory that all sources share."))
	m.errs = append(m.errs, err)
	all.duration, err = meter.Float64Histogram(namespace+"handler.duration", metric.WithUnit("s"),
		metric.WithDescription("How long calls of handlers took, and work that they started."),
		metric.WithExplicitBucketBoundaries(.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120))
	m.errs = append(m.errs, err)
	return all, errors.Join(m.errs...)
}

// observables returns what a callback observes.
func (i instruments) observables() []metric.Observable {
	all := []metric.Observable{i.used, i.connected, i.state, i.healthy}
	for _, s := range i.stats {
		all = append(all, s.instrument)
	}
	return all
}

// A maker makes instruments, and remembers what went wrong.
type maker struct {
	meter metric.Meter
	errs  []error
}

func (m *maker) counter(name, unit, description string, value func(s connector.Stats) uint64) stat {
	counter, err := m.meter.Int64ObservableCounter(namespace+name, metric.WithUnit(unit), metric.WithDescription(description))
	m.errs = append(m.errs, err)
	return stat{counter, func(s connector.Stats) int64 { return int64(value(s)) }}
}

func (m *maker) level(name, unit, description string, value func(s connector.Stats) int) stat {
	return stat{m.upDown(name, unit, description), func(s connector.Stats) int64 { return int64(value(s)) }}
}

func (m *maker) upDown(name, unit, description string) metric.Int64ObservableUpDownCounter {
	level, err := m.meter.Int64ObservableUpDownCounter(namespace+name, metric.WithUnit(unit), metric.WithDescription(description))
	m.errs = append(m.errs, err)
	return level
}
