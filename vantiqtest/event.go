package vantiqtest

import (
	"encoding/json"
	"sync"
	"time"

	"github.com/vantiq-go/connectorsdk/protocol"
)

// A Kind names what happened. It is a text for people as well.
type Kind string

// Kinds of events. The comments name the fields of [Event] that are set beside Time, Kind and Link, and beside Source,
// which is set from the first accepted connect of a link on.
const (
	LinkOpened           Kind = "link opened"           // the WebSocket is up
	LinkClosed           Kind = "link closed"           // Status: the code of the close frame that came, if any; Err: why, as the reader saw it, or that the server broke the connection off
	UpgradeRefused       Kind = "upgrade refused"       // Status or Err: what was asked for was no WebSocket, or there was an obstacle
	Validated            Kind = "validated"             // the token is valid
	ValidateRejected     Kind = "validate rejected"     // Status, Err
	ConnectAccepted      Kind = "connect accepted"      // followed by Configured
	ConnectRefused       Kind = "connect refused"       // Status, Err; Source as it was asked for
	ConnectIgnored       Kind = "connect ignored"       // Err: it came before authentication
	Usurped              Kind = "usurped"               // Link lost its session to a newcomer with the same secret
	Configured           Kind = "configured"            // Body: the configuration; a session has begun
	ReconnectRequired    Kind = "reconnect required"    // sent; the session has ended
	PublishSent          Kind = "publish sent"          // Body: the message
	QuerySent            Kind = "query sent"            // ReplyAddress; Body: the parameters
	PartialReceived      Kind = "partial received"      // ReplyAddress, Status, Body, Duration since the query
	FinalReceived        Kind = "final received"        // the same, and Err for an error answer
	QueryAbandoned       Kind = "query abandoned"       // ReplyAddress, Duration, Err: its context ended first
	StrayReceived        Kind = "stray response"        // ReplyAddress, Status, Body; Err: why no query waits for it
	NotificationReceived Kind = "notification received" // Body: the event
	StatusSent           Kind = "status sent"           // Status: an acknowledgement, or an error
	PingReceived         Kind = "ping received"
	TooLargeReceived     Kind = "message too large"  // Err: what the server answered
	MalformedReceived    Kind = "malformed message"  // Err; Body: how it begins, see below; it was ignored
	UnexpectedReceived   Kind = "unexpected message" // Err; an operation unknown, or out of place; it was ignored
	OddReceived          Kind = "odd message"        // Err: what Vantiq may refuse; the message itself was taken, and follows
)

// An Event is something that happened at the server. It never holds a valid auth token or the reconnect secret of a session. The Body is valid JSON,
// except for that of a malformed message: 400 bytes of it and an ellipsis, or nil where it may hold one of the two.
type Event struct {
	Time         time.Time
	Kind         Kind
	Link         uint64 // counts the connections that the server accepted, from 1; see [Link.ID]
	Source       string
	ReplyAddress protocol.ReplyAddress
	Status       int
	Body         json.RawMessage // not to be written to
	Duration     time.Duration
	Err          error
}

// An observer passes events on from a goroutine of its own, so that no link waits for it.
type observer struct {
	observe func(Event)
	done    chan struct{}

	mu     sync.Mutex
	queued []Event
	closed bool
	some   sync.Cond // queued is not empty, or closed
}

func newObserver(observe func(Event)) *observer {
	o := &observer{observe: observe, done: make(chan struct{})}
	o.some.L = &o.mu
	go o.run()
	return o
}

func (o *observer) run() {
	defer close(o.done)
	for {
		o.mu.Lock()
		for len(o.queued) == 0 && !o.closed {
			o.some.Wait()
		}
		events := o.queued
		o.queued = nil
		o.mu.Unlock()
		if len(events) == 0 {
			return
		}
		for _, e := range events {
			o.observe(e)
		}
	}
}

func (o *observer) add(e Event) {
	e.Time = time.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.queued = append(o.queued, e)
	o.some.Signal()
}

// close returns when the last event has been observed.
func (o *observer) close() {
	o.mu.Lock()
	o.closed = true
	o.some.Signal()
	o.mu.Unlock()
	<-o.done
}

// observed reports whether anybody watches: what happens a million times a second asks before it builds an event.
func (s *Server) observed() bool { return s.observer != nil }

func (s *Server) event(e Event) {
	if s.observer != nil {
		s.observer.add(e)
	}
}
