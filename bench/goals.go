package main

import (
	"fmt"
	"math"

	"github.com/vantiq-go/connectorsdk/bench/internal/job"
)

// A goal is what the SDK is to reach.
type goal struct {
	caseName string
	what     string
	measured func(all runs) float64 // the median; not a number if there are no runs for it
	bound    float64
	atMost   bool // the bound is the most, not the least
	format   func(float64) string
}

var goals = []goal{
	ratioToRaw("publish-200", job.SDK, 0.35),
	ratioToRaw("publish-2k", job.SDK, 0.35),
	mallocs("publish-200", job.SDK, 1),
	ratioToRaw("query-64", job.SDK, 1),
	{"query-1", "sdk, p50 × raw", func(all runs) float64 {
		return all.ratio(of("query-1", job.SDK), of("query-1", job.Raw), p50).Median
	}, 1.5, true, decimal},
	{"query-16-10ms", "sdk, queries/s", medianOf("query-16-10ms", rate), 1500, false, number},
	ratioToRaw("notify-200", job.SDK, 2),
	ratioToRaw("notify-2k", job.SDK, 1.2),
	ratioToRaw("notify-200", job.SDKVouch, 2),
	ratioToRaw("notify-2k", job.SDKVouch, 1.2),
	ratioToRaw("notify-200", job.SDKStruct, 1),
	ratioToRaw("notify-2k", job.SDKStruct, 0.35),
	ratioToRaw("notify-200", job.SDKCodec, 1),
	ratioToRaw("notify-2k", job.SDKCodec, 0.35),
	mallocs("notify-200", job.SDK, 2),
	ratioToRaw("rows", job.SDK, 0.5),
	ratioToRaw("rows", job.SDKVouch, 0.5),
	{"sources-10000", "sdk, RSS each", eachOf("sources-10000", rss), 10 << 10, true, size},
	{"sources-10000", "sdk, goroutines each", eachOf("sources-10000", goroutines), 2, true, decimal},
	{"sources-10000", "sdk, all configured", medianOf("sources-10000", configured), 3, true, duration},
	{"sources-10000", "sdk, idle share of a core", medianOf("sources-10000", idleShare), 0.03, true, percent},
	{"restart", "sdk, last one back", medianOf("restart", back), 10, true, duration},
	{"restart", "sdk, most dials a second", medianOf("restart", mostAccepts), 2500, true, number},
	{"away", "sdk, last one back", medianOf("away", back), 2, true, duration},
	ratioToPlain("publish-200"), ratioToPlain("publish-2k"), ratioToPlain("query-64"), ratioToPlain("notify-200"),
}

func of(caseName, peer string) subject { return subject{job.Case{Name: caseName}, peer} }

func medianOf(caseName string, value func(run) float64) func(runs) float64 {
	return func(all runs) float64 { return all.spread(of(caseName, job.SDK), value).Median }
}

func eachOf(caseName string, value func(run) float64) func(runs) float64 {
	return func(all runs) float64 { return all.perSource(of(caseName, job.SDK), value).Median }
}

func ratioToRaw(caseName, peer string, bound float64) goal {
	return goal{caseName, peer + " × raw", func(all runs) float64 {
		return all.ratio(of(caseName, peer), of(caseName, job.Raw), rate).Median
	}, bound, false, decimal}
}

func mallocs(caseName, peer string, bound float64) goal {
	return goal{caseName, peer + ", mallocs each", medianOf(caseName, mallocsEach), bound, true, decimal}
}

func ratioToPlain(caseName string) goal {
	return goal{"tls-" + caseName, "sdk × without TLS", func(all runs) float64 {
		return all.ratio(of("tls-"+caseName, job.SDK), of(caseName, job.SDK), rate).Median
	}, 0.5, false, decimal}
}

// part returns how much of a goal is reached: 1 is all of it.
func (g goal) part(all runs) float64 {
	if g.atMost {
		return g.bound / g.measured(all)
	}
	return g.measured(all) / g.bound
}

// goalTable shows the goals of which there are runs.
func goalTable(all runs) (table, bool) {
	t := table{title: "Goals", head: []string{"case", "measure", "median", "goal", "reached"}}
	for _, g := range goals {
		measured := g.measured(all)
		if math.IsNaN(measured) {
			continue
		}
		bound, reached := "≥ "+g.format(g.bound), "no"
		if g.atMost {
			bound = "≤ " + g.format(g.bound)
		}
		if g.part(all) >= 1 {
			reached = "yes"
		}
		t.rows = append(t.rows, []string{g.caseName, g.what, g.format(measured), bound, reached})
	}
	return t, len(t.rows) > 0
}

// String names the goal.
func (g goal) String() string { return fmt.Sprintf("%s: %s", g.caseName, g.what) }
