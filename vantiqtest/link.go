package vantiqtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"github.com/vantiq-go/connectorsdk/protocol"
)

// A Link is one connection of a connector: first TCP, soon a WebSocket, then dead. It is given to hooks and returned by
// [Source.Link]. Its methods may be called from several goroutines, also when it has ended, except for [Link.Handle].
type Link struct {
	server  *Server
	id      uint64
	address protocol.ReplyAddress // that Vantiq routes by, it seems: a UUID in what it sends, of no use to a connector
	raw     net.Conn              // as accepted, below TLS
	writer  *writer
	source  atomic.Pointer[Source] // that it was last connected to
	agent   atomic.Pointer[string] // nil before the HTTP request

	ctx context.Context // ends with the link, or when the server drops it
	end context.CancelFunc

	reads gate        // shut: nothing that arrives is handled
	mute  atomic.Bool // pings are not answered
	pings pings       // that the server has sent

	mu       sync.Mutex
	upgraded bool
	dropped  bool

	// The following say what the reader is to make of what it reads. They are only ever set.
	cut      atomic.Bool // nothing counts any more
	vanished atomic.Bool // half open

	// These belong to the reader.
	decoder       protocol.Decoder
	buffer        []byte
	authenticated bool
}

func newLink(s *Server, id uint64, raw net.Conn) *Link {
	l := &Link{server: s, id: id, address: newReplyAddress(), raw: raw, writer: newWriter(raw, s.frames)}
	l.ctx, l.end = context.WithCancel(context.Background())
	return l
}

// ID returns the number of the link: the server counts the connections that it accepts, from 1.
func (l *Link) ID() uint64 { return l.id }

// Source returns the source that the link was last connected to, or nil before that.
func (l *Link) Source() *Source { return l.source.Load() }

// RemoteAddr returns where the connection comes from.
func (l *Link) RemoteAddr() net.Addr { return l.raw.RemoteAddr() }

// UserAgent returns what the connector's WebSocket library said of itself in its HTTP request, if anything.
func (l *Link) UserAgent() string {
	if agent := l.agent.Load(); agent != nil {
		return *agent
	}
	return ""
}

// Done returns a channel that is closed when the link has ended or the server has dropped it.
func (l *Link) Done() <-chan struct{} { return l.ctx.Done() }

// Send sends text, whatever it says, as one message. It never blocks and does nothing if the link has ended.
func (l *Link) Send(text string) { l.writer.send([]byte(text)) }

// HoldReads makes the server read nothing more from the link, so that the TCP window fills, or lets it read on. Of what
// was read before nothing more is handled either; even pings and the end of the link go unnoticed.
func (l *Link) HoldReads(hold bool) {
	if !l.vanished.Load() {
		l.reads.shut(hold)
	}
}

// HoldWrites makes the server write nothing more to the link, or write on with what has gathered meanwhile. While it
// holds, Publish and Query block as soon as 256 KiB have gathered.
func (l *Link) HoldWrites(hold bool) { l.writer.hold(hold) }

// HoldPongs makes the server leave pings unanswered for good, or answer those to come.
func (l *Link) HoldPongs(hold bool) { l.mute.Store(hold) }

// serve is the whole life of a link. Its goroutine upgrades the connection, then reads and handles one message after the
// other; a second goroutine runs the writer.
func (l *Link) serve() {
	defer l.close()
	ws, err := l.upgrade()
	if err == nil && !l.open() {
		err = errLinkEnded
	}
	switch {
	case errors.Is(err, errNothingSaid):
		return
	case err != nil:
		refused := Event{Kind: UpgradeRefused, Link: l.id, Err: err}
		var status refusal
		if errors.As(err, &status) {
			refused.Status = int(status)
		}
		l.server.event(refused)
		return
	}
	l.server.event(Event{Kind: LinkOpened, Link: l.id})
	go l.writer.run()
	err = l.read(ws)
	source := l.Source()
	if source != nil {
		source.lost(l)
	}
	l.end()
	l.writer.seal(nil, false)
	if l.isDropped() && errors.Is(err, net.ErrClosed) {
		err = errBrokenOff
	}
	if !l.isDropped() { // else Drop has set the deadline
		_ = l.raw.SetDeadline(time.Now().Add(closePatience)) // for the answer to the connector's close frame
	}
	<-l.writer.done
	closed := Event{Kind: LinkClosed, Err: err}
	var frame *websocket.CloseError
	if errors.As(err, &frame) && frame.Code != websocket.CloseAbnormalClosure { // which stands for the lack of a frame
		closed.Status = frame.Code
	}
	l.server.event(l.eventOf(closed))
}

var errBrokenOff = errors.New("the server broke the connection off")

func (l *Link) isDropped() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dropped
}

// open marks the link as upgraded, unless it has been dropped meanwhile.
func (l *Link) open() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.upgraded = !l.dropped
	return l.upgraded
}

// close lets go of the connection. That of a vanished link stays open as long as the server: its peer must not notice.
func (l *Link) close() {
	l.end()
	if l.vanished.Load() {
		<-l.server.closing
	}
	_ = l.raw.Close()
}

// read handles one message after the other until the link ends, and returns why it did.
func (l *Link) read(ws *websocket.Conn) error {
	ws.SetPingHandler(func(data string) error {
		l.reads.pass(l.Done())
		l.server.event(l.eventOf(Event{Kind: PingReceived}))
		if !l.mute.Load() {
			l.writer.control(websocket.PongMessage, []byte(data))
		}
		return nil
	})
	ws.SetPongHandler(func(payload string) error {
		l.reads.pass(l.Done())
		l.pings.ponged(payload)
		return nil
	})
	ws.SetCloseHandler(func(code int, _ string) error {
		l.reads.pass(l.Done())
		l.writer.seal(websocket.FormatCloseMessage(code, ""), false)
		return nil
	})
	for {
		kind, r, err := ws.NextReader()
		size := 0
		if err == nil {
			size, err = l.readMessage(r)
		}
		l.reads.pass(l.Done())
		switch {
		case err != nil:
			return err
		case l.cut.Load():
		case size > l.server.maxMessage:
			l.refuseSize(kind, size)
		default:
			l.receive(l.buffer)
		}
	}
}

// maxKeptBuffer bounds what a link that is idle holds.
const maxKeptBuffer = 16 << 10

// readMessage reads a message into the link's buffer and returns its size. Of one that is too large it keeps only what
// shows that it is.
func (l *Link) readMessage(r io.Reader) (size int, err error) {
	if cap(l.buffer) > maxKeptBuffer {
		l.buffer = nil
	}
	l.buffer = l.buffer[:0]
	for len(l.buffer) <= l.server.maxMessage {
		l.buffer = slices.Grow(l.buffer, 1) // doubles a full buffer
		n, err := r.Read(l.buffer[len(l.buffer):cap(l.buffer)])
		l.buffer = l.buffer[:len(l.buffer)+n]
		if err == io.EOF {
			return len(l.buffer), nil
		}
		if err != nil {
			return 0, err
		}
	}
	rest, err := io.Copy(io.Discard, r)
	return len(l.buffer) + int(rest), err
}

// refuseSize says what Vantiq says about a message over its limit.
func (l *Link) refuseSize(kind, size int) {
	name := "binary"
	if kind == websocket.TextMessage {
		name = "text"
	}
	e := &protocol.StatusError{Status: 500, Details: []protocol.Detail{{
		Code: "io.vantiq.server.error",
		Message: fmt.Sprintf("Cannot process %s frame of size %d, it would cause message buffer (size 0) "+
			"to overflow max message size of %d", name, size, l.server.maxMessage),
	}}}
	l.server.event(l.eventOf(Event{Kind: TooLargeReceived, Status: e.Status, Err: e}))
	l.sendError(e)
}

func (l *Link) receive(frame []byte) {
	m, err := l.decoder.Decode(frame)
	if err != nil {
		l.malformed(Event{Err: err})
		return
	}
	if l.server.observed() {
		l.tellOddity(m, frame)
	}
	for hook := range l.server.intercepts.all() {
		if hook(l, m) {
			return
		}
	}
	l.Handle(m)
}

// Handle does with a message what the server does with it when no hook takes it. Only a hook may call it, with the link
// that it was given.
func (l *Link) Handle(m protocol.Message) {
	switch m := m.(type) {
	case *protocol.Notification:
		l.notification(m)
	case *protocol.Response:
		l.response(m)
	case *protocol.Validate:
		l.validate(m)
	case *protocol.Authenticate:
		l.authenticate()
	case *protocol.ConnectExtension:
		l.connectExtension(m)
	default:
		l.unexpected(fmt.Errorf("operation %s is not one that a connector sends", opOf(m)))
	}
}

func (l *Link) unexpected(err error) {
	l.server.event(l.eventOf(Event{Kind: UnexpectedReceived, Err: err}))
}

func (l *Link) sendError(e *protocol.StatusError) { l.writer.send(protocol.AppendStatusError(nil, e)) }

// eventOf completes an event with what the link knows.
func (l *Link) eventOf(e Event) Event {
	e.Link = l.id
	if s := l.Source(); s != nil && e.Source == "" {
		e.Source = s.name
	}
	return e
}
