package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// A ledger is what is known of one source, from both sides: what happened lately, and whether it may have happened. It
// reports the first thing that may not.
type ledger struct {
	source string
	report func(source string, err error, recent []string)
	lag    *lag

	mu        sync.Mutex
	journal   journal
	queries   queries
	line      line
	streams   map[string]*stream
	publishes publishes
	session   session
	connects  pace
	began     time.Time // when the Connect handler returned
	doubling  bool      // acknowledgements are doubled, or what was has not settled
	newest    string    // of a child: the process whose notifications come

	unknowable, publishesLost uint64 // with their links
}

func newLedger(source string, report func(string, error, []string), lag *lag) *ledger {
	return &ledger{source: source, report: report, lag: lag, line: line{delay: lag.worst}, streams: map[string]*stream{}}
}

// note remembers what happened, and check does so and reports what may not have happened.
func (l *ledger) note(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.journal.add(fmt.Sprintf(format, args...))
}

func (l *ledger) check(happened string, check func() error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if happened != "" {
		l.journal.add(happened)
	}
	if err := check(); err != nil && !isNotYet(err) {
		l.report(l.source, err, l.journal.lines())
	}
}

func (l *ledger) stream(name string) *stream {
	s := l.streams[name]
	if s == nil {
		s = &stream{}
		l.streams[name] = s
	}
	return s
}

// An event is a notification of ours: who sent it, and its number there.
type event struct {
	Stream  string `json:"s"`
	Number  uint64 `json:"n"`
	Padding string `json:"p,omitempty"`
}

func decodeEvent(text json.RawMessage) (e event, err error) {
	if err = json.Unmarshal(text, &e); err == nil && e.Number == 0 {
		err = fmt.Errorf("the server got a notification that nobody sent: %.200s", text)
	}
	return e, err
}

// arrived takes a notification that the server has got.
func (l *ledger) arrived(text json.RawMessage) {
	l.check("", func() error {
		e, err := decodeEvent(text)
		if err != nil {
			return err
		}
		s := l.stream(e.Stream)
		if e.Number > s.arrived && strings.HasPrefix(e.Stream, process) {
			if e.Stream < l.newest { // they are numbered with as many digits
				return fmt.Errorf("notification %d of %s arrived behind those of %s", e.Number, e.Stream, l.newest)
			}
			l.newest = e.Stream
		}
		if err := s.arrive(e.Number); err != nil {
			return fmt.Errorf("sender %s: %w", e.Stream, err)
		}
		return nil
	})
}

// accepted notes that SendNotification has returned nil.
func (l *ledger) accepted(stream string, n uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.stream(stream)
	s.accepted = max(s.accepted, n)
}

// answeredWithError notes that a fault did that to a notification.
func (l *ledger) answeredWithError(text json.RawMessage) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e, err := decodeEvent(text); err == nil {
		l.stream(e.Stream).answer(e.Number)
		l.journal.add(fmt.Sprintf("server: an error for notification %d of %s", e.Number, e.Stream))
	}
}

// OnRefused implements [connector.RefusedHook].
func (l *ledger) OnRefused(_ string, text json.RawMessage, _ *connector.StatusError) {
	l.check("connector: a notification counts as refused", func() error {
		e, err := decodeEvent(text)
		if err != nil {
			return err
		}
		if err := l.stream(e.Stream).refuse(e.Number); err != nil {
			return fmt.Errorf("sender %s: %w", e.Stream, err)
		}
		return nil
	})
}

// OnState implements [connector.StateHook].
func (l *ledger) OnState(_ string, from, to connector.State, cause error) {
	happened := fmt.Sprintf("connector: %v → %v", from, to)
	if cause != nil {
		happened += ": " + cause.Error()
	}
	l.check(happened, func() error {
		now := time.Now()
		switch to {
		case connector.Authenticating, connector.Connecting:
			l.line.linked = true
			l.line.paused(now)
		case connector.Configuring:
			l.line.attached(now)
		case connector.Waiting, connector.Dialing:
			if l.line.linked {
				l.line.broke(now)
				l.doubtStreams()
			}
			l.line.hurt = time.Time{} // what struck between two links hurt none
		}
		return nil
	})
}

// doubtStreams notes that notifications under way counted as acknowledged when their link broke.
func (l *ledger) doubtStreams() {
	if !l.doubling {
		return
	}
	for _, s := range l.streams {
		s.doubt()
	}
}

// OnHandled implements [connector.HandlerHook].
func (l *ledger) OnHandled(_, handler string, _ time.Duration, err error) {
	if handler == "connect" && err == nil {
		l.check("connector: Connect has returned", func() error {
			l.began = time.Now()
			return l.session.connected()
		})
	}
}

// hurt tells that what the link carries may be lost from now on. What it returns tells that the link has recovered, unless
// something else had hurt it before.
func (l *ledger) hurt() (well func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.line.hurt.IsZero() {
		return func() {}
	}
	now := time.Now()
	l.line.hurt = now
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.line.hurt.Equal(now) {
			l.line.hurt = time.Time{}
		}
	}
}

func (l *ledger) setDoubling(on bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.doubling = on
}

const connectSlack = 500 * time.Millisecond

// claimed notes a connectExtension. After a refusal as in a reactivation window the next may come soon. While the link
// is slow, this one may have been sent when that began.
func (l *ledger) claimed(reactivating bool) {
	l.check("server: connectExtension", func() error {
		now := time.Now()
		made, gap := now, time.Second
		if h := l.line.hurt; !h.IsZero() && h.Before(now) {
			made = h
		}
		if reactivating {
			gap = 100 * time.Millisecond
		}
		l.connects.slack = connectSlack + l.lag.worst(now.Add(-10*time.Second), now)
		if err := l.connects.attempt(made, now, gap); err != nil {
			return fmt.Errorf("connectExtension: %w", err)
		}
		return nil
	})
}

// closing is called by the Close handler. After a good session nothing is owed to the pace.
func (l *ledger) closing(cause error) {
	l.check(fmt.Sprintf("connector: Close: %v", cause), func() error {
		if time.Since(l.began) >= goodSession {
			l.connects.due = time.Time{}
		}
		return l.session.close()
	})
}

const goodSession = 30 * time.Second // as the SDK has it

// observe takes what the server tells.
func (l *ledger) observe(e vantiqtest.Event) {
	switch e.Kind {
	case vantiqtest.PublishSent:
		l.check("", func() error {
			var m message
			if err := json.Unmarshal(e.Body, &m); err != nil {
				return err
			}
			l.publishes.leave(e.Link, m.Number)
			return nil
		})
	case vantiqtest.QuerySent:
		l.check("", func() error {
			l.queries.at(e.ReplyAddress)
			return nil
		})
	case vantiqtest.FinalReceived, vantiqtest.StrayReceived:
		if e.Kind == vantiqtest.FinalReceived || e.Status >= 200 {
			l.check("", func() error {
				if r := l.queries.find(e.ReplyAddress); r != nil && !r.latest.IsZero() {
					if left := l.line.leaves(r.latest); left.Before(e.Time) && l.line.hurt.IsZero() {
						l.lag.took(e.Time, e.Time.Sub(left))
					}
				}
				return l.queries.answered(e.ReplyAddress, fmt.Sprintf("%d %s", e.Status, e.Body), e.Link)
			})
		}
	case vantiqtest.NotificationReceived, vantiqtest.StatusSent, vantiqtest.PartialReceived, vantiqtest.PingReceived, vantiqtest.QueryAbandoned:
	default:
		l.note("server: link %d: %s %v", e.Link, e.Kind, e.Err)
	}
}

// delivered returns nil when all notifications have arrived.
func (l *ledger) delivered() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, s := range l.streams {
		if err := s.settled(); err != nil {
			return fmt.Errorf("sender %s: %w", name, err)
		}
	}
	return nil
}

// settled returns nil when all is known and as it should be.
func (l *ledger) settled(present uint64) error {
	if err := l.delivered(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := l.queries.unanswered(&l.line); err != nil {
		return err
	}
	_, err := l.publishes.settled(present)
	return err
}

// turn forgets what need not be remembered once all is settled.
func (l *ledger) turn() {
	l.mu.Lock()
	defer l.mu.Unlock()
	unanswered, _ := l.queries.unanswered(&l.line)
	lost, _ := l.publishes.settled(0)
	l.unknowable += uint64(unanswered)
	l.publishesLost += uint64(lost)
	l.queries.turn()
	l.publishes.turn()
	l.line.turn()
}

// A journal remembers the latest events of a source.
type journal struct {
	entries [200]string
	n       int
}

func (j *journal) add(text string) {
	j.entries[j.n%len(j.entries)] = clock(time.Now()) + " " + text
	j.n++
}

func (j *journal) lines() (lines []string) {
	for i := max(0, j.n-len(j.entries)); i < j.n; i++ {
		lines = append(lines, j.entries[i%len(j.entries)])
	}
	return lines
}

// A journalist is a [slog.Handler] that writes the SDK's log into a source's journal.
type journalist struct{ ledger *ledger }

func (j journalist) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }

func (j journalist) Handle(_ context.Context, r slog.Record) error {
	text := "log: " + r.Message
	r.Attrs(func(a slog.Attr) bool {
		if a.Key != "stack" {
			text += " " + a.String()
		}
		return true
	})
	if !strings.Contains(text, "chaos: ") { // the handlers' own errors would fill it
		j.ledger.note("%.300s", text)
	}
	return nil
}

func (j journalist) WithAttrs([]slog.Attr) slog.Handler { return j }
func (j journalist) WithGroup(string) slog.Handler      { return j }
