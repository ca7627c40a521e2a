package vantiqtest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/vantiq-go/connectorsdk/protocol"
)

// namespace is the one in which all sources live.
const namespace = "local"

var errServerClosed = errors.New("the server has been closed")

// A Source is an extension source on the local Vantiq; [Server.Source] makes it. A *session* is what begins with a
// configureExtension and ends with its link or with a reconnectRequired; the source is connected while it has one. All
// methods may be called from several goroutines.
type Source struct {
	server *Server
	name   string

	mu       sync.Mutex
	changes  signal // of link, sessions and inbox
	config   protocol.Document
	link     *Link // of the session; nil while nobody is connected
	latest   *Link // of the session or, without one, of the last
	secret   protocol.Secret
	sessions int
	connects history[Connect]
	refusals refusals

	inbox   []protocol.Document // notifications that nobody has taken
	deliver func(protocol.Document)

	acknowledgements Acknowledgements
	withheld         []withheldStatus

	queries map[protocol.ReplyAddress]*query
	stray   history[StrayResponse]
}

func newSource(s *Server, name string, config protocol.Document) *Source {
	return &Source{server: s, name: name, config: config, queries: map[protocol.ReplyAddress]*query{}}
}

// Name returns the name of the source.
func (s *Source) Name() string { return s.name }

// Config returns the configuration of the source.
func (s *Source) Config() protocol.Document {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.config
}

// Publish sends a message, anything that marshals to a JSON object, to the connector, as PUBLISH does in VAIL. It
// blocks only while the link is busy, until ctx ends. Nil means that the message is on its way; the messages of one
// caller leave in their order. While nobody is connected, Publish fails as in VAIL: with a *protocol.StatusError whose
// code is com.accessg2.ag2rs.streams.source.not_found.
func (s *Source) Publish(ctx context.Context, message any) error {
	document, err := protocol.NewDocument(message)
	if err != nil {
		return fmt.Errorf("vantiqtest: publish to source %s: %w", s.name, err)
	}
	l := s.Link()
	if l == nil {
		return s.notFound("publish")
	}
	var sent func()
	if s.server.observed() {
		sent = func() { s.server.event(l.eventOf(Event{Kind: PublishSent, Body: document.Raw()})) }
	}
	frame := frames.Get().(*[]byte)
	defer frames.Put(frame)
	*frame = l.completePublish(protocol.AppendPublish((*frame)[:0], s.name, document))
	return s.sent("publish", l.writer.sendWithin(ctx, *frame, sent))
}

// frames saves an allocation for each publish.
var frames = sync.Pool{New: func() any { return new([]byte) }}

// sent returns the error of an operation for its caller.
func (s *Source) sent(operation string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errLinkEnded):
		return s.notFound(operation)
	}
	return fmt.Errorf("vantiqtest: %s to source %s waited for room on the link: %w", operation, s.name, err)
}

// notFound is what VAIL gets while nobody is connected.
func (s *Source) notFound(operation string) error {
	return statusError(404, "com.accessg2.ag2rs.streams.source.not_found",
		"The EXTENSION source "+s.name+" (namespace "+namespace+") has no associated session for operation "+operation)
}

// SendRaw sends text, whatever it says, to the connector as one message. It fails as [Source.Publish] does.
func (s *Source) SendRaw(text string) error {
	if l := s.Link(); l != nil && l.writer.send([]byte(text)) {
		return nil
	}
	return s.notFound("raw message")
}

// Link returns the link of the session, or nil while nobody is connected.
func (s *Source) Link() *Link {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.link
}

// Connected reports whether the source has a session.
func (s *Source) Connected() bool { return s.Link() != nil }

// Sessions returns how many sessions the source has had, the present one included.
func (s *Source) Sessions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions
}

// WaitConnected waits until the source has a session. From then on Vantiq sends work, while the connector may still be
// digesting its configuration: a query may be told so.
func (s *Source) WaitConnected(ctx context.Context) error {
	return s.await(ctx, "a connector", func() bool { return s.link != nil })
}

// WaitSession waits until the source's n-th session has begun. It may have ended since.
func (s *Source) WaitSession(ctx context.Context, n int) error {
	return s.await(ctx, fmt.Sprintf("session %d", n), func() bool { return s.sessions >= n })
}

// WaitDisconnected waits until the source has no session.
func (s *Source) WaitDisconnected(ctx context.Context) error {
	return s.await(ctx, "the end of the session", func() bool { return s.link == nil })
}

// await waits until reached, which is called with mu held, returns true.
func (s *Source) await(ctx context.Context, what string, reached func() bool) error {
	for {
		s.mu.Lock()
		if reached() {
			s.mu.Unlock()
			return nil
		}
		changed := s.changes.changed()
		s.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return s.inVain(what, ctx.Err())
		case <-s.server.closing:
			return s.inVain(what, errServerClosed)
		}
	}
}

func (s *Source) inVain(what string, cause error) error {
	return fmt.Errorf("vantiqtest: source %s waited for %s (connected: %t, sessions so far: %d): %w",
		s.name, what, s.Connected(), s.Sessions(), cause)
}

// Reconfigure gives the source a new configuration, as editing it in the IDE does, and so asks the connector to connect
// again. It panics if config cannot be a document. Vantiq usually refuses the first connects then: call
// [Source.Reactivating] before.
func (s *Source) Reconfigure(config any) {
	document := mustDocument(s.name, config)
	s.mu.Lock()
	s.config = document
	s.mu.Unlock()
	s.RequireReconnect()
}

// RequireReconnect ends the session, if there is one, and asks the connector to connect again on the same link.
func (s *Source) RequireReconnect() {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.link
	if l == nil {
		return
	}
	s.link = nil
	s.changes.wake()
	s.server.event(l.eventOf(Event{Kind: ReconnectRequired}))
	l.writer.send(protocol.AppendReconnectRequired(nil, s.name))
}

// Drop ends the link of the session as how says, and reports whether there was one. See [Drop].
func (s *Source) Drop(how Drop) bool {
	l := s.Link()
	if l == nil {
		return false
	}
	l.Drop(how)
	return true
}

// lost ends the session, if it is l's.
func (s *Source) lost(l *Link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.link == l {
		s.link = nil
		s.changes.wake()
	}
}
