package console

import (
	"net/http"
	"sync"
	"time"

	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// A Traffic keeps what has happened lately at a local Vantiq: pass its Observe to [vantiqtest.WithObserver]. However much
// happens, what it keeps is bounded. Make it with [NewTraffic]. All methods may be called from several goroutines.
type Traffic struct {
	mu      sync.Mutex
	log     log
	sources map[string]*account
	rates   rates
	changes uint64 // grows when something happens that [Console] shows as state
	watches map[*watch]struct{}
	exists  func(source string) bool // nil: not known
}

// NewTraffic returns a Traffic to which nothing has happened.
func NewTraffic() *Traffic {
	return &Traffic{sources: map[string]*account{}, watches: map[*watch]struct{}{}}
}

// An account is what is counted for a source.
type account struct {
	since  time.Time // of the latest session
	totals totals
}

// totals counts since the beginning.
type totals struct {
	Publishes     uint64 `json:"publishes"`
	Queries       uint64 `json:"queries"`
	Answers       uint64 `json:"answers"` // final ones without an error
	Failed        uint64 `json:"failed"`  // queries that ended otherwise
	Notifications uint64 `json:"notifications"`
	Refusals      uint64 `json:"refusals"` // of connects
	Problems      uint64 `json:"problems"` // of all kinds: failed queries and refusals are among them
}

// Observe takes note of an event.
func (t *Traffic) Observe(e vantiqtest.Event) {
	if e.Kind == vantiqtest.UpgradeRefused && e.Status == http.StatusTemporaryRedirect {
		return // by Redirect
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.log.add(e)
	t.changes++
	if e.Source == "" {
		return
	}
	a := t.sources[e.Source]
	if a == nil {
		asked := e.Kind == vantiqtest.ConnectRefused || e.Kind == vantiqtest.ConnectIgnored
		if asked && (t.exists == nil || !t.exists(e.Source)) {
			return // anybody may ask for any name
		}
		a = &account{}
		t.sources[e.Source] = a
	}
	a.count(e)
	t.rates.count(e)
	if e.Kind == vantiqtest.NotificationReceived {
		for w := range t.watches {
			w.offer(e)
		}
	}
}

// know says which sources there are, so that what happens before the first session is counted as well.
func (t *Traffic) know(exists func(source string) bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.exists = exists
}

func (a *account) count(e vantiqtest.Event) {
	switch e.Kind {
	case vantiqtest.Configured:
		a.since = e.Time
	case vantiqtest.PublishSent:
		a.totals.Publishes++
	case vantiqtest.QuerySent:
		a.totals.Queries++
	case vantiqtest.FinalReceived:
		if e.Err != nil {
			a.totals.Failed++
		} else {
			a.totals.Answers++
		}
	case vantiqtest.QueryAbandoned:
		a.totals.Failed++
	case vantiqtest.NotificationReceived:
		a.totals.Notifications++
	case vantiqtest.ConnectRefused:
		a.totals.Refusals++
	}
	if IsProblem(&e) {
		a.totals.Problems++
	}
}

// account returns what is counted for a source, and when its latest session began.
func (t *Traffic) account(source string) account {
	t.mu.Lock()
	defer t.mu.Unlock()
	if a := t.sources[source]; a != nil {
		return *a
	}
	return account{}
}

// changed returns a number that grows whenever something happens.
func (t *Traffic) changed() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.changes
}

// after returns the latest events of those behind number n, oldest first, at most limit of them, and how many it has left
// out. last is the number to go on with.
func (t *Traffic) after(n uint64, limit int) (events []event, skipped, last uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.log.after(n, limit)
}

// find returns the event of that number, unless it is no longer kept.
func (t *Traffic) find(n uint64) (event, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.log.find(n)
}

// ratesAfter returns the rates of the seconds after one, up to now.
func (t *Traffic) ratesAfter(second int64, now time.Time) []rate {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.rates.after(second, now)
}

// watch hands the notifications of these sources, or of all, to a watch, until it is over.
func (t *Traffic) watch(sources []string) (w *watch, over func()) {
	w = newWatch(sources)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.watches[w] = struct{}{}
	return w, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.watches, w)
	}
}
