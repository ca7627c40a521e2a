package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/protocol"
)

// A message is what is published, and question what is asked.
type message struct {
	Number uint64 `json:"n"`
}

type question struct {
	Do   string `json:"do"`
	Rows int    `json:"rows"`
	Wait int    `json:"wait"` // milliseconds before the answer
}

type row struct {
	Number int `json:"i"`
	Text   string
}

// A sender numbers what one goroutine sends.
type sender struct {
	stream string
	n      uint64
}

// backlog is how much may wait in an outbox before nothing is added: more would only make all the rest late, on a machine
// that cannot keep up.
const backlog = 300

// send sends the next notification, and counts it only if it was accepted.
func (s *source) send(ctx context.Context, from *sender) error {
	if s.conn.Stats().Queued > backlog {
		return nil
	}
	err := s.conn.SendNotification(ctx, event{from.stream, from.n + 1, padding[:from.n%uint64(len(padding))]})
	if err == nil {
		from.n++
		s.accepted(from.stream, from.n)
	}
	return err
}

var padding = strings.Repeat("0123456789", 30)

var errPlanned = errors.New("chaos: this handler errs on purpose")

// handlers are a connector that checks when it is called, and does to queries what they ask for.
func (s *source) handlers() connector.Handlers {
	var random = &locked{random: random(s.chaos.seed, workloadStream, s.index)}
	publish, background := &sender{stream: "publish"}, &sender{stream: "background"}
	var one sync.Mutex // for the background sender: that of the last session may just be ending
	return connector.Handlers{
		Connect: func(ctx context.Context, c *connector.SourceConnection, config connector.Document) error {
			s.check("connector: Connect "+config.String(), s.session.connect)
			_ = sleep(ctx, time.Duration(random.n(50))*time.Millisecond)
			if !s.chaos.calm.Load() && random.n(10) == 0 {
				return errPlanned
			}
			return c.Go(func(ctx context.Context) error {
				s.check("", func() error { return s.session.start("background work", true) })
				defer s.check("", s.ended)
				one.Lock()
				defer one.Unlock()
				for sleep(ctx, time.Second) == nil && s.valve.pass(ctx) == nil {
					for range 1 + random.n(s.chaos.rate) {
						_ = s.send(ctx, background)
					}
				}
				return nil
			})
		},
		Publish: func(ctx context.Context, c *connector.SourceConnection, document connector.Document) error {
			var m message
			if err := document.Decode(&m); err != nil {
				return err
			}
			s.check("", func() error {
				return errors.Join(s.session.start("Publish", false), s.publishes.handle(m.Number))
			})
			defer s.check("", s.ended)
			switch random.n(20) {
			case 0:
				panic("chaos: this handler panics on purpose")
			case 1:
				return errPlanned
			case 2:
				_ = sleep(ctx, 50*time.Millisecond)
			}
			if s.valve.isOpen() {
				_ = s.send(ctx, publish) // an error is that of ctx
			}
			return nil
		},
		Query: s.answer,
		Close: func(_ context.Context, _ *connector.SourceConnection, cause error) error {
			s.closing(cause)
			_ = sleep(context.Background(), time.Duration(random.n(20))*time.Millisecond)
			s.check("connector: Close returns", func() error {
				s.session.closed()
				return nil
			})
			return nil
		},
	}
}

func (l *ledger) ended() error {
	l.session.end()
	return nil
}

// answer is the Query handler. It does as the query says, and notes when its answer was decided.
func (s *source) answer(ctx context.Context, _ *connector.SourceConnection, q *connector.Query) error {
	s.check("", func() error {
		s.queries.at(q.ReplyAddress()).handled = true
		return s.session.start("Query", false)
	})
	defer s.check("", s.ended)
	earliest := time.Now()
	decided := func(latest time.Time) {
		s.check("", func() error {
			r := s.queries.at(q.ReplyAddress())
			r.earliest, r.latest = earliest, latest
			return nil
		})
	}
	var ask question
	if err := q.Decode(&ask); err != nil {
		return err
	}
	pause := time.Duration(ask.Wait) * time.Millisecond
	if ask.Do == "forget" { // its time limit, counted from its arrival, is the answer
		decided(earliest.Add(queryTimeout + knowable))
		return connector.ErrAnswerLater
	}
	if ask.Do == "later" {
		s.chaos.work.Go(func() {
			_ = sleep(s.chaos.running, pause)
			earliest = time.Now()
			_ = q.Complete(context.Background(), rows(0, ask.Rows))
			decided(time.Now())
		})
		return connector.ErrAnswerLater
	}
	defer func() { decided(time.Now()) }()
	if err := sleep(ctx, pause); err != nil {
		earliest = time.Now()
		return ctx.Err()
	}
	earliest = time.Now()
	switch ask.Do {
	case "partials":
		for i := range ask.Rows {
			if err := q.Partial(ctx, rows(i, 1)); err != nil {
				return err
			}
		}
		return q.Empty(ctx)
	case "rows":
		return connector.Rows(ctx, q, iterate(ask.Rows*50))
	case "twice":
		err := q.Complete(ctx, rows(0, ask.Rows))
		if again := q.Empty(ctx); err == nil && !errors.Is(again, connector.ErrQueryAnswered) {
			s.check("", func() error { return fmt.Errorf("a second final answer returned %w", again) })
		}
		return nil
	case "refuse":
		return q.Fail(ctx, connector.QueryError{Code: "chaos.refused", Template: "{0}", Parameters: []any{1}})
	case "error":
		return errPlanned
	case "panic":
		panic("chaos: this handler panics on purpose")
	case "nothing":
		return nil
	}
	return q.Complete(ctx, rows(0, ask.Rows))
}

// does says what can be asked for, and how many rows are the answer per row asked for, or the code of the error.
var does = []struct {
	do      string
	perRow  int
	code    string
	longest int // milliseconds
}{
	{do: "complete", perRow: 1, longest: 5}, {do: "complete", perRow: 1, longest: 5}, {do: "complete", perRow: 1, longest: 5},
	{do: "partials", perRow: 1, longest: 5}, {do: "rows", perRow: 50, longest: 5}, {do: "twice", perRow: 1, longest: 5},
	{do: "nothing", longest: 50}, {do: "refuse", code: "chaos.refused", longest: 50}, {do: "error", code: connector.CodeHandlerError, longest: 50},
	{do: "panic", code: connector.CodePanic, longest: 5}, {do: "slow", perRow: 1, longest: 1500}, {do: "later", perRow: 1, longest: 1000},
	{do: "forget", code: connector.CodeTimeout, longest: 1},
}

// own are the codes with which the SDK may answer instead of a handler.
var own = []string{connector.CodeTimeout, connector.CodeInterrupted, connector.CodeNotConfigured, connector.CodeBusy}

func rows(from, n int) []row {
	all := make([]row, n)
	for i := range all {
		all[i].Number = from + i
	}
	return all
}

func iterate(n int) iter.Seq2[row, error] {
	return func(yield func(row, error) bool) {
		for i := range n {
			if !yield(row{i, padding[:20]}, nil) {
				return
			}
		}
	}
}

// work starts what goes on at a source all the time: senders, a publisher, and queries.
func (s *source) work(ctx context.Context) {
	loop := func(stream int, mean time.Duration, step func(r *rand.Rand)) {
		r := random(s.chaos.seed, workloadStream*(stream+2), s.index)
		s.chaos.work.Go(func() {
			for sleep(ctx, time.Duration(r.Int64N(int64(2*mean)))) == nil {
				if s.valve.pass(ctx) == nil {
					step(r)
				}
			}
		})
	}
	for i := range 2 {
		from := &sender{stream: fmt.Sprint("sender ", i)}
		loop(i, time.Second, func(r *rand.Rand) {
			for range 1 + r.IntN(s.chaos.rate) {
				_ = s.send(ctx, from)
			}
		})
	}
	loop(2, time.Second/5, func(*rand.Rand) { s.publish(ctx) })
	loop(3, time.Second/3, func(r *rand.Rand) {
		i, n, wait := r.IntN(len(does)), r.IntN(6), r.IntN(1000)
		s.chaos.work.Go(func() { s.query(ctx, i, n, wait) })
	})
}

func (s *source) publish(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if s.at.Publish(ctx, message{s.publishes.sent + 1}) == nil { // only this goroutine writes it
		s.check("", func() error {
			s.publishes.sent++
			return nil
		})
	}
}

// patience is how long a query waits: longer than its time limit, but not for a source that has been gone for long.
const patience = 8 * time.Second

func (s *source) query(ctx context.Context, i, n, wait int) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	s.chaos.asked.Add(1)
	defer s.chaos.asked.Add(-1)
	what, during := does[i], s.stay()
	got, err := s.at.Query(ctx, question{what.do, n, wait % what.longest})
	var failed protocol.QueryError
	var status *protocol.StatusError
	switch {
	case err == nil:
		s.chaos.outcomes.struck("rows")
		s.check("", func() error { return checkRows(what.do, got, what.perRow*n, what.code) })
	case errors.As(err, &failed):
		s.chaos.outcomes.struck(failed.Code)
		if failed.Code != what.code && (!slices.Contains(own, failed.Code) || during.undisturbed()) {
			s.check("", func() error { return fmt.Errorf("the query %q was answered with %w", what.do, err) })
		}
	case errors.As(err, &status):
		s.chaos.outcomes.struck("not connected")
	default:
		s.chaos.outcomes.struck("no answer in time")
		if during.undisturbed() && errors.Is(ctx.Err(), context.DeadlineExceeded) {
			s.check("", func() error {
				return fmt.Errorf("the query %q had no answer for %v, in one session", what.do, patience)
			})
		}
	}
}

// A stay is a time that began in a session, or sessions is 0.
type stay struct {
	source   *source
	began    time.Time
	sessions uint64
}

func (s *source) stay() stay {
	began := stay{source: s, began: time.Now()}
	if sessions := s.conn.Stats().Sessions; s.conn.State() == connector.Connected {
		began.sessions = sessions
	}
	return began
}

// undisturbed reports whether it is the same session still, and the machine was never late.
func (s stay) undisturbed() bool {
	return s.source.conn.Stats().Sessions == s.sessions && s.source.conn.State() == connector.Connected && s.source.lag.worst(s.began, time.Now()) == 0
}

// checkRows says whether an answer is complete.
func checkRows(do string, got []protocol.Document, want int, code string) error {
	if code != "" || len(got) != want {
		return fmt.Errorf("the query %q was answered with %d rows, want %d or error %q", do, len(got), want, code)
	}
	for i, document := range got {
		var r row
		if err := document.Decode(&r); err != nil || r.Number != i {
			return fmt.Errorf("row %d of the answer to %q is %s", i, do, document)
		}
	}
	return nil
}

// locked is a source of random numbers for handlers, which run beside each other.
type locked struct {
	mu     sync.Mutex
	random *rand.Rand
}

func (l *locked) n(n int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.random.IntN(max(1, n))
}
