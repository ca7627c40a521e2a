package main

import (
	"math"

	"github.com/vantiq-go/connectorsdk/bench/internal/job"
)

// A group is the cases that make one table.
type group struct {
	title   string
	has     func(job.Case) bool
	columns []column
}

// A column is what a table says of each of its subjects.
type column struct {
	head string
	cell func(all runs, s subject) string
}

var groups = []group{
	{"Publish: messages that Vantiq sends", plain(job.Publish), append([]column{
		median("msg/s", rate, number), between(rate, number), to("× raw", job.Raw), to("× json", job.JSON),
	}, costs...)},
	{"Query: answers of one row", plain(job.Query), append([]column{
		median("queries/s", rate, number), between(rate, number), median("p50", p50, duration), median("p99", p99, duration),
		to("× raw", job.Raw), to("× json", job.JSON), {"p50 × raw", func(all runs, s subject) string {
			return decimal(all.ratio(s, subject{s.Case, job.Raw}, p50).Median)
		}},
	}, costs...)},
	{"Notify: messages that Vantiq gets and acknowledges", plain(job.Notify), append([]column{
		median("msg/s", rate, number), between(rate, number), to("× raw", job.Raw), to("× json", job.JSON),
	}, costs...)},
	{"Rows: answers of 100,000 rows", plain(job.Rows), []column{
		median("a second", rate, size), between(rate, size), to("× raw", job.Raw), serverCore, peerCore,
		median("RSS before", rss, size), median("at most", peakRSS, size),
	}},
	{"TLS", func(c job.Case) bool { return c.TLS }, append([]column{
		median("a second", rate, number), between(rate, number), to("× raw", job.Raw),
		{"× without TLS", func(all runs, s subject) string {
			without := s
			without.Name = s.Plain
			return decimal(all.ratio(s, without, rate).Median)
		}},
	}, costs...)},
	{"Sources in one process", plain(job.Sources), []column{
		median("all configured", configured, duration), between(configured, duration), median("RSS", rss, size),
		each("RSS each", rss, size), each("goroutines each", goroutines, decimal), median("idle core", idleShare, percent),
	}},
	{"The server leaves and comes back", plain(job.Restart), []column{
		median("away", func(r run) float64 { return r.Case.Away.Seconds() }, duration),
		median("sources", func(r run) float64 { return float64(r.Case.Sources) }, number),
		median("last one back", back, duration), between(back, duration),
		median("most dials a second", mostAccepts, number),
	}},
}

func plain(k job.Kind) func(job.Case) bool {
	return func(c job.Case) bool { return c.Kind == k && !c.TLS }
}

// Columns of several groups.
var (
	serverCore = median("server core", func(r run) float64 { return r.ServerShare }, percent)
	peerCore   = median("peer core", func(r run) float64 { return r.PeerShare }, percent)
	costs      = []column{serverCore, peerCore, median("mallocs each", mallocsEach, decimal)}
)

// Values of a run; times are in seconds.
func rate(r run) float64        { return r.Rate }
func p50(r run) float64         { return r.P50.Seconds() }
func p99(r run) float64         { return r.P99.Seconds() }
func configured(r run) float64  { return r.Configured.Seconds() }
func back(r run) float64        { return r.Back.Seconds() }
func rss(r run) float64         { return float64(r.RSS) }
func peakRSS(r run) float64     { return float64(r.PeakRSS) }
func mallocsEach(r run) float64 { return known(r.Mallocs) }
func goroutines(r run) float64  { return known(float64(r.Goroutines)) }
func mostAccepts(r run) float64 { return float64(r.MostAccepts) }

func idleShare(r run) float64 {
	if !r.Case.Idle {
		return math.NaN()
	}
	return r.IdleShare
}

// known returns a figure, or not a number for zero: then it was not told.
func known(f float64) float64 {
	if f == 0 {
		return math.NaN()
	}
	return f
}

// median is a column of medians.
func median(head string, of func(run) float64, format func(float64) string) column {
	return column{head, func(all runs, s subject) string { return format(all.spread(s, of).Median) }}
}

// between is a column of what the runs lie between.
func between(of func(run) float64, format func(float64) string) column {
	return column{"min–max", func(all runs, s subject) string {
		values := all.spread(s, of)
		return format(values.Min) + "–" + format(values.Max)
	}}
}

// each is a column of what each source takes beyond the first.
func each(head string, of func(run) float64, format func(float64) string) column {
	return column{head, func(all runs, s subject) string { return format(all.perSource(s, of).Median) }}
}

// to is a column of ratios to another peer's rate.
func to(head, peer string) column {
	return column{head, func(all runs, s subject) string {
		return decimal(all.ratio(s, subject{s.Case, peer}, rate).Median)
	}}
}
