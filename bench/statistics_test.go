package main

import (
	"math"
	"testing"

	"github.com/vantiq-go/connectorsdk/bench/internal/job"
)

func TestSpread(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   spread
	}{
		{[]float64{3}, spread{3, 3, 3}},
		{[]float64{5, 1, 3}, spread{3, 1, 5}},
		{[]float64{4, 1, 2, 9}, spread{3, 1, 9}},
	} {
		if got := spreadOf(c.values); got != c.want {
			t.Errorf("%v: %v, want %v", c.values, got, c.want)
		}
	}
	if none := spreadOf(nil); !math.IsNaN(none.Median) {
		t.Errorf("of none: %v", none)
	}
}

// example is two rounds, the second one in a slow minute.
func example() runs {
	publish := job.Case{Name: "publish-200", Kind: job.Publish, Size: 200, Sources: 1}
	tls := job.Case{Name: "tls-publish-200", Kind: job.Publish, Size: 200, Sources: 1, TLS: true, Plain: "publish-200"}
	query := job.Case{Name: "query-1", Kind: job.Query, Outstanding: 1, Sources: 1}
	rows := job.Case{Name: "rows", Kind: job.Rows, Rows: 100_000, Size: 200, Sources: 1}
	one := job.Case{Name: "sources-1", Kind: job.Sources, Sources: 1}
	many := job.Case{Name: "sources-10000", Kind: job.Sources, Sources: 10_000, Idle: true}
	away := job.Case{Name: "away", Kind: job.Restart, Sources: 200, Away: 6e9}
	var all runs
	for round, speed := range []float64{1, 0.5} {
		add := func(c job.Case, peer string, r run) {
			r.Round, r.Case, r.Peer = round+1, c, peer
			all = append(all, r)
		}
		rate := func(f float64) job.Result { return job.Result{Rate: f * speed} }
		add(publish, job.Raw, run{Result: rate(5e6), ServerShare: 0.4, PeerShare: 1, Mallocs: 1})
		add(publish, job.JSON, run{Result: rate(1e5), ServerShare: 0.01, PeerShare: 1, Mallocs: 92})
		add(publish, job.SDK, run{Result: rate(2e6), ServerShare: 0.1, PeerShare: 1.05, Mallocs: 1})
		add(publish, job.Python, run{Result: rate(5e4), ServerShare: 0.01, PeerShare: 1})
		add(tls, job.SDK, run{Result: rate(1.5e6), ServerShare: 0.2, PeerShare: 1, Mallocs: 1})
		add(query, job.Raw, run{Result: job.Result{Rate: 58_000, P50: 14_000, P99: 50_000}})
		add(query, job.SDK, run{Result: job.Result{Rate: 30_000, P50: 28_000, P99: 1_500_000}})
		add(rows, job.Raw, run{Result: rate(2 << 30), RSS: 10 << 20, PeakRSS: 12 << 20})
		add(rows, job.SDK, run{Result: rate(1 << 30), RSS: 11 << 20, PeakRSS: 13 << 20})
		add(one, job.SDK, run{Result: job.Result{Configured: 1e6}, RSS: 11 << 20, Goroutines: 7})
		add(many, job.SDK, run{Result: job.Result{Configured: 2.5e9}, RSS: 11<<20 + 9999*8<<10, Goroutines: 10_000, IdleShare: 0.02})
		add(away, job.SDK, run{Result: job.Result{Back: 1.2e9, MostAccepts: 150}})
	}
	return all
}

func TestRatiosAreOfTheSameRound(t *testing.T) {
	all := example()
	if got := all.ratio(of("publish-200", job.SDK), of("publish-200", job.Raw), rate); got != (spread{0.4, 0.4, 0.4}) {
		t.Errorf("%v: a slow round must not count", got)
	}
	if got := all.spread(of("publish-200", job.SDK), rate); got != (spread{1.5e6, 1e6, 2e6}) {
		t.Error(got)
	}
	if got := all.ratio(of("publish-200", job.SDK), of("query-64", job.Raw), rate); !math.IsNaN(got.Median) {
		t.Errorf("%v, without any run to compare with", got)
	}
}

func TestMemoryPerSourceIsBeyondTheFirst(t *testing.T) {
	if got := example().perSource(of("sources-10000", job.SDK), rss); got.Median != 8<<10 {
		t.Errorf("%v, want 8 KiB", got)
	}
	if got := example().perSource(of("sources-1", job.SDK), rss); !math.IsNaN(got.Median) {
		t.Errorf("%v of one source", got)
	}
}

func TestGoals(t *testing.T) {
	want := map[string]string{
		"publish-200: sdk × raw":                   "yes",
		"publish-200: sdk, mallocs each":           "yes",
		"query-1: sdk, p50 × raw":                  "no",
		"rows: sdk × raw":                          "yes",
		"sources-10000: sdk, RSS each":             "yes",
		"sources-10000: sdk, goroutines each":      "yes",
		"sources-10000: sdk, all configured":       "yes",
		"sources-10000: sdk, idle share of a core": "yes",
		"away: sdk, last one back":                 "yes",
		"tls-publish-200: sdk × without TLS":       "yes",
	}
	table, ok := goalTable(example())
	if !ok || len(table.rows) != len(want) {
		t.Errorf("%d goals, want %d", len(table.rows), len(want))
	}
	for _, row := range table.rows {
		if name := row[0] + ": " + row[1]; row[4] != want[name] {
			t.Errorf("%s: %s, %s: %q, want %q", name, row[2], row[3], row[4], want[name])
		}
	}
	if _, ok := goalTable(nil); ok {
		t.Error("there are goals without runs")
	}
}
