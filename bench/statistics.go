package main

import (
	"math"
	"slices"

	"github.com/vantiq-go/connectorsdk/bench/internal/job"
)

// A spread is what several runs of the same say together.
type spread struct{ Median, Min, Max float64 }

// spreadOf returns the spread of some values; of none, it is not a number.
func spreadOf(values []float64) spread {
	if len(values) == 0 {
		return spread{math.NaN(), math.NaN(), math.NaN()}
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return spread{(sorted[(n-1)/2] + sorted[n/2]) / 2, sorted[0], sorted[n-1]}
}

// A subject is a case with a peer: what has a run in each round.
type subject struct {
	job.Case
	peer string
}

// runs are all runs of a recording.
type runs []run

// subjects returns of what there are runs, in the order of the first ones.
func (all runs) subjects() []subject {
	var subjects []subject
	for _, r := range all {
		if s := (subject{r.Case, r.Peer}); !slices.ContainsFunc(subjects, s.is) {
			subjects = append(subjects, s)
		}
	}
	return subjects
}

func (s subject) is(other subject) bool { return s.Name == other.Name && s.peer == other.peer }

// of returns the runs of a subject.
func (all runs) of(s subject) runs {
	return slices.DeleteFunc(slices.Clone(all), func(r run) bool { return !s.is(subject{r.Case, r.Peer}) })
}

// spread returns the spread of a value.
func (all runs) spread(s subject, value func(run) float64) spread {
	var values []float64
	for _, r := range all.of(s) {
		values = append(values, value(r))
	}
	return spreadOf(values)
}

// ratio returns the spread of the ratio of a value of one subject to that of another in the same round.
func (all runs) ratio(s, to subject, value func(run) float64) spread {
	var ratios []float64
	for _, r := range all.of(s) {
		for _, other := range all.of(to) {
			if other.Round == r.Round {
				ratios = append(ratios, value(r)/value(other))
			}
		}
	}
	return spreadOf(ratios)
}

// perSource returns the spread of what each source takes beyond the first, whose share is that of the case with one source in
// the same round.
func (all runs) perSource(s subject, value func(run) float64) spread {
	var each []float64
	for _, r := range all.of(s) {
		for _, one := range all {
			if one.Round == r.Round && one.Peer == r.Peer && one.Case.Kind == job.Sources && one.Case.Sources == 1 && r.Case.Sources > 1 {
				each = append(each, (value(r)-value(one))/float64(r.Case.Sources-1))
			}
		}
	}
	return spreadOf(each)
}

// brief returns what is most worth telling about a run while others are still to come.
func (r run) brief() string {
	switch r.Case.Kind {
	case job.Sources:
		return duration(configured(r)) + ", " + size(rss(r))
	case job.Restart:
		return duration(back(r))
	case job.Rows:
		return size(rate(r)) + " a second"
	default:
		return number(rate(r)) + " a second"
	}
}
