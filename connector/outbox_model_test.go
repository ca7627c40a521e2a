package connector_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// An outboxModel is what a reader of the documentation expects of notifications: which are in flight, how many may be,
// and what each status settles. Notifications are numbers from 0 on. It knows neither locks nor goroutines, and its only
// clock is now.
type outboxModel struct {
	widest, room int // MaxOutstanding; and OutboxMessages with DropOldest, 0 with Block

	accepted int      // all before it were accepted
	settled  int      // all before it were acknowledged, refused or dropped
	next     int      // the next to be sent on this link
	newest   int      // all before it have been sent on some link
	flights  []flying // what awaits a status, oldest first

	window, credits            int
	sent, resent, acknowledged int
	refused, dropped           []int

	statuses []bool // since the first error status; nil: nothing is in doubt
	heard    time.Time

	arrived  []int  // what the server gets to see
	withheld []bool // the statuses that it owes; true is an error
	refusing int    // so many of the next to arrive get an error
	deaf     bool   // it reads nothing
}

type flying struct {
	n       int
	at      time.Time
	dropped bool
}

func newOutboxModel(widest, room int) *outboxModel {
	return &outboxModel{widest: widest, room: room, window: min(5, widest)}
}

func (m *outboxModel) accept() {
	if m.room > 0 && m.accepted-m.settled == m.room {
		for i := range m.flights {
			if m.flights[i].n == m.settled {
				m.flights[i].dropped = true
			}
		}
		m.dropped = append(m.dropped, m.settled)
		m.settled++
		m.next = max(m.next, m.settled)
	}
	m.accepted++
	m.send(time.Now())
}

// send sends what the window lets through.
func (m *outboxModel) send(now time.Time) {
	for m.statuses == nil && len(m.flights) < m.window && m.next < m.accepted {
		m.flights = append(m.flights, flying{n: m.next, at: now})
		if m.next < m.newest {
			m.resent++
		} else {
			m.sent++
		}
		m.arrive(m.next)
		m.next++
		m.newest = max(m.newest, m.next)
	}
}

func (m *outboxModel) arrive(n int) {
	if m.deaf {
		return
	}
	m.arrived = append(m.arrived, n)
	m.withheld = append(m.withheld, m.refusing > 0)
	m.refusing = max(0, m.refusing-1)
}

// status takes a status; failed says that it is an error.
func (m *outboxModel) status(failed bool) {
	m.heard = time.Now()
	if failed {
		m.window, m.credits = min(5, m.widest), 0
	}
	switch {
	case len(m.flights) == 0: // belongs to nothing
	case failed || m.statuses != nil:
		m.statuses = append(m.statuses, failed)
		if len(m.statuses) == len(m.flights)+m.errors() {
			m.settle() // no more can come
		}
	default:
		m.take(false)
	}
	m.send(m.heard)
}

func (m *outboxModel) errors() (n int) {
	for _, failed := range m.statuses {
		if failed {
			n++
		}
	}
	return n
}

// settle decides what the statuses since the first error meant.
func (m *outboxModel) settle() {
	statuses, errors := m.statuses, m.errors()
	m.statuses = nil
	switch len(statuses) - len(m.flights) {
	case 0: // each is of the notification in its place
		for _, failed := range statuses {
			m.take(failed)
		}
	case errors: // no error is a notification's
		for len(m.flights) > 0 {
			m.take(false)
		}
	default:
		m.flights, m.next = nil, m.settled
	}
}

// take settles the oldest flight.
func (m *outboxModel) take(failed bool) {
	f := m.flights[0]
	m.flights = m.flights[1:]
	switch {
	case f.dropped:
		return
	case failed:
		m.refused = append(m.refused, f.n)
	default:
		m.acknowledged++
		if m.credits++; m.credits == m.window {
			m.window, m.credits = min(2*m.window, m.widest), 0
		}
	}
	m.settled = f.n + 1
}

// pass takes note that time has passed, and reports whether the server's silence has cost the link.
func (m *outboxModel) pass() (lost bool) {
	if due := m.heard.Add(2 * time.Second); m.statuses != nil && !time.Now().Before(due) {
		m.settle()
		m.send(due)
	}
	if m.statuses != nil || len(m.flights) == 0 {
		return false
	}
	since := m.flights[0].at
	if m.heard.After(since) {
		since = m.heard
	}
	return !time.Now().Before(since.Add(10 * time.Second))
}

// begin begins a session with a new claim: whatever was in flight is sent again.
func (m *outboxModel) begin(at time.Time) {
	m.window, m.credits = max(min(5, m.widest), m.window/2), 0
	m.flights, m.statuses, m.next = nil, nil, m.settled
	m.withheld, m.deaf = nil, false
	m.heard = at
	m.send(m.heard)
}

// An outboxRun does to a connector and to its model the same.
type outboxRun struct {
	*bench
	*outboxModel
	sessions int // at the server
	flushes  []*flushing
	receipts []*connector.Receipt // of all that were accepted

	reconfigured bool

	mu      sync.Mutex
	seen    []int     // what has arrived
	told    []int     // what RefusedHook was told
	began   time.Time // when the session did: while the test waits, a lost link may have come back
	unwatch func()
}

// A flushing is a call of Flush.
type flushing struct {
	target, refused int // refused before it
	done            chan error
}

// OnRefused implements connector.RefusedHook.
func (r *outboxRun) OnRefused(_ string, event json.RawMessage, _ *connector.StatusError) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told = append(r.told, numberOf(event))
}

// OnState implements connector.StateHook.
func (r *outboxRun) OnState(_ string, _, now connector.State, _ error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now == connector.Configuring {
		r.began = time.Now()
	}
}

func numberOf(event json.RawMessage) int {
	message := struct{ N int }{-1}
	_ = json.Unmarshal(event, &message)
	return message.N
}

// watch notes every notification that arrives, also those that a fault will strike: so it must be the latest hook.
func (r *outboxRun) watch() {
	if r.unwatch != nil {
		r.unwatch()
	}
	r.unwatch = r.server.Intercept(func(_ *vantiqtest.Link, message protocol.Message) bool {
		if n, ok := message.(*protocol.Notification); ok {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.seen = append(r.seen, numberOf(n.Event.Raw()))
		}
		return false
	})
}

func (r *outboxRun) sendSome(t *rapid.T) {
	for range rapid.IntRange(1, 30).Draw(t, "notifications") {
		r.sendOne()
	}
}

func (r *outboxRun) sendOne() {
	receipt, err := r.conn.SendWithReceipt(r.soon(), object{"n": r.accepted})
	r.must(err)
	r.receipts = append(r.receipts, receipt)
	synctest.Wait()
	r.accept()
}

// release sends some of the statuses that are owed, one by one: whether the writer is quicker than the next status
// makes a difference.
func (r *outboxRun) release(t *rapid.T) {
	for range rapid.IntRange(1, 30).Draw(t, "statuses") {
		if r.source.ReleaseAcknowledgements(1) != min(1, len(r.withheld)) {
			t.Fatalf("the server owes other statuses than %v", r.withheld)
		}
		if len(r.withheld) == 0 {
			return
		}
		synctest.Wait()
		failed := r.withheld[0]
		r.withheld = r.withheld[1:]
		r.status(failed)
	}
}

func (r *outboxRun) refuseNext(*rapid.T) {
	r.refusing++
	r.source.Inject(vantiqtest.Fault{Op: protocol.OpNotification, Answer: `{"status":400,"body":[{"code":"c","message":"m"}]}`})
	r.watch()
}

// strayError is what a server says about something else, as a query response that is too large.
func (r *outboxRun) strayError(*rapid.T) {
	r.must(r.source.SendRaw(`{"status":500}`))
	synctest.Wait()
	r.status(true)
}

func (r *outboxRun) flush(*rapid.T) {
	f := &flushing{target: r.accepted, refused: len(r.refused), done: make(chan error, 1)}
	r.flushes = append(r.flushes, f)
	go func() { f.done <- r.conn.Flush(context.Background()) }()
}

func (r *outboxRun) wait(t *rapid.T) {
	pass(rapid.SampledFrom([]time.Duration{700 * time.Millisecond, 3 * time.Second, 12 * time.Second}).Draw(t, "time"))
	synctest.Wait()
	if r.pass() {
		r.back()
	}
}

// back waits until the connector is back in session.
func (r *outboxRun) back() {
	r.sessions++
	r.session(r.sessions)
	synctest.Wait()
	r.mu.Lock()
	began := r.began
	r.mu.Unlock()
	r.begin(began)
}

func (r *outboxRun) drop(t *rapid.T) {
	r.source.Drop(rapid.SampledFrom([]vantiqtest.Drop{1000, 1012, vantiqtest.FIN, vantiqtest.RST}).Draw(t, "how"))
	r.back()
}

// lose loses the link and all that the window still lets through.
func (r *outboxRun) lose(t *rapid.T) {
	how := rapid.SampledFrom([]vantiqtest.Drop{vantiqtest.FIN, vantiqtest.RST, vantiqtest.Vanish}).Draw(t, "how")
	if how == vantiqtest.Vanish {
		r.source.Drop(how)
	} else {
		r.source.Link().HoldReads(true)
	}
	r.deaf = true
	r.sendSome(t)
	if how != vantiqtest.Vanish {
		r.source.Drop(how)
	} else if r.statuses != nil { // decided by silence before the link's death is noticed
		pass(time.Until(r.heard.Add(2 * time.Second)))
		synctest.Wait()
		r.pass()
	}
	r.back()
}

// reconnect lets the server ask for a new session. What is in flight has a second to land.
func (r *outboxRun) reconnect(*rapid.T) {
	r.source.RequireReconnect()
	if due := r.heard.Add(2 * time.Second); r.statuses != nil && time.Until(due) < time.Second {
		r.settle()
	}
	r.back()
}

// reconfigure sends another configuration in the session: the next one takes over what is in flight.
func (r *outboxRun) reconfigure(t *rapid.T) {
	if r.reconfigured {
		t.Skip("another one would be taken up after a while")
	}
	r.reconfigured = true
	r.must(r.source.SendRaw(`{"op":"configureExtension","object":{"config":{}}}`))
}

func (r *outboxRun) check(t *rapid.T) {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	got := r.conn.Stats()
	want := got
	want.Accepted, want.Acknowledged = uint64(r.accepted), uint64(r.outboxModel.acknowledged)
	want.Refused, want.Dropped = uint64(len(r.refused)), uint64(len(r.dropped))
	want.Sent, want.Resent = uint64(r.sent), uint64(r.resent)
	want.Queued, want.Window = r.accepted-r.settled, r.window
	if got != want {
		t.Fatalf("stats\n%+v, want\n%+v", got, want)
	}
	if !slices.Equal(r.seen, r.arrived) {
		t.Fatalf("arrived %v, want %v", r.seen, r.arrived)
	}
	if !slices.Equal(r.told, r.refused) {
		t.Fatalf("refused %v, want %v", r.told, r.refused)
	}
	r.checkReceipts(t)
	r.flushes = slices.DeleteFunc(r.flushes, func(f *flushing) bool {
		select {
		case err := <-f.done:
			refused := slices.ContainsFunc(r.refused[f.refused:], func(n int) bool { return n < f.target })
			if r.settled < f.target || refused != errors.Is(err, connector.ErrRefused) || !refused && err != nil {
				t.Fatalf("Flush up to %d returned %v when %d were settled and %v refused", f.target, err, r.settled, r.refused)
			}
			return true
		default:
			if r.settled >= f.target {
				t.Fatalf("Flush up to %d has not returned when %d were settled", f.target, r.settled)
			}
			return false
		}
	})
}

// checkReceipts checks that each receipt tells the truth, and no more than is known.
func (r *outboxRun) checkReceipts(t *rapid.T) {
	for n, receipt := range r.receipts {
		settled := false
		select {
		case <-receipt.Done():
			settled = true
		default:
		}
		err := receipt.Err()
		refused, dropped := slices.Contains(r.refused, n), slices.Contains(r.dropped, n)
		if settled != (n < r.settled) || refused != errors.Is(err, connector.ErrRefused) ||
			dropped != errors.Is(err, connector.ErrOutboxFull) || !refused && !dropped && err != nil {
			t.Fatalf("receipt %d: settled %t, %v, when %d were settled, %v refused and %v dropped", n, settled, err, r.settled, r.refused, r.dropped)
		}
	}
}

// finish lets the server acknowledge whatever comes: then everything arrives.
func (r *outboxRun) finish(t *rapid.T) {
	r.source.SetAcknowledgements(vantiqtest.Acknowledgements{})
	if err := r.conn.Flush(r.soon()); err != nil && !errors.Is(err, connector.ErrRefused) {
		t.Fatalf("at last, Flush returned %v; %+v", err, r.conn.Stats())
	}
	for _, f := range r.flushes {
		if err := <-f.done; err != nil && !errors.Is(err, connector.ErrRefused) {
			t.Fatalf("at last, an earlier Flush returned %v", err)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := inOrder(r.seen, r.accepted); err != nil && r.dropped == nil {
		t.Fatal(err)
	}
	s := r.conn.Stats()
	if s.Queued != 0 || s.Accepted != s.Acknowledged+s.Refused+s.Dropped {
		t.Fatalf("at last, stats %+v", s)
	}
}

func TestNotificationsFollowTheirModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rapid.SyncTest(t, func(t *rapid.T) {
			options := connector.Options{MaxOutstanding: rapid.SampledFrom([]int{3, 5, 40, 1024}).Draw(t, "MaxOutstanding")}
			room := rapid.SampledFrom([]int{0, 0, 10, 25}).Draw(t, "DropOldest")
			if room > 0 {
				options.OutboxMessages, options.OutboxFull = room, connector.DropOldest
			}
			r := &outboxRun{outboxModel: newOutboxModel(options.MaxOutstanding, room), sessions: 1}
			options.Hooks = []connector.Hook{r}
			r.bench = setUp(t, nil, options)
			r.watch()
			r.source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
			r.connect(connector.Handlers{})
			r.sendOne() // and it is acknowledged: this server does so
			r.check(t)
			r.release(t)
			t.Repeat(map[string]func(*rapid.T){
				"":            r.check,
				"send":        r.sendSome,
				"release":     r.release,
				"release2":    r.release,
				"refuse next": r.refuseNext,
				"stray error": r.strayError,
				"flush":       r.flush,
				"wait":        r.wait,
				"drop":        r.drop,
				"lose":        r.lose,
				"reconnect":   r.reconnect,
				"reconfigure": r.reconfigure,
			})
			r.finish(t)
		})
	})
}
