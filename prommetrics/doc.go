// Package prommetrics shows a connector set to Prometheus: what its sources accept, send, answer and lose, whether they are
// connected, and how long handlers take.
//
//	metrics := prommetrics.New()
//	set, err := connectorset.Load(connectorset.WithHooks(metrics))
//	…
//	prometheus.MustRegister(metrics)
//
// Every source counts from zero as soon as the set is made, so that rates and alerts see the first event. Counters are
// read when they are scraped; only the durations of handlers are counted as they happen.
//
// The labels are source, as server.config names it, and handler, outcome and state, of which there are few: nothing that
// comes from Vantiq or from an error becomes a label. What each metric means is told in docs/monitoring.md. Beside this
// package lie alerts.yaml, alert rules, and dashboard.json, a dashboard for Grafana; both also serve what package otelmetrics
// sends to Prometheus.
package prommetrics
