package vantiqtest

import (
	"time"

	"github.com/vantiq-go/connectorsdk/protocol"
)

// Acknowledgements says how a source acknowledges. The zero value is what Vantiq does: one bare status 200 for each
// notification. The fields may be combined.
type Acknowledgements struct {
	None      bool          // never, as in the test servers of the Python and the Java SDK
	Twice     bool          // every status is sent twice
	Responses bool          // each response to a query, partial or final, is acknowledged as well
	Withheld  bool          // statuses wait, in their order, for ReleaseAcknowledgements or the next SetAcknowledgements
	Delay     time.Duration // each status is late by so much; nothing else is
}

// A withheldStatus is a status that the next release sends.
type withheldStatus struct {
	link   *Link
	status int
	text   []byte
	due    time.Time // zero: not by itself
}

var acknowledged = protocol.AppendStatus(nil, 200)

// SetAcknowledgements changes how the source acknowledges from now on. What was withheld is sent first, unless a is None:
// then it never is.
func (s *Source) SetAcknowledgements(a Acknowledgements) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.acknowledgements = a
	if a.None {
		s.withheld = nil
	}
	if !a.Withheld {
		s.release(len(s.withheld))
	}
}

// ReleaseAcknowledgements sends the oldest n of the statuses that are withheld, or all if n is negative, and returns how
// many it has sent. What was withheld in an earlier session is never sent.
func (s *Source) ReleaseAcknowledgements(n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n < 0 || n > len(s.withheld) {
		n = len(s.withheld)
	}
	s.release(n)
	return n
}

func (s *Source) release(n int) {
	for _, w := range s.withheld[:n] {
		w.link.sendStatus(w.status, w.text)
	}
	s.withheld = s.withheld[n:]
}

// acknowledge acknowledges a notification or a response of l.
func (s *Source) acknowledge(l *Link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.acknowledgements.None {
		s.settle(l, 200, acknowledged)
	}
}

// settle sends the status that stands for a notification or a response. An error keeps its place among the
// acknowledgements: it waits behind those that are withheld.
func (s *Source) settle(l *Link, status int, text []byte) {
	copies := 1
	if s.acknowledgements.Twice {
		copies = 2
	}
	for range copies {
		switch delay := s.acknowledgements.Delay; {
		case s.acknowledgements.Withheld:
			s.withheld = append(s.withheld, withheldStatus{link: l, status: status, text: text})
		case delay > 0:
			s.withheld = append(s.withheld, withheldStatus{l, status, text, time.Now().Add(delay)})
			if len(s.withheld) == 1 {
				time.AfterFunc(delay, s.releaseDue)
			}
		default:
			l.sendStatus(status, text)
		}
	}
}

// releaseDue sends the statuses that are late enough, and comes again for the next one.
func (s *Source) releaseDue() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.withheld) > 0 && !s.withheld[0].due.IsZero() {
		if wait := time.Until(s.withheld[0].due); wait > 0 {
			time.AfterFunc(wait, s.releaseDue)
			return
		}
		s.release(1)
	}
}

// acknowledgesResponses reports whether responses to queries are acknowledged.
func (s *Source) acknowledgesResponses() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.acknowledgements.Responses
}

func (l *Link) sendStatus(status int, text []byte) {
	if l.server.observed() {
		l.server.event(l.eventOf(Event{Kind: StatusSent, Status: status}))
	}
	l.writer.send(text)
}
