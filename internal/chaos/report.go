package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"time"
)

// A sample is what a quiet moment takes.
type sample struct {
	Goroutines uint64 `json:"goroutines"`
	Heap       uint64 `json:"heap"`     // bytes in use
	Resident   uint64 `json:"resident"` // bytes, of the whole process; 0 where the system does not tell
}

// checkSamples says what grows. The heap may do so at first, as buffers and pools fill; what is resident is not judged: the
// runtime gives memory back when it likes.
func checkSamples(samples []sample) []error {
	var goroutines, heap []uint64
	for _, s := range samples {
		goroutines, heap = append(goroutines, s.Goroutines), append(heap, s.Heap)
	}
	return slices.DeleteFunc([]error{flat("goroutines", goroutines, 10), flat("bytes in the heap", heap[min(1, len(heap)):], 4<<20)},
		func(err error) bool { return err == nil })
}

// figures are what a run has come to.
type figures struct {
	Seed     uint64         `json:"seed"`
	Sources  int            `json:"sources"`
	Children int            `json:"children"`
	Seconds  float64        `json:"seconds"`       // in which faults struck
	Total    float64        `json:"total_seconds"` // with the quiet moments
	Faults   int            `json:"faults"`
	Missed   int            `json:"faults_missed"` // no session to strike
	ByName   map[string]int `json:"faults_by_name"`

	Sessions   uint64 `json:"sessions"`
	Reconnects uint64 `json:"reconnects"`
	Processes  int    `json:"processes"`

	Accepted   uint64 `json:"notifications_accepted"`
	Arrived    uint64 `json:"notifications_arrived"`
	Duplicates uint64 `json:"notifications_duplicate"`
	Refused    uint64 `json:"notifications_refused"`
	Retaken    uint64 `json:"notifications_retaken"` // answered with an error, and taken when they came again
	Unknowable uint64 `json:"notifications_unknowable"`
	Lost       uint64 `json:"notifications_lost"`

	Queries           int            `json:"queries"`
	ByOutcome         map[string]int `json:"queries_by_outcome"`
	QueriesRepeated   int            `json:"queries_answered_twice_alike"`
	QueriesUnknowable uint64         `json:"queries_unknowable"` // answered within a second before a break

	Publishes        uint64 `json:"publishes"`
	PublishesHandled uint64 `json:"publishes_handled"`
	PublishesLost    uint64 `json:"publishes_lost_with_links"`

	Samples []sample `json:"samples"`
}

func (c *chaos) figures() *figures {
	f := &figures{
		Seed: c.seed, Sources: len(c.sources), Children: len(c.children), Seconds: c.duration.Seconds(), Total: time.Since(c.began).Seconds(),
		Faults: c.faults.sum(), Missed: c.faults.misses, ByName: c.faults.counts,
		Queries: c.outcomes.sum(), ByOutcome: c.outcomes.counts, Samples: c.samples,
	}
	for _, s := range c.sources {
		stats := s.conn.Stats()
		f.Sessions += stats.Sessions
		f.Reconnects += stats.Reconnects
		f.PublishesHandled += stats.Publishes
	}
	for _, child := range c.children {
		f.Processes += child.lives
	}
	for _, s := range c.bySource {
		f.add(s.ledger)
	}
	return f
}

func (f *figures) add(l *ledger) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.streams {
		accepted, arrived, refused, unknowable := s.count()
		f.Accepted += accepted
		f.Arrived += arrived
		f.Refused += refused
		f.Unknowable += unknowable
		f.Lost += accepted - arrived - refused - unknowable
		f.Duplicates += s.duplicates
		f.Retaken += s.retaken
	}
	f.QueriesRepeated += l.queries.repeated
	f.QueriesUnknowable += l.unknowable
	f.Publishes += l.publishes.sent
	f.PublishesLost += l.publishesLost
}

func (c *chaos) arrivals() (n uint64) {
	var f figures
	for _, s := range c.bySource {
		f.add(s.ledger)
	}
	return f.Arrived
}

func (t *tally) sum() (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, count := range t.counts {
		n += count
	}
	return n
}

// print prints the figures of a run that has come to its end: what was out of order, or answered in two ways, would have
// ended it.
func (f *figures) print(w io.Writer) {
	say(w, "seed %d, %d sources, %d processes of %d connectors with a durable outbox\n", f.Seed, f.Sources, f.Processes, f.Children)
	say(w, "%.0f s with faults, %.0f s in all\n\n", f.Seconds, f.Total)
	say(w, "%9d faults, %.1f a second (%d more found nothing to strike)\n", f.Faults, float64(f.Faults)/f.Seconds, f.Missed)
	for _, name := range slices.Sorted(maps.Keys(f.ByName)) {
		say(w, "%9d   %s\n", f.ByName[name], name)
	}
	say(w, "%9d sessions on %d links\n\n", f.Sessions, f.Reconnects+uint64(f.Sources))
	say(w, "%9d notifications accepted, %d arrived in order, %d lost\n", f.Accepted, f.Arrived, f.Lost)
	say(w, "%9d   duplicates\n%9d   refused by the server\n%9d   answered with an error and taken later\n", f.Duplicates, f.Refused, f.Retaken)
	say(w, "%9d   lost because their acknowledgements were doubled when a link broke\n\n", f.Unknowable)
	say(w, "%9d queries\n", f.Queries)
	outcomes := slices.SortedFunc(maps.Keys(f.ByOutcome), func(a, b string) int { return cmp.Compare(f.ByOutcome[b], f.ByOutcome[a]) })
	for _, outcome := range outcomes {
		say(w, "%9d   %s\n", f.ByOutcome[outcome], outcome)
	}
	say(w, "%9d   answered twice alike\n%9d   answered within a second before a break, and not arrived\n\n", f.QueriesRepeated, f.QueriesUnknowable)
	say(w, "%9d publishes, %d handled in order, %d lost with their links\n\n", f.Publishes, f.PublishesHandled, f.PublishesLost)
	if n := len(f.Samples); n > 0 {
		first, last := f.Samples[0], f.Samples[n-1]
		say(w, "at the first of %d quiet moments: %d goroutines, heap %d KiB, resident %d KiB\n", n, first.Goroutines, first.Heap>>10, first.Resident>>10)
		say(w, "at the last:                     %d goroutines, heap %d KiB, resident %d KiB\n", last.Goroutines, last.Heap>>10, last.Resident>>10)
	}
}

func (f *figures) printJSON(w io.Writer) {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	_ = e.Encode(f) // nobody could be told
}

// resident returns how much memory the system has given to this process, or 0 where it does not tell.
func resident() uint64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := bytes.Cut(text, []byte("VmRSS:"))
	fields := bytes.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	kilobytes, _ := strconv.ParseUint(string(fields[0]), 10, 64)
	return kilobytes << 10
}
