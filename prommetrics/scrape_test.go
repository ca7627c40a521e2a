package prommetrics_test

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/connectorset"
	"github.com/vantiq-go/connectorsdk/connectortest"
	"github.com/vantiq-go/connectorsdk/internal/eventful"
	"github.com/vantiq-go/connectorsdk/prommetrics"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// scrape serves the metrics as a connector does, and returns what Prometheus gets. It works in a bubble.
func scrape(t *testing.T, metrics *prommetrics.Metrics) string {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(metrics)
	network := vantiqtest.NewNetwork()
	server := &http.Server{Handler: promhttp.HandlerFor(registry, promhttp.HandlerOpts{}), ReadHeaderTimeout: time.Second}
	listener, ended := network.Listen(), make(chan error)
	go func() { ended <- server.Serve(listener) }()
	transport := &http.Transport{DialContext: network.DialContext}
	defer func() {
		transport.CloseIdleConnections()
		_ = server.Close()
		<-ended
	}()

	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://connector.test/metrics", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s (%v)", response.Status, text, err)
	}
	return string(text)
}

// samples returns the values in a scrape by names and labels.
func samples(text string) map[string]string {
	found := map[string]string{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if at := strings.LastIndexByte(line, ' '); at > 0 && line[0] != '#' {
			found[line[:at]] = line[at+1:]
		}
	}
	return found
}

func TestWhatHappensIsInTheScrape(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		metrics := prommetrics.New()
		running := eventful.Start(t, metrics)
		if err := running.Set.DeclareHealthy(); err != nil {
			t.Fatal(err)
		}
		found := samples(scrape(t, metrics))
		maps.DeleteFunc(found, func(name, _ string) bool { return strings.HasPrefix(name, "vantiq_connector_handler_") })

		expected := map[string]string{"vantiq_connector_healthy": "1"}
		for name, value := range map[string][2]string{ // of Orders and of Stock, to which nothing happens
			"notifications_accepted_total":     {"28", "0"},
			"notifications_sent_total":         {"15", "0"},
			"notifications_resent_total":       {"4", "0"},
			"notifications_acknowledged_total": {"7", "0"},
			"notifications_refused_total":      {"3", "0"},
			"notifications_dropped_total":      {"8", "0"},
			"outbox_notifications":             {"10", "0"},
			"outbox_used_ratio":                {"1", "0"},
			"outbox_window":                    {"5", "5"},
			"publishes_handled_total":          {"41", "0"},
			"publishes_failed_total":           {"13", "0"},
			"publishes_dropped_total":          {"12", "0"},
			"queries_received_total":           {"23", "0"},
			"queries_open":                     {"6", "0"},
			"answers_interrupted_total":        {"1", "0"},
			"handlers_abandoned_total":         {"11", "0"},
			"sessions_total":                   {"9", "1"},
			"reconnects_total":                 {"2", "0"},
			"connected":                        {"1", "1"},
		} {
			for i, source := range []string{"Orders", "Stock"} {
				expected[fmt.Sprintf("vantiq_connector_%s{source=%q}", name, source)] = value[i]
			}
		}
		for _, source := range []string{"Orders", "Stock"} {
			for _, state := range []string{"idle", "dialing", "authenticating", "connecting", "configuring", "connected", "waiting", "draining", "closed"} {
				expected[fmt.Sprintf("vantiq_connector_state{source=%q,state=%q}", source, state)] = "0"
			}
			expected[fmt.Sprintf("vantiq_connector_state{source=%q,state=%q}", source, "connected")] = "1"
		}
		compare(t, found, expected)
	})
}

// Time is virtual, so that a handler that sleeps 3 seconds takes 3 seconds.
func TestHowLongHandlersTookIsInTheScrape(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		metrics := prommetrics.New()
		eventful.Start(t, metrics)
		found := samples(scrape(t, metrics))
		maps.DeleteFunc(found, func(name, _ string) bool {
			return !strings.HasPrefix(name, "vantiq_connector_handler_") || strings.Contains(name, "_bucket{") && !strings.Contains(name, `outcome="ok",source="Orders",le="2.5"`)
		})
		expected := map[string]string{}
		for labels, value := range map[string][3]string{ // count, seconds, and of outcome ok how many took up to 2.5 s
			`handler="connect",outcome="ok",source="Orders"`:     {"9", "0", "9"},
			`handler="connect",outcome="ok",source="Stock"`:      {"1", "0"},
			`handler="publish",outcome="ok",source="Orders"`:     {"28", "0", "28"},
			`handler="publish",outcome="error",source="Orders"`:  {"13", "0"},
			`handler="query",outcome="ok",source="Orders"`:       {"15", "229", "1"}, // 3 took 3 s, 11 were left behind and took 20 s
			`handler="query",outcome="error",source="Orders"`:    {"1", "0"},
			`handler="query",outcome="later",source="Orders"`:    {"6", "0"},
			`handler="query",outcome="canceled",source="Orders"`: {"1", "2"},
			`handler="close",outcome="ok",source="Orders"`:       {"8", "0", "8"},
		} {
			expected["vantiq_connector_handler_duration_seconds_count{"+labels+"}"] = value[0]
			expected["vantiq_connector_handler_duration_seconds_sum{"+labels+"}"] = value[1]
			if value[2] != "" {
				expected["vantiq_connector_handler_duration_seconds_bucket{"+labels+`,le="2.5"}`] = value[2]
			}
		}
		compare(t, found, expected)
	})
}

func compare(t *testing.T, found, expected map[string]string) {
	t.Helper()
	for name, value := range expected {
		if found[name] != value {
			t.Errorf("%s is %q, not %s", name, found[name], value)
		}
	}
	for name, value := range found {
		if _, ok := expected[name]; !ok {
			t.Errorf("%s is %s and not expected", name, value)
		}
	}
}

// What errors say, and what Vantiq sends, must not become labels: there would be no end of them.
func TestNoErrorTextIsInTheScrape(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		metrics := prommetrics.New()
		eventful.Start(t, metrics)
		text := scrape(t, metrics)
		for _, word := range []string{"disk", "17", "secret", "4711", "no.such.thing"} {
			for name := range samples(text) {
				if strings.Contains(name, word) {
					t.Errorf("%s holds %q", name, word)
				}
			}
		}
	})
}

func TestTheStateIsInTheScrape(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		metrics := prommetrics.New()
		running := connectortest.Start(t, connector.Handlers{}, connectortest.WithSet(connectorset.WithHooks(metrics)))
		check := func(when, state, connected, healthy string) {
			t.Helper()
			found := samples(scrape(t, metrics))
			var states []string
			for name, value := range found {
				if strings.HasPrefix(name, "vantiq_connector_state{") && value == "1" {
					states = append(states, name)
				}
			}
			c, h := found[`vantiq_connector_connected{source="TestSource"}`], found["vantiq_connector_healthy"]
			if fmt.Sprint(states) != `[vantiq_connector_state{source="TestSource",state="`+state+`"}]` || c != connected || h != healthy {
				t.Errorf("%s: %v, connected %s, healthy %s", when, states, c, h)
			}
		}
		check("nothing declared", "connected", "1", "0")
		if err := running.Set.DeclareHealthy(); err != nil {
			t.Fatal(err)
		}
		check("declared healthy", "connected", "1", "1")
		running.Network.Partition()
		time.Sleep(45 * time.Second) // noticed after 28 s at most; a dial then waits for 30 s
		check("the cable is pulled", "dialing", "0", "1")
		running.Network.Heal()
		time.Sleep(time.Minute)
		check("the cable is mended", "connected", "1", "1")
		if err := running.Set.DeclareUnhealthy(); err != nil {
			t.Fatal(err)
		}
		check("declared unhealthy", "connected", "1", "0")
		if err := running.Stop(); err != nil {
			t.Error(err)
		}
		check("stopped", "closed", "0", "0")
	})
}

// A set that is made again, in the same process and with the same metrics, takes the place of the first.
func TestASourceThatIsMadeAgainIsThereOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		metrics := prommetrics.New()
		for range 2 {
			running := connectortest.Start(t, connector.Handlers{}, connectortest.WithSet(connectorset.WithHooks(metrics)))
			if found := samples(scrape(t, metrics)); found[`vantiq_connector_connected{source="TestSource"}`] != "1" {
				t.Errorf("%v", found)
			}
			if err := running.Stop(); err != nil {
				t.Error(err)
			}
		}
	})
}

// A program may have several sets, each with metrics of its own and a label that tells them apart.
func TestTwoSetsInOneRegistry(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	for _, set := range []string{"one", "other"} {
		metrics := prommetrics.New()
		prometheus.WrapRegistererWith(prometheus.Labels{"set": set}, registry).MustRegister(metrics)
		metrics.OnHandled("Orders", "query", time.Second, nil)
	}
	if _, err := registry.Gather(); err != nil {
		t.Error(err)
	}
	if err := registry.Register(prommetrics.New()); err == nil {
		t.Error("a third one without the label was registered")
	}
}

func TestCountingACallAllocatesNothing(t *testing.T) {
	metrics := prommetrics.New()
	failed := fmt.Errorf("wrapped: %w", errors.New("disk full"))
	if n := testing.AllocsPerRun(100, func() { metrics.OnHandled("Orders", "query", time.Millisecond, failed) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
