package vantiqtest

import (
	"sync"
	"time"

	"github.com/vantiq-go/connectorsdk/protocol"
)

// A MessageHook sees a message before the server handles it, and reports whether it has handled it: then neither the
// hooks added earlier nor the server see it. It may answer with [Link.Send], let the server do its part with
// [Link.Handle] and go on after it, or end the link with [Link.Drop]. It runs on the goroutine that reads the link:
// while it blocks, nothing more is read from that link, and it should give up when [Link.Done] is closed. The message is
// valid until it returns; documents, bodies and strings in it stay valid.
type MessageHook func(l *Link, m protocol.Message) (handled bool)

// Intercept lets hook see every message from a connector from now on, before the hooks added earlier, until remove is
// called. Hooks of one link run one after the other, those of several links beside each other.
func (s *Server) Intercept(hook MessageHook) (remove func()) { return s.intercepts.add(hook) }

// OpResponse stands for a response to a query where a [Fault] names operations: on the wire it has none.
const OpResponse = "response"

// A Fault strikes messages from connectors. It lets Skip messages of its kind pass, strikes the next ones, then steps
// aside. Its effects take place in the order of the fields; without one the fault only counts. Several faults may be at
// work; the latest comes first, and one that ignores, answers or drops hides the message from the others.
//
//	Fault{Op: protocol.OpValidate, Ignore: true, Times: -1}               // says nothing to any token
//	Fault{Op: protocol.OpConnectExtension, Statuses: 12}                  // twelve statuses before the configuration
//	Fault{Op: protocol.OpConnectExtension, Drop: 1012, Times: -1}         // closes after each handshake
//	Fault{Op: protocol.OpNotification, Skip: 2, Ignore: true, Drop: FIN}  // cuts before the third notification
//	Fault{Op: protocol.OpNotification, Skip: 4, Answer: `{"status":400}`} // refuses the fifth notification
type Fault struct {
	Op    string // the kind of message: a protocol.Op… constant, or OpResponse. Default: all
	Skip  int    // so many pass first
	Times int    // so many are struck. Default: 1; negative: all

	Delay    time.Duration // waits before anything else; the link's later messages wait behind it
	Statuses int           // sends so many bare 200 first
	Ignore   bool          // the message is forgotten, as if it had never come
	Answer   string        // sends this text, and does nothing else with the message
	Drop     Drop          // ends the link: without Ignore or Answer when the message has been handled
}

// Inject lets fault strike the messages of all links from now on, until it has struck Times messages or remove is called.
func (s *Server) Inject(fault Fault) (remove func()) {
	return s.inject(fault, func(*Link, protocol.Message) bool { return true })
}

// Inject lets fault strike the messages of this source: the connects that name it, and all that its links send after
// their first connect was accepted. See [Server.Inject].
func (s *Source) Inject(fault Fault) (remove func()) {
	return s.server.inject(fault, func(l *Link, m protocol.Message) bool {
		if connect, ok := m.(*protocol.ConnectExtension); ok {
			return connect.Source == s.name
		}
		return l.Source() == s
	})
}

func (s *Server) inject(fault Fault, concerns func(*Link, protocol.Message) bool) (remove func()) {
	if fault.Times == 0 {
		fault.Times = 1
	}
	var mu sync.Mutex
	skip, times := fault.Skip, fault.Times
	strikes := func() bool {
		mu.Lock()
		defer mu.Unlock()
		if skip > 0 {
			skip--
			return false
		}
		if times > 0 {
			times--
			return true
		}
		return times < 0
	}
	return s.Intercept(func(l *Link, m protocol.Message) bool {
		if (fault.Op != "" && fault.Op != opOf(m)) || !concerns(l, m) || !strikes() {
			return false
		}
		return fault.strike(l, m)
	})
}

// strike does to a message what the fault says, and reports whether nobody else is to see it.
func (f *Fault) strike(l *Link, m protocol.Message) (handled bool) {
	if f.Delay > 0 {
		timer := time.NewTimer(f.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-l.Done():
			return true
		}
	}
	for range f.Statuses {
		l.sendStatus(200, acknowledged)
	}
	switch {
	case f.Answer != "":
		l.answer(m, f.Answer)
	case f.Ignore:
	case f.Drop != 0:
		l.Handle(m)
	default:
		return false
	}
	if f.Drop != 0 {
		l.Drop(f.Drop)
	}
	return true
}

// answer sends a text instead of the usual answer. What stands for an acknowledgement keeps its place among them.
func (l *Link) answer(m protocol.Message, text string) {
	switch m.(type) {
	case *protocol.Notification, *protocol.Response:
		status := 0
		if r, err := new(protocol.Decoder).Decode([]byte(text)); err == nil {
			if r, ok := r.(*protocol.Response); ok {
				status = r.Status
			}
		}
		if s := l.Source(); s != nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.settle(l, status, []byte(text))
			return
		}
	}
	l.Send(text)
}

// opOf names the kind of a message as a Fault does.
func opOf(m protocol.Message) string {
	switch m := m.(type) {
	case *protocol.Validate:
		return protocol.OpValidate
	case *protocol.Authenticate:
		return protocol.OpAuthenticate
	case *protocol.ConnectExtension:
		return protocol.OpConnectExtension
	case *protocol.Notification:
		return protocol.OpNotification
	case *protocol.Response:
		return OpResponse
	case *protocol.ConfigureExtension:
		return protocol.OpConfigureExtension
	case *protocol.Publish:
		return protocol.OpPublish
	case *protocol.Query:
		return protocol.OpQuery
	case *protocol.ReconnectRequired:
		return protocol.OpReconnectRequired
	case *protocol.Unknown:
		return m.Op
	}
	return ""
}
