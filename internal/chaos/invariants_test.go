package main

import (
	"strings"
	"testing"
	"time"

	"github.com/vantiq-go/connectorsdk/protocol"
)

// A history is fed to a checker: the last step must be the one that it objects to, with these words.
type history struct {
	name  string
	steps []func() error
	wrong string // "" if nothing is
}

func (h history) check(t *testing.T) {
	t.Helper()
	t.Run(h.name, func(t *testing.T) {
		t.Helper()
		for i, step := range h.steps {
			err := step()
			last := i == len(h.steps)-1
			switch {
			case err != nil && (!last || h.wrong == ""):
				t.Fatalf("step %d: %v", i+1, err)
			case last && h.wrong != "" && (err == nil || !strings.Contains(err.Error(), h.wrong)):
				t.Fatalf("the last step returned %v, want %q", err, h.wrong)
			}
		}
	})
}

func quietly(f func()) func() error {
	return func() error {
		f()
		return nil
	}
}

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func at(seconds float64) time.Time { return noon.Add(time.Duration(seconds * float64(time.Second))) }

func TestQueriesHaveOneFinalAnswer(t *testing.T) {
	const a = protocol.ReplyAddress("a")
	type world struct {
		queries
		line
	}
	asked := func(w *world) func() error { return quietly(func() { w.queries.at(a) }) }
	on := func(w *world, link uint64, final string) func() error {
		return func() error { return w.answered(a, final, link) }
	}
	answered := func(w *world, final string) func() error { return on(w, 1, final) }
	handled := func(w *world, from, to float64) func() error {
		return quietly(func() {
			w.queries.at(a).handled = true
			if to > 0 {
				w.queries.at(a).earliest, w.queries.at(a).latest = at(from), at(to)
			}
		})
	}
	linked := func(w *world, attached, broke, again float64) func() error {
		return quietly(func() {
			w.attached(at(attached))
			if broke > 0 {
				w.broke(at(broke))
			}
			if again > 0 {
				w.attached(at(again))
			}
		})
	}
	unanswered := func(w *world, want int) func() error {
		return func() error {
			lost, err := w.queries.unanswered(&w.line)
			if err == nil && lost != want {
				t.Errorf("%d answers may be lost, want %d", lost, want)
			}
			return err
		}
	}
	rows := []func(w *world) history{
		func(w *world) history {
			return history{"one", []func() error{asked(w), handled(w, 1, 1), answered(w, "200"), unanswered(w, 0)}, ""}
		},
		func(w *world) history {
			return history{"the same on the next link", []func() error{asked(w), on(w, 1, "200"), on(w, 2, "200")}, ""}
		},
		func(w *world) history {
			return history{"the same twice", []func() error{asked(w), answered(w, "200"), answered(w, "200")}, "two final answers on link 1"}
		},
		func(w *world) history {
			return history{"two", []func() error{asked(w), on(w, 1, "200"), on(w, 2, "400")}, "two different final answers"}
		},
		func(w *world) history {
			return history{"two, the second late", []func() error{asked(w), on(w, 1, "200"), quietly(w.queries.turn), on(w, 2, "400")}, "two different final answers"}
		},
		func(w *world) history {
			return history{"unasked", []func() error{answered(w, "200")}, "nothing was asked"}
		},
		func(w *world) history {
			return history{"none, the link lives", []func() error{asked(w), linked(w, 0, 0, 0), handled(w, 1, 1), unanswered(w, 0)}, "got no final answer"}
		},
		func(w *world) history {
			return history{"none, decided long before the break", []func() error{asked(w), linked(w, 0, 5, 6), handled(w, 3.9, 3.9), unanswered(w, 0)}, "got no final answer"}
		},
		func(w *world) history {
			return history{"none, decided just before the break", []func() error{asked(w), linked(w, 0, 5, 6), handled(w, 4.1, 4.1), unanswered(w, 1)}, ""}
		},
		func(w *world) history {
			return history{"none, decided after the break", []func() error{asked(w), linked(w, 0, 5, 6), handled(w, 5.1, 5.1), unanswered(w, 0)}, "got no final answer"}
		},
		func(w *world) history {
			return history{"none, decided after the break, and the next link broke at once", []func() error{
				asked(w), linked(w, 0, 5, 6), linked(w, 6, 6.5, 0), handled(w, 5.1, 5.1), unanswered(w, 1)}, ""}
		},
		func(w *world) history {
			return history{"none, decided while the server was deaf", []func() error{asked(w), quietly(func() { w.hurt = at(2) }),
				linked(w, 0, 5, 6), handled(w, 1.5, 1.5), unanswered(w, 1)}, ""}
		},
		func(w *world) history {
			return history{"undecided", []func() error{asked(w), handled(w, 0, 0), unanswered(w, 0)}, "has not decided"}
		},
		func(w *world) history {
			return history{"it never reached a handler", []func() error{asked(w), unanswered(w, 0)}, ""}
		},
	}
	for _, row := range rows {
		row(&world{}).check(t)
	}
}

func TestNotificationsArriveAllAndInOrder(t *testing.T) {
	arrive := func(s *stream, n ...uint64) func() error {
		return func() error {
			for _, n := range n {
				if err := s.arrive(n); err != nil {
					return err
				}
			}
			return nil
		}
	}
	accept := func(s *stream, n uint64) func() error { return quietly(func() { s.accepted = n }) }
	answer := func(s *stream, n uint64) func() error { return quietly(func() { s.answer(n) }) }
	refuse := func(s *stream, n uint64) func() error { return func() error { return s.refuse(n) } }
	settled := func(s *stream) func() error { return s.settled }
	count := func(s *stream, want [4]uint64) func() error {
		return quietly(func() {
			accepted, arrived, refused, unknowable := s.count()
			if got := [4]uint64{accepted, arrived, refused, unknowable}; got != want {
				t.Errorf("counted %v, want %v", got, want)
			}
		})
	}
	rows := []func(s *stream) history{
		func(s *stream) history {
			return history{"in order", []func() error{accept(s, 3), arrive(s, 1, 2, 3), settled(s), count(s, [4]uint64{3, 3, 0, 0})}, ""}
		},
		func(s *stream) history {
			return history{"duplicates", []func() error{accept(s, 3), arrive(s, 1, 2, 1, 2, 3), settled(s), count(s, [4]uint64{3, 3, 0, 0})}, ""}
		},
		func(s *stream) history {
			return history{"a gap", []func() error{arrive(s, 1), arrive(s, 3)}, "3 arrived before 2"}
		},
		func(s *stream) history {
			return history{"the end is missing", []func() error{accept(s, 3), arrive(s, 1, 2), settled(s)}, "3 of 3 accepted has not arrived"}
		},
		func(s *stream) history {
			return history{"refused", []func() error{accept(s, 3), arrive(s, 1), answer(s, 2), arrive(s, 3), refuse(s, 2), settled(s), count(s, [4]uint64{3, 2, 1, 0})}, ""}
		},
		func(s *stream) history {
			return history{"the last refused", []func() error{accept(s, 2), arrive(s, 1), answer(s, 2), refuse(s, 2), settled(s), count(s, [4]uint64{2, 1, 1, 0})}, ""}
		},
		func(s *stream) history {
			return history{"an error, and taken when it came again", []func() error{accept(s, 3), arrive(s, 1), answer(s, 2), arrive(s, 3, 2, 3), settled(s), count(s, [4]uint64{3, 3, 0, 0})}, ""}
		},
		func(s *stream) history {
			return history{"an error, and nothing more", []func() error{accept(s, 3), arrive(s, 1), answer(s, 2), arrive(s, 3), settled(s)}, "neither counts as refused nor came again"}
		},
		func(s *stream) history {
			return history{"an error for a duplicate", []func() error{accept(s, 2), arrive(s, 1, 2), answer(s, 2), refuse(s, 2), settled(s), count(s, [4]uint64{2, 2, 0, 0})}, ""}
		},
		func(s *stream) history {
			return history{"the wrong one refused", []func() error{accept(s, 3), arrive(s, 1), answer(s, 2), arrive(s, 3), refuse(s, 3)}, "was not answered with an error"}
		},
		func(s *stream) history {
			return history{"refused and sent again", []func() error{accept(s, 3), arrive(s, 1), answer(s, 2), refuse(s, 2), arrive(s, 2)}, "sent again after it was refused"}
		},
		func(s *stream) history {
			return history{"acknowledged twice before a break", []func() error{accept(s, 3), arrive(s, 1), quietly(s.doubt), accept(s, 6), arrive(s, 4, 5, 6), settled(s), count(s, [4]uint64{6, 4, 0, 2})}, ""}
		},
		func(s *stream) history {
			return history{"lost long after that", []func() error{accept(s, 3), arrive(s, 1), quietly(s.doubt), accept(s, 9), arrive(s, 2, 3, 4, 5), arrive(s, 7)}, "7 arrived before 6"}
		},
	}
	for _, row := range rows {
		row(&stream{}).check(t)
	}
}

func TestPublishesAreHandledInOrder(t *testing.T) {
	send := func(p *publishes, link uint64, numbers ...uint64) func() error {
		return quietly(func() {
			for _, n := range numbers {
				p.sent++
				p.leave(link, n)
			}
		})
	}
	handle := func(p *publishes, numbers ...uint64) func() error {
		return func() error {
			for _, n := range numbers {
				if err := p.handle(n); err != nil {
					return err
				}
			}
			return nil
		}
	}
	settled := func(p *publishes, present uint64, want int) func() error {
		return func() error {
			lost, err := p.settled(present)
			if err == nil && lost != want {
				t.Errorf("%d were lost, want %d", lost, want)
			}
			return err
		}
	}
	rows := []func(p *publishes) history{
		func(p *publishes) history {
			return history{"in order", []func() error{send(p, 1, 1, 2, 3), handle(p, 1, 2, 3), settled(p, 1, 0)}, ""}
		},
		func(p *publishes) history {
			return history{"twice", []func() error{send(p, 1, 1, 2), handle(p, 1, 2), handle(p, 2)}, "twice or out of order"}
		},
		func(p *publishes) history {
			return history{"out of order", []func() error{send(p, 1, 1, 2), handle(p, 2), handle(p, 1)}, "twice or out of order"}
		},
		func(p *publishes) history {
			return history{"the end lost with the link", []func() error{send(p, 1, 1, 2, 3), send(p, 2, 4), handle(p, 1, 4), settled(p, 2, 2)}, ""}
		},
		func(p *publishes) history {
			return history{"lost in the middle of a link that broke", []func() error{send(p, 1, 1, 2, 3), send(p, 2, 4), handle(p, 1, 3, 4), settled(p, 2, 0)}, "3 was handled and 2 before it"}
		},
		func(p *publishes) history {
			return history{"lost on a link that lives", []func() error{send(p, 1, 1, 2, 3), handle(p, 1, 2), settled(p, 1, 0)}, "publish 3 on link 1"}
		},
		func(p *publishes) history {
			return history{"not noticed yet", []func() error{quietly(func() { p.sent++ }), settled(p, 1, 0)}, "0 of 1"}
		},
	}
	for _, row := range rows {
		row(&publishes{}).check(t)
	}
}

func TestHandlersKeepToTheirSession(t *testing.T) {
	publish := func(s *session) func() error { return func() error { return s.start("Publish", false) } }
	background := func(s *session) func() error { return func() error { return s.start("work", true) } }
	rows := []func(s *session) history{
		func(s *session) history {
			return history{"two sessions", []func() error{s.connect, background(s), s.connected, publish(s), quietly(s.end), quietly(s.end), s.close, quietly(s.closed),
				s.connect, s.connect, s.connected, s.close, quietly(s.closed), s.ended}, ""}
		},
		func(s *session) history {
			return history{"a handler without Connect", []func() error{publish(s)}, "Publish started while the session is closed"}
		},
		func(s *session) history {
			return history{"a handler before Connect returned", []func() error{s.connect, publish(s)}, "while the session is in Connect"}
		},
		func(s *session) history {
			return history{"a handler in Close", []func() error{s.connect, s.connected, s.close, publish(s)}, "while the session is in Close"}
		},
		func(s *session) history {
			return history{"Close during a handler", []func() error{s.connect, s.connected, publish(s), s.close}, "1 handlers were running"}
		},
		func(s *session) history {
			return history{"Close twice", []func() error{s.connect, s.connected, s.close, quietly(s.closed), s.close}, "Close was called while the session is closed"}
		},
		func(s *session) history {
			return history{"Close for a Connect that erred", []func() error{s.connect, s.close}, "Close was called while the session is in Connect"}
		},
		func(s *session) history {
			return history{"Connect without Close", []func() error{s.connect, s.connected, s.connect}, "Connect was called while the session is open"}
		},
		func(s *session) history {
			return history{"Connect during Close", []func() error{s.connect, s.connected, s.close, s.connect}, "Connect was called while the session is in Close"}
		},
		func(s *session) history {
			return history{"the end without Close", []func() error{s.connect, s.connected, s.ended}, "Run returned while the session is open"}
		},
	}
	for _, row := range rows {
		row(&session{}).check(t)
	}
}

func TestAttemptsKeepTheirDistance(t *testing.T) {
	attempts := func(p *pace, made ...float64) func() error {
		return func() error {
			for _, seconds := range made {
				if err := p.attempt(at(seconds), at(seconds), time.Second); err != nil {
					return err
				}
			}
			return nil
		}
	}
	rows := []func(p *pace) history{
		func(p *pace) history {
			return history{"a second apart", []func() error{attempts(p, 0, 1, 2, 9, 10)}, ""}
		},
		func(p *pace) history {
			return history{"one was seen late", []func() error{attempts(p, 0, 1.4, 2, 3)}, ""}
		},
		func(p *pace) history { return history{"at once", []func() error{attempts(p, 0, 0.3)}, "early"} },
		func(p *pace) history {
			return history{"a little too often, again and again", []func() error{attempts(p, 0, 0.8, 1.6), attempts(p, 2.4)}, "early"}
		},
		func(p *pace) history {
			return history{"on a link that was slow", []func() error{
				func() error { return p.attempt(at(0), at(2), time.Second) }, attempts(p, 2.1)}, ""}
		},
	}
	for _, row := range rows {
		row(&pace{slack: 500 * time.Millisecond}).check(t)
	}
}

func TestWhatGrowsIsFound(t *testing.T) {
	for name, row := range map[string]struct {
		values []uint64
		grows  bool
	}{
		"flat":            {[]uint64{100, 101, 100, 99, 100, 100}, false},
		"up and down":     {[]uint64{100, 180, 100, 190, 100, 180}, false},
		"straight growth": {[]uint64{100, 110, 120, 130, 140, 150}, true},
		"a step":          {[]uint64{100, 100, 100, 130, 130, 130}, true},
		"in a minute":     {[]uint64{100, 130, 160}, true},
		"too few to tell": {[]uint64{100}, false},
	} {
		if err := flat("values", row.values, 10); (err != nil) != row.grows {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestASlowMachineWidensWhatNobodyCanKnow(t *testing.T) {
	var l lag
	l.took(at(5.5), 300*time.Millisecond)
	l.took(at(5.6), tolerable/2)
	l.took(at(60), time.Second)
	if worst := l.worst(at(4), at(5)); worst != 600*time.Millisecond {
		t.Errorf("things were %v late", worst)
	}
	links := line{delay: l.worst}
	links.attached(at(0))
	links.broke(at(5))
	if !links.unknowable(at(3.5), at(3.5)) || links.unknowable(at(3.3), at(3.3)) {
		t.Error("1.6 seconds before the break are unknowable, no more")
	}
}
