package otelmetrics_test

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/prometheus/otlptranslator"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/vantiq-go/connectorsdk/internal/eventful"
)

var tableRow = regexp.MustCompile("(?m)^\\| `(vantiq_connector_\\w+)` \\| `(vantiq\\.[a-z.]+)` \\| ([^|]+) \\|")

// The document lists the instruments that exist, with the names that Prometheus gives them. That package prommetrics has
// those, its own tests show.
func TestTheDocumentListsTheInstrumentsThatExist(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		metrics, collect := newMetrics(t)
		eventful.Start(t, metrics)

		text, err := os.ReadFile("../docs/monitoring.md")
		if err != nil {
			t.Fatal(err)
		}
		document := map[string]string{}
		for _, row := range tableRow.FindAllStringSubmatch(string(text), -1) {
			names := strings.Split(strings.ReplaceAll(row[3], "none", ""), ", ")
			slices.Sort(names)
			document[row[2]+", "+row[1]] = strings.Join(names, ", ")
		}
		found := map[string]string{}
		for _, m := range collect() {
			kind, attributes := describe(t, m)
			var names []string
			for _, kv := range attributes.ToSlice() {
				names = append(names, string(kv.Key)) // sorted
			}
			found[m.Name+", "+inPrometheus(t, m.Name, m.Unit, kind)] = strings.Join(names, ", ")
			if m.Description == "" {
				t.Errorf("%s has no description", m.Name)
			}
		}
		if !maps.Equal(found, document) {
			t.Errorf("docs/monitoring.md has\n%v, collected were\n%v", document, found)
		}
	})
}

// describe returns the kind of a metric, as Prometheus sees it, and the attributes of one of its points.
func describe(t *testing.T, m metricdata.Metrics) (otlptranslator.MetricType, attribute.Set) {
	t.Helper()
	switch data := m.Data.(type) {
	case metricdata.Sum[int64]:
		if data.IsMonotonic {
			return otlptranslator.MetricTypeMonotonicCounter, data.DataPoints[0].Attributes
		}
		return otlptranslator.MetricTypeNonMonotonicCounter, data.DataPoints[0].Attributes
	case metricdata.Gauge[float64]:
		return otlptranslator.MetricTypeGauge, data.DataPoints[0].Attributes
	case metricdata.Histogram[float64]:
		return otlptranslator.MetricTypeHistogram, data.DataPoints[0].Attributes
	}
	t.Fatalf("%s is a %T", m.Name, m.Data)
	return 0, attribute.Set{}
}

// inPrometheus returns the name that Prometheus, the Collector and the exporters give an instrument.
func inPrometheus(t *testing.T, name, unit string, kind otlptranslator.MetricType) string {
	t.Helper()
	namer := otlptranslator.MetricNamer{WithMetricSuffixes: true}
	translated, err := namer.Build(otlptranslator.Metric{Name: name, Unit: unit, Type: kind})
	if err != nil {
		t.Fatal(err)
	}
	return translated
}
