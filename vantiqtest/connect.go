package vantiqtest

import (
	"time"

	"github.com/vantiq-go/connectorsdk/protocol"
)

// A Connect is a connectExtension that named the source, after authentication.
type Connect struct {
	Time    time.Time
	Link    uint64
	Secret  protocol.Secret       // compare it with ==; it never prints
	Usurped bool                  // accepted, and another link lost its session by it
	Refused *protocol.StatusError // nil if it was accepted
}

// Connects returns the last 4,096 connects, oldest first. Those that a hook or a fault took are not among them.
func (s *Source) Connects() []Connect {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.connects.all()
}

// connect gives l the session, or returns why not.
func (s *Source) connect(l *Link, secret protocol.Secret) *protocol.StatusError {
	usurped, refused := s.begin(l, secret)
	if usurped != nil {
		s.server.event(usurped.eventOf(Event{Kind: Usurped}))
		usurped.Drop(closeUsurped)
	}
	return refused
}

// begin begins a session on l, unless it is refused or l has just been dropped.
func (s *Source) begin(l *Link, secret protocol.Secret) (usurped *Link, refused *protocol.StatusError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := s.link != nil && s.link != l
	refused = s.refusals.next()
	if refused == nil && taken && (secret == "" || secret != s.secret) { // without a secret there is nothing to prove
		refused = statusError(409, "com.accessg2.ag2rs.streams.source.already.connected",
			"The EXTENSION source "+s.name+" (namespace "+namespace+") has a connector already, whose reconnect secret is another")
	}
	s.connects.add(Connect{Time: time.Now(), Link: l.id, Secret: secret, Usurped: taken && refused == nil, Refused: refused})
	if refused != nil {
		return nil, refused
	}
	l.source.Store(s)
	if l.ctx.Err() != nil { // Drop does it the other way round: ends l, then looks for its source
		return nil, nil
	}
	if taken {
		usurped = s.link
		usurped.end() // keep must know at once
	}
	s.link, s.latest, s.secret = l, l, secret
	s.withheld = nil
	s.sessions++
	s.server.event(l.eventOf(Event{Kind: ConnectAccepted}))
	s.server.event(l.eventOf(Event{Kind: Configured, Body: s.config.Raw()}))
	l.writer.send(l.completeConfigureExtension(protocol.AppendConfigureExtension(nil, s.name, s.config))) // first of all: mu keeps everything else waiting
	s.changes.wake()
	return usurped, nil
}

// refusals is what Refuse has ordered.
type refusals struct {
	left   int // negative: for ever
	reason *protocol.StatusError
}

func (r *refusals) next() *protocol.StatusError {
	if r.left == 0 {
		return nil
	}
	if r.left > 0 {
		r.left--
	}
	return r.reason
}

// Refuse makes the server refuse the next n connects to the source with reason, for ever if n is negative, or no more if
// n is 0. It overrides what an earlier Refuse or [Source.Reactivating] has left, and does not touch the session.
func (s *Source) Refuse(n int, reason *protocol.StatusError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusals = refusals{n, reason}
}

// Refusals returns how many connects the server will still refuse because of [Source.Refuse] or [Source.Reactivating];
// negative: all.
func (s *Source) Refusals() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refusals.left
}

// Reactivating makes the server refuse the next n connects to the source as Vantiq does while it redeploys a source, so
// that a connector tries again on the same link.
func (s *Source) Reactivating(n int) {
	s.Refuse(n, statusError(404, "com.accessg2.ag2rs.streams.source.reactivating",
		"The EXTENSION source "+s.name+" (namespace "+namespace+") does not have an associated stream"))
}
