package prommetrics_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/prommetrics"
)

func BenchmarkOnHandled(b *testing.B) {
	metrics := prommetrics.New()
	failed := fmt.Errorf("wrapped: %w", errors.New("disk full"))
	for name, err := range map[string]error{"ok": nil, "error": failed} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				metrics.OnHandled("Orders", "query", 3*time.Millisecond, err)
			}
		})
	}
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				metrics.OnHandled("Orders", "query", 3*time.Millisecond, nil)
			}
		})
	})
}

func BenchmarkScrape(b *testing.B) {
	for _, sources := range []int{1, 50, 10_000} {
		b.Run(fmt.Sprint(sources, " sources"), func(b *testing.B) {
			metrics := prommetrics.New()
			for n := range sources {
				c, err := connector.New(fmt.Sprint("Source", n), connector.Options{
					TargetServer: "http://localhost", AuthToken: "t", Hooks: []connector.Hook{metrics},
				})
				if err != nil {
					b.Fatal(err)
				}
				metrics.OnHandled(c.Source(), "query", time.Millisecond, nil)
			}
			registry := prometheus.NewPedanticRegistry()
			registry.MustRegister(metrics)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := registry.Gather(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
