package otelmetrics_test

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/connectorset"
	"github.com/vantiq-go/connectorsdk/connectortest"
	"github.com/vantiq-go/connectorsdk/internal/eventful"
	"github.com/vantiq-go/connectorsdk/otelmetrics"
)

// newMetrics returns metrics, and a function that returns what a provider collects of them.
func newMetrics(t *testing.T) (m *otelmetrics.Metrics, collect func() []metricdata.Metrics) {
	t.Helper()
	reader := sdk.NewManualReader()
	m, err := otelmetrics.New(sdk.NewMeterProvider(sdk.WithReader(reader)))
	if err != nil {
		t.Fatal(err)
	}
	return m, func() []metricdata.Metrics {
		t.Helper()
		var all metricdata.ResourceMetrics
		if err := reader.Collect(t.Context(), &all); err != nil {
			t.Fatal(err)
		}
		if len(all.ScopeMetrics) != 1 || all.ScopeMetrics[0].Scope.Name != "github.com/vantiq-go/connectorsdk/otelmetrics" {
			t.Fatalf("collected %v", all.ScopeMetrics)
		}
		return all.ScopeMetrics[0].Metrics
	}
}

// values returns what was collected by name and attributes; of a histogram the count, the sum and the bucket of 2.5 to 5 s.
func values(t *testing.T, collected []metricdata.Metrics) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, m := range collected {
		name := strings.TrimPrefix(m.Name, "vantiq.connector.")
		put := func(attributes attribute.Set, value any) {
			var text strings.Builder
			for _, kv := range attributes.ToSlice() {
				fmt.Fprintf(&text, " %s=%s", kv.Key, kv.Value.AsString())
			}
			found[name+text.String()] = fmt.Sprint(value)
		}
		switch data := m.Data.(type) {
		case metricdata.Sum[int64]:
			for _, point := range data.DataPoints {
				put(point.Attributes, point.Value)
			}
		case metricdata.Gauge[float64]:
			for _, point := range data.DataPoints {
				put(point.Attributes, point.Value)
			}
		case metricdata.Histogram[float64]:
			for _, point := range data.DataPoints {
				if point.Bounds[10] != 2.5 || point.Bounds[11] != 5 {
					t.Errorf("the bounds are %v", point.Bounds)
				}
				put(point.Attributes, fmt.Sprint(point.Count, " in ", point.Sum, " s, ", point.BucketCounts[11], " in 2.5 to 5 s"))
			}
		default:
			t.Errorf("%s is a %T", m.Name, data)
		}
	}
	return found
}

func TestWhatHappensIsCollected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		metrics, collect := newMetrics(t)
		running := eventful.Start(t, metrics)
		if err := running.Set.DeclareHealthy(); err != nil {
			t.Fatal(err)
		}
		expected := map[string]string{
			"healthy": "1",
			"handler.duration handler=connect outcome=ok source=Orders":     "9 in 0 s, 0 in 2.5 to 5 s",
			"handler.duration handler=connect outcome=ok source=Stock":      "1 in 0 s, 0 in 2.5 to 5 s",
			"handler.duration handler=publish outcome=ok source=Orders":     "28 in 0 s, 0 in 2.5 to 5 s",
			"handler.duration handler=publish outcome=error source=Orders":  "13 in 0 s, 0 in 2.5 to 5 s",
			"handler.duration handler=query outcome=ok source=Orders":       "15 in 229 s, 3 in 2.5 to 5 s",
			"handler.duration handler=query outcome=error source=Orders":    "1 in 0 s, 0 in 2.5 to 5 s",
			"handler.duration handler=query outcome=later source=Orders":    "6 in 0 s, 0 in 2.5 to 5 s",
			"handler.duration handler=query outcome=canceled source=Orders": "1 in 2 s, 0 in 2.5 to 5 s",
			"handler.duration handler=close outcome=ok source=Orders":       "8 in 0 s, 0 in 2.5 to 5 s",
		}
		for name, value := range map[string][2]string{ // of Orders and of Stock, to which nothing happens
			"notifications.accepted":     {"28", "0"},
			"notifications.sent":         {"15", "0"},
			"notifications.resent":       {"4", "0"},
			"notifications.acknowledged": {"7", "0"},
			"notifications.refused":      {"3", "0"},
			"notifications.dropped":      {"8", "0"},
			"outbox.notifications":       {"10", "0"},
			"outbox.used":                {"1", "0"},
			"outbox.window":              {"5", "5"},
			"publishes.handled":          {"41", "0"},
			"publishes.failed":           {"13", "0"},
			"publishes.dropped":          {"12", "0"},
			"queries.received":           {"23", "0"},
			"queries.open":               {"6", "0"},
			"answers.interrupted":        {"1", "0"},
			"handlers.abandoned":         {"11", "0"},
			"sessions":                   {"9", "1"},
			"reconnects":                 {"2", "0"},
			"connected":                  {"1", "1"},
		} {
			expected[name+" source=Orders"], expected[name+" source=Stock"] = value[0], value[1]
		}
		for _, source := range []string{"Orders", "Stock"} {
			for _, state := range []string{"idle", "dialing", "authenticating", "connecting", "configuring", "connected", "waiting", "draining", "closed"} {
				expected["state source="+source+" state="+state] = "0"
			}
			expected["state source="+source+" state=connected"] = "1"
		}
		found := values(t, collect())
		for name, value := range expected {
			if found[name] != value {
				t.Errorf("%s is %q, not %s", name, found[name], value)
			}
		}
		maps.DeleteFunc(found, func(name, _ string) bool { return expected[name] != "" })
		if len(found) > 0 {
			t.Errorf("not expected: %v", found)
		}
	})
}

func TestTheStateIsCollected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		metrics, collect := newMetrics(t)
		running := connectortest.Start(t, connector.Handlers{}, connectortest.WithSet(connectorset.WithHooks(metrics)))
		check := func(when, state, connected, healthy string) {
			t.Helper()
			found := values(t, collect())
			var states []string
			for name, value := range found {
				if strings.HasPrefix(name, "state ") && value == "1" {
					states = append(states, name)
				}
			}
			c, h := found["connected source=TestSource"], found["healthy"]
			if fmt.Sprint(states) != "[state source=TestSource state="+state+"]" || c != connected || h != healthy {
				t.Errorf("%s: %v, connected %s, healthy %s", when, states, c, h)
			}
		}
		check("nothing declared", "connected", "1", "0")
		if err := running.Set.DeclareHealthy(); err != nil {
			t.Fatal(err)
		}
		running.Network.Partition()
		time.Sleep(45 * time.Second) // noticed after 28 s at most; a dial then waits for 30 s
		check("the cable is pulled", "dialing", "0", "1")
		running.Network.Heal()
		time.Sleep(time.Minute)
		check("the cable is mended", "connected", "1", "1")
		if err := running.Stop(); err != nil {
			t.Error(err)
		}
		check("stopped", "closed", "0", "0")
	})
}

func TestCountingACallAllocatesNothing(t *testing.T) {
	metrics, _ := newMetrics(t)
	failed := fmt.Errorf("wrapped: %w", errors.New("disk full"))
	if n := testing.AllocsPerRun(100, func() { metrics.OnHandled("Orders", "query", time.Millisecond, failed) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestAProviderThatRefusesIsReported(t *testing.T) {
	for name, provider := range map[string]metric.MeterProvider{
		"an instrument": refusing{instrument: errors.New("no more instruments")},
		"the callback":  refusing{callback: errors.New("no more callbacks")},
	} {
		if m, err := otelmetrics.New(provider); m != nil || err == nil || !strings.Contains(err.Error(), "no more ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := otelmetrics.New(noop.NewMeterProvider()); err != nil {
		t.Errorf("a provider that does nothing: %v", err)
	}
}

// A refusing provider has meters that do not do everything.
type refusing struct {
	noop.MeterProvider
	instrument, callback error
}

func (r refusing) Meter(string, ...metric.MeterOption) metric.Meter {
	return refusingMeter{instrument: r.instrument, callback: r.callback}
}

type refusingMeter struct {
	noop.Meter
	instrument, callback error
}

func (r refusingMeter) Int64ObservableCounter(string, ...metric.Int64ObservableCounterOption) (metric.Int64ObservableCounter, error) {
	return noop.Int64ObservableCounter{}, r.instrument
}

func (r refusingMeter) RegisterCallback(metric.Callback, ...metric.Observable) (metric.Registration, error) {
	return noop.Registration{}, r.callback
}
