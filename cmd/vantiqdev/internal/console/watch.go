package console

import (
	"slices"
	"sync"

	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// A watch holds notifications for somebody who reads them one after the other. Who reads too slowly misses some, and
// learns how many.
type watch struct {
	sources []string // none: all

	mu      sync.Mutex
	queued  []vantiqtest.Event
	bytes   int
	skipped int
	some    chan struct{} // holds a value while something is queued
}

// maxWatched is how many bytes of notifications wait for a reader.
const maxWatched = 64 << 20

// eventOverhead is about what an event takes beside its body.
const eventOverhead = 200

func newWatch(sources []string) *watch { return &watch{sources: sources, some: make(chan struct{}, 1)} }

func (w *watch) offer(e vantiqtest.Event) {
	if len(w.sources) > 0 && !slices.Contains(w.sources, e.Source) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	size := len(e.Body) + eventOverhead
	if w.bytes+size > maxWatched {
		w.skipped++
		return
	}
	w.queued = append(w.queued, e)
	w.bytes += size
	select {
	case w.some <- struct{}{}:
	default:
	}
}

// take returns what has gathered, and how many did not fit behind it.
func (w *watch) take() (events []vantiqtest.Event, skipped int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	events, skipped = w.queued, w.skipped
	w.queued, w.bytes, w.skipped = nil, 0, 0
	return events, skipped
}
