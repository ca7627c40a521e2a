package prommetrics

import (
	"context"
	"errors"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/vantiq-go/connectorsdk/connector"
)

const namespace = "vantiq_connector_"

// A stat is a metric of each source that is read from its Stats.
type stat struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(s connector.Stats) float64
}

var stats = []stat{
	counter("notifications_accepted_total", "Notifications that SendNotification accepted.",
		func(s connector.Stats) uint64 { return s.Accepted }),
	counter("notifications_sent_total", "Notifications handed to a link for the first time.",
		func(s connector.Stats) uint64 { return s.Sent }),
	counter("notifications_resent_total", "Notifications handed to a link again, because their acknowledgement never came.",
		func(s connector.Stats) uint64 { return s.Resent }),
	counter("notifications_acknowledged_total", "Notifications that Vantiq acknowledged.",
		func(s connector.Stats) uint64 { return s.Acknowledged }),
	counter("notifications_refused_total", "Notifications that Vantiq answered with an error: they are lost.",
		func(s connector.Stats) uint64 { return s.Refused }),
	counter("notifications_dropped_total", "Notifications that a full outbox dropped (outboxFull=dropOldest): they are lost.",
		func(s connector.Stats) uint64 { return s.Dropped }),
	gauge("outbox_notifications", "Notifications in the outbox, in flight or not.",
		func(s connector.Stats) float64 { return float64(s.Queued) }),
	gauge("outbox_used_ratio", "How full the outbox is, of its notifications, its bytes or the memory that all sources share.",
		func(s connector.Stats) float64 { return s.OutboxUsed }),
	gauge("outbox_window", "Notifications that may be in flight.",
		func(s connector.Stats) float64 { return float64(s.Window) }),

	counter("publishes_handled_total", "Published messages handed to the Publish handler.",
		func(s connector.Stats) uint64 { return s.Publishes }),
	counter("publishes_failed_total", "Published messages for which the Publish handler returned an error or panicked.",
		func(s connector.Stats) uint64 { return s.PublishErrors }),
	counter("publishes_dropped_total", "Published messages that never reached the Publish handler: they are lost.",
		func(s connector.Stats) uint64 { return s.PublishesDropped }),

	counter("queries_received_total", "Queries received.",
		func(s connector.Stats) uint64 { return s.Queries }),
	gauge("queries_open", "Queries without a final answer.",
		func(s connector.Stats) float64 { return float64(s.QueriesOpen) }),
	counter("answers_interrupted_total", "Answers cut short because the link was lost between their rows.",
		func(s connector.Stats) uint64 { return s.AnswersInterrupted }),
	counter("handlers_abandoned_total", "Handlers left behind because they ignored the end of their context.",
		func(s connector.Stats) uint64 { return s.Abandoned }),

	counter("sessions_total", "Sessions: configurations received.",
		func(s connector.Stats) uint64 { return s.Sessions }),
	counter("reconnects_total", "Links after the first.",
		func(s connector.Stats) uint64 { return s.Reconnects }),
}

var (
	connected = desc("connected", "1 while the source is connected, 0 otherwise.", "source")
	state     = desc("state", "1 for the state that the source is in, 0 for the others.", "source", "state")
	healthy   = desc("healthy", "1 while the connector is declared healthy, 0 otherwise.")
)

func counter(name, help string, value func(s connector.Stats) uint64) stat {
	return stat{desc(name, help, "source"), prometheus.CounterValue, func(s connector.Stats) float64 { return float64(value(s)) }}
}

func gauge(name, help string, value func(s connector.Stats) float64) stat {
	return stat{desc(name, help, "source"), prometheus.GaugeValue, value}
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(namespace+name, help, labels, nil)
}

// stateNames are the values of the label state, by [connector.State].
var stateNames = func() (names []string) {
	for s := connector.Idle; s <= connector.Closed; s++ {
		names = append(names, strings.ToLower(s.String()))
	}
	return names
}()

// outcome returns the value of the label outcome: what became of a call, without the error's words.
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

func number(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
