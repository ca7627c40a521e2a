package otelmetrics_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/otelmetrics"
)

func BenchmarkOnHandled(b *testing.B) {
	metrics, err := otelmetrics.New(metric.NewMeterProvider(metric.WithReader(metric.NewManualReader())))
	if err != nil {
		b.Fatal(err)
	}
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

func BenchmarkCollect(b *testing.B) {
	for _, sources := range []int{1, 50, 10_000} {
		b.Run(fmt.Sprint(sources, " sources"), func(b *testing.B) {
			reader := metric.NewManualReader()
			metrics, err := otelmetrics.New(metric.NewMeterProvider(metric.WithReader(reader), metric.WithCardinalityLimit(0)))
			if err != nil {
				b.Fatal(err)
			}
			for n := range sources {
				c, err := connector.New(fmt.Sprint("Source", n), connector.Options{
					TargetServer: "http://localhost", AuthToken: "t", Hooks: []connector.Hook{metrics},
				})
				if err != nil {
					b.Fatal(err)
				}
				metrics.OnHandled(c.Source(), "query", time.Millisecond, nil)
			}
			var collected metricdata.ResourceMetrics
			b.ReportAllocs()
			for b.Loop() {
				if err := reader.Collect(b.Context(), &collected); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
