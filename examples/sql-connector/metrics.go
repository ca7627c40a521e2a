package main

import (
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/vantiq-go/connectorsdk/prommetrics"
)

// serveMetrics lets Prometheus read them at /metrics, together with those of the process, until it is closed.
func serveMetrics(address string, metrics *prommetrics.Metrics) (closeServer func() error, err error) {
	if address == "" {
		return func() error { return nil }, nil
	}
	if err := prometheus.Register(metrics); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("-metrics: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.Handler())
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(listener) // until Close
	}()
	return func() error {
		err := server.Close()
		<-served
		return err
	}, nil
}
