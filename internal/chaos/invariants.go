package main

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/vantiq-go/connectorsdk/protocol"
)

// The invariants. Each is a small record of what happened that returns an error as soon as a history is impossible, and
// where that can be known only later, when asked. None of them locks, looks at a clock or knows of faults, so that a
// test can feed it a wrong history. A notYet is an error that time may mend.

type notYet struct{ error }

func waiting(format string, args ...any) error { return notYet{fmt.Errorf(format, args...)} }

func isNotYet(err error) bool { return errors.As(err, new(notYet)) }

// --- 1. No query got two different final answers, and each that reached a handler got one.

// queries are those of one source, by reply address. What is settled is kept for one more turn, for answers that come late.
type queries struct {
	open, before map[protocol.ReplyAddress]*query
	repeated     int // final answers that came again as they were, on another link
}

type query struct {
	handled          bool
	earliest, latest time.Time // when its final answer was decided, as far as is known
	final            string    // as the server got it; "" if it did not
	link             uint64    // on which
}

// find returns what is known of a query, or nil; at begins with it.
func (q *queries) find(address protocol.ReplyAddress) *query {
	if r := q.open[address]; r != nil {
		return r
	}
	return q.before[address]
}

func (q *queries) at(address protocol.ReplyAddress) *query {
	r := q.find(address)
	if r == nil {
		r = &query{}
		if q.open == nil {
			q.open = map[protocol.ReplyAddress]*query{}
		}
		q.open[address] = r
	}
	return r
}

func (q *queries) answered(address protocol.ReplyAddress, final string, link uint64) error {
	r := q.find(address)
	switch {
	case r == nil:
		return fmt.Errorf("a final answer came to %s, to which nothing was asked: %s", address, final)
	case r.final == "":
		r.final, r.link = final, link
	case r.link == link:
		return fmt.Errorf("query %s had two final answers on link %d: %s and %s", address, link, r.final, final)
	case r.final == final:
		q.repeated++
	default:
		return fmt.Errorf("query %s had two different final answers: %s and %s", address, r.final, final)
	}
	return nil
}

// unanswered returns how many queries reached a handler and had no answer because that may have been lost with a link,
// and an error if there is another one.
func (q *queries) unanswered(l *line) (lost int, err error) {
	for address, r := range q.open {
		switch {
		case !r.handled || r.final != "":
		case r.latest.IsZero():
			return 0, waiting("the handler of query %s has not decided its answer", address)
		case l.unknowable(r.earliest, r.latest):
			lost++
		default:
			return 0, waiting("query %s reached a handler, was answered there between %s and %s, and got no final answer",
				address, clock(r.earliest), clock(r.latest))
		}
	}
	return lost, nil
}

func (q *queries) turn() { q.open, q.before = nil, q.open }

// A line is what is known of the links of a source: when answers could leave, and when what had left may have been lost.
type line struct {
	linked bool
	hurt   time.Time                              // since when what the present link carries may be lost; zero: it is well
	spells []spell                                // in which answers leave
	delay  func(from, to time.Time) time.Duration // how late the machine may have made things; nil: not at all
	breaks []spell                                // in which, up to a second before, what left may have been lost
}

type spell struct{ from, to time.Time } // to is zero while it lasts

const (
	knowable   = time.Second     // what left so long before a break has arrived
	hurtsUntil = 8 * time.Second // longer than any hurt can take to break a link
)

func (l *line) attached(now time.Time) {
	l.paused(now)
	l.spells = append(l.spells, spell{from: now})
}

func (l *line) paused(now time.Time) {
	if n := len(l.spells); n > 0 && l.spells[n-1].to.IsZero() {
		l.spells[n-1].to = now
	}
}

// broke notes that the connector has given up a link.
func (l *line) broke(now time.Time) {
	l.paused(now)
	from := now
	if !l.hurt.IsZero() && now.Sub(l.hurt) < hurtsUntil {
		from = l.hurt
	}
	l.breaks = append(l.breaks, spell{from.Add(-knowable), now})
	l.linked, l.hurt = false, time.Time{}
}

// unknowable reports whether an answer decided between earliest and latest may have left within a second before a break.
func (l *line) unknowable(earliest, latest time.Time) bool {
	from, to := l.leaves(earliest), l.leaves(latest)
	return slices.ContainsFunc(l.breaks, func(b spell) bool {
		if l.delay != nil {
			b.from = b.from.Add(-l.delay(b.from, b.to))
		}
		return !from.After(b.to) && !to.Before(b.from)
	})
}

// leaves returns when an answer left that was decided then: at once, or with the next session.
func (l *line) leaves(decided time.Time) time.Time {
	for _, s := range l.spells {
		switch {
		case decided.Before(s.from):
			return s.from
		case s.to.IsZero() || !decided.After(s.to):
			return decided
		}
	}
	return decided.Add(time.Hour) // it has not
}

func (l *line) turn() {
	l.spells, l.breaks = l.spells[max(0, len(l.spells)-1):], nil
}

// --- 2. Every accepted notification arrived, in order after removing duplicates.

// A stream is what one goroutine sends: numbered from 1.
type stream struct {
	accepted, arrived   uint64            // the newest
	duplicates, retaken uint64            // retaken: answered with an error and taken when they came again
	skipped             uint64            // may be lost, and did not arrive before a later one
	answered            map[uint64]*erred // with an error, by a fault
	doubtful            []reach           // may be lost: acknowledged twice, and then the link broke
}

type erred struct {
	told bool // the connector counts it as refused
	had  bool // it had arrived before
}

type reach struct{ from, to uint64 }

func (s *stream) arrive(n uint64) error {
	e := s.answered[n]
	switch {
	case e != nil && e.told:
		return fmt.Errorf("notification %d was sent again after it was refused", n)
	case e != nil && !e.had:
		delete(s.answered, n)
		s.retaken++
	case n <= s.arrived && !s.mayBeLost(n):
		s.duplicates++
	}
	for missing := s.arrived + 1; missing < n; missing++ {
		switch {
		case s.answered[missing] != nil:
		case s.mayBeLost(missing):
			s.skipped++
		default:
			return fmt.Errorf("notification %d arrived before %d: lost or out of order", n, missing)
		}
	}
	s.arrived = max(s.arrived, n)
	return nil
}

// answer notes that a fault has answered n with an error.
func (s *stream) answer(n uint64) {
	if s.answered == nil {
		s.answered = map[uint64]*erred{}
	}
	if s.answered[n] == nil {
		s.answered[n] = &erred{had: n <= s.arrived}
	}
}

// refuse notes that the connector counts n as refused.
func (s *stream) refuse(n uint64) error {
	e := s.answered[n]
	switch {
	case e == nil:
		return fmt.Errorf("notification %d counts as refused, but was not answered with an error", n)
	case e.told:
		return fmt.Errorf("notification %d was refused twice", n)
	}
	e.told = true
	return nil
}

// doubt notes that acknowledgements were doubled when a link broke: what was under way counted as acknowledged.
func (s *stream) doubt() {
	s.doubtful = append(s.doubtful, reach{s.arrived + 1, s.accepted + 1})
}

func (s *stream) mayBeLost(n uint64) bool {
	return slices.ContainsFunc(s.doubtful, func(r reach) bool { return n >= r.from && n <= r.to })
}

func (s *stream) settled() error {
	for n := s.arrived + 1; n <= s.accepted; n++ {
		if e := s.answered[n]; (e == nil || !e.told) && !s.mayBeLost(n) {
			return waiting("notification %d of %d accepted has not arrived", n, s.accepted)
		}
	}
	for n, e := range s.answered {
		if !e.told && !e.had {
			return waiting("notification %d was answered with an error, and neither counts as refused nor came again", n)
		}
	}
	return nil
}

// count returns how many were accepted, have arrived, count as refused, and may be lost. The rest has not arrived yet.
func (s *stream) count() (accepted, arrived, refused, unknowable uint64) {
	accepted = max(s.accepted, s.arrived) // a process that was killed may not have said all
	arrived, unknowable = s.arrived-s.skipped, s.skipped
	for n, e := range s.answered {
		if !e.had && n <= s.arrived {
			arrived--
		}
		if !e.had && e.told {
			refused++
		}
	}
	for n := s.arrived + 1; n <= accepted; n++ {
		if s.mayBeLost(n) && s.answered[n] == nil {
			unknowable++
		}
	}
	return accepted, arrived, refused, unknowable
}

// --- 3. Publishes are handled in order, none twice, and none is lost that its link has not taken along.

// publishes are numbered as they are sent.
type publishes struct {
	sent, seen, handled uint64              // published; noticed by link; the newest handled
	of                  map[uint64][]uint64 // by link
	done                map[uint64]bool
}

func (p *publishes) leave(link, n uint64) {
	if p.of == nil {
		p.of = map[uint64][]uint64{}
	}
	p.of[link] = append(p.of[link], n)
	p.seen++
}

func (p *publishes) handle(n uint64) error {
	if n <= p.handled {
		return fmt.Errorf("publish %d was handled after %d: twice or out of order", n, p.handled)
	}
	if p.done == nil {
		p.done = map[uint64]bool{}
	}
	p.handled, p.done[n] = n, true
	return nil
}

// settled returns how many publishes were lost with their links. Of what a link carried a connector must have handled
// the beginning, and all if it is the present link.
func (p *publishes) settled(present uint64) (lost int, err error) {
	if p.seen < p.sent {
		return 0, waiting("%d of %d publishes were noticed", p.seen, p.sent)
	}
	for link, numbers := range p.of {
		missing := uint64(0)
		for _, n := range numbers {
			switch {
			case p.done[n] && missing > 0:
				return 0, fmt.Errorf("publish %d was handled and %d before it on link %d was not", n, missing, link)
			case p.done[n]:
			case link == present:
				return 0, waiting("publish %d on link %d, which lives, was not handled", n, link)
			default:
				missing = n
				lost++
			}
		}
	}
	return lost, nil
}

func (p *publishes) turn() { p.of, p.done = nil, nil }

// --- 4. No handler runs outside its session; Connect and Close pair up.

type session struct {
	state            sessionState
	running          int
	connects, closes uint64
}

type sessionState string

const (
	closed     sessionState = "closed"
	connecting sessionState = "in Connect"
	open       sessionState = "open"
	closing    sessionState = "in Close"
)

func (s *session) is(what string, allowed ...sessionState) error {
	if s.state == "" {
		s.state = closed
	}
	if !slices.Contains(allowed, s.state) {
		return fmt.Errorf("%s while the session is %s", what, s.state)
	}
	return nil
}

func (s *session) connect() error {
	err := s.is("Connect was called", closed, connecting)
	s.state = connecting
	return err
}

func (s *session) connected() error {
	err := s.is("Connect returned", connecting)
	s.state = open
	s.connects++
	return err
}

func (s *session) start(handler string, background bool) error {
	s.running++
	if background { // work started by Connect
		return s.is(handler+" started", open, connecting)
	}
	return s.is(handler+" started", open)
}

func (s *session) end() { s.running-- }

func (s *session) close() error {
	err := s.is("Close was called", open)
	if s.running > 0 && err == nil {
		err = fmt.Errorf("Close was called while %d handlers were running", s.running)
	}
	s.state = closing
	s.closes++
	return err
}

func (s *session) closed() { s.state = closed }

// ended is asked after Run has returned.
func (s *session) ended() error {
	if err := s.is("Run returned", closed, connecting); err != nil {
		return err
	}
	if s.connects != s.closes {
		return fmt.Errorf("Connect returned nil %d times, Close was called %d times", s.connects, s.closes)
	}
	return nil
}

// --- 5. Attempts keep their distance.

// A pace bounds how often something happens: over any number of times, the gaps are as wide as demanded on the average,
// but for a slack, as what is seen here may be later than it was done.
type pace struct {
	slack time.Duration
	due   time.Time
}

// attempt was seen at seen and made no earlier than made; the next may come after gap.
func (p *pace) attempt(made, seen time.Time, gap time.Duration) error {
	early := p.due.Sub(seen)
	if p.due.Before(made) {
		p.due = made
	}
	p.due = p.due.Add(gap)
	if early > p.slack {
		return fmt.Errorf("an attempt came %v early", early.Round(time.Millisecond))
	}
	return nil
}

// --- 6. Memory and goroutines stay flat.

// flat says that values grow if the least of the last third is above the greatest of the first third by more than the
// slack.
func flat(what string, values []uint64, slack uint64) error {
	if len(values) < 2 {
		return nil
	}
	third := max(1, len(values)/3)
	before, after := slices.Max(values[:third]), slices.Min(values[len(values)-third:])
	if after > before+slack {
		return fmt.Errorf("%s grow: from at most %d in the first third of the run to at least %d in the last: %d", what, before, after, values)
	}
	return nil
}

func clock(t time.Time) string { return t.Format("15:04:05.000") }
