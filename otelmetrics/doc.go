// Package otelmetrics shows a connector set to OpenTelemetry: what its sources accept, send, answer and lose, whether they
// are connected, and how long handlers take.
//
//	metrics, err := otelmetrics.New(provider)
//	…
//	set, err := connectorset.Load(connectorset.WithHooks(metrics))
//
// Every source counts from zero as soon as the set is made. Counters are read when the provider's reader collects them;
// only the durations of handlers are counted as they happen.
//
// The attributes are source, as server.config names it, and handler, outcome and state, of which there are few: nothing
// that comes from Vantiq or from an error becomes an attribute. They are named like the labels of package prommetrics, and
// the instruments become its metrics when Prometheus gets them, so that its dashboard and its alert rules serve both. What
// each metric means is told in docs/monitoring.md.
package otelmetrics
