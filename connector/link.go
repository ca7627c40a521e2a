package connector

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/vantiq-go/connectorsdk/protocol"
)

// A link is one WebSocket, from its upgrade to its death. It never comes back: the source connection dials another.
//
// Two goroutines serve it. The reader lives as long as the link and decodes what comes. The writer owns the write side
// while there is something to write; it is one of the group's workers. A timer, not a goroutine, watches over both.
// Whichever of them fails first says why, by fail; the others then end by themselves, and close waits for them.
type link struct {
	id      uint64
	ws      *websocket.Conn
	conn    *conn
	log     *slog.Logger
	owner   linkOwner
	workers *workers
	redact  func(string) string // for what the server says

	maxInbound   int
	pingInterval time.Duration // not positive: no pings
	pingTimeout  time.Duration

	ctx        context.Context // ends with the link; its cause is what ended it
	cancel     context.CancelCauseFunc
	readerGone chan struct{}
	acked      int // statuses that report a success and were not passed on yet; the reader's own
	writers    sync.WaitGroup
	signal     chan struct{} // holds a token while there are events

	mu      sync.Mutex
	dead    bool
	writing bool     // a writer is running
	again   bool     // there may be something new for it
	control [][]byte // messages of the handshake, to be written before all else
	pong    []byte   // payload of a ping to be answered; nil if there is none
	ping    bool     // a ping is to be sent
	leave   bool     // a close frame is to be sent when all else is written
	serving bool     // configureExtension has come: statuses are acknowledgements
	events  []event

	timer    *time.Timer
	nextTick time.Time
	pings    uint64    // how many were sent; the payload of the last
	pingedAt time.Time // when it was written
	heldAt   time.Time // since when the reader, who alone sets it, waits for room in a queue, or zero: silence then says nothing
}

// A linkOwner is the source connection, as its link sees it.
type linkOwner interface {
	// acknowledged is called by the reader when so many statuses have come that report a success.
	acknowledged(l *link, n int)
	// received is called by the reader with each message that is not part of the handshake. It may block, which holds
	// the peer back; it calls hold and release around that.
	received(l *link, m protocol.Message)
	// published is called by the reader with each publish, which is not decoded. It may block as received does.
	published(l *link, frame []byte)
	// unread is called by the reader when it reads on after it was held up.
	unread(l *link, from, to time.Time)
	// superseded is called by the reader when Vantiq wants a new session: what comes behind is not the old one's.
	superseded(l *link)
	// malformed is called by the reader with what is wrong with a message of so many bytes.
	malformed(err error, bytes int)
	// oversize is called by the reader with what is known of a message that was too large.
	oversize(l *link, o protocol.Oversize)
	// collect adds what is ready to be written to b, and written reports what became of it.
	collect(l *link, b *batch)
	written(l *link, b *batch, err error)
	// ponged is called when a ping that was sent at that time has been answered.
	ponged(l *link, sent time.Time)
	// tick looks after time limits of the owner's and returns when it wants to be called next, or the zero time.
	tick(l *link, now time.Time) time.Time
}

// An event is what the reader has for the goroutine that runs the source connection.
type event struct {
	kind   eventKind
	status int               // of statusCame
	failed *StatusError      // of statusCame if it is 300 or more: its body is not kept
	config protocol.Document // of configured
}

type eventKind int

const (
	statusCame eventKind = iota
	configured
	configMissing
	reconnectAsked
)

// repeats reports whether an event says nothing that the one before it did not.
func (e event) repeats(before event) bool {
	if e.kind != before.kind {
		return false
	}
	return e.kind == reconnectAsked || e.kind == statusCame && e.failed == nil && e.status == before.status
}

// These bound what a server can pile up while nobody attends to its events. Only a broken one does.
const (
	maxEvents     = 64
	maxEventBytes = 32 << 20 // of configurations, unless one alone is larger
)

var (
	errSilent        = errors.New("the server has been silent and has not answered a ping")
	errTooManyEvents = errors.New("the server sends configurations or reconnectRequired faster than they can be followed")
	errLeft          = errors.New("this side closed the link")
)

// start makes a link of a WebSocket that has just been opened.
func (l *link) start(ctx context.Context) {
	l.ctx, l.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	l.readerGone = make(chan struct{})
	l.signal = make(chan struct{}, 1)
	l.conn.waits = l.passOn
	l.ws.SetPingHandler(func(payload string) error {
		l.mu.Lock()
		l.pong = append([]byte{}, payload...)
		l.mu.Unlock()
		l.wake()
		return nil
	})
	l.ws.SetPongHandler(l.gotPong)
	l.ws.SetCloseHandler(func(int, string) error { return nil }) // answered where the read returns
	l.mu.Lock()
	l.timer = time.AfterFunc(time.Hour, l.tick)
	l.mu.Unlock()
	go l.read() // ends with the link; close waits for readerGone
	l.tick()
}

// fail ends the link, unless it has ended: only the first reason counts.
func (l *link) fail(err error) {
	l.mu.Lock()
	first := !l.dead
	l.dead = true
	l.mu.Unlock()
	if first {
		l.timer.Stop()
		l.cancel(err)
		_ = l.conn.Close()
	}
}

// err returns what ended the link, nil while it lives.
func (l *link) err() error { return context.Cause(l.ctx) }

// within returns a context that ends with ctx and with the link, until stop is called.
func (l *link) within(ctx context.Context) (both context.Context, stop func()) {
	both, cancel := context.WithCancelCause(ctx)
	forget := context.AfterFunc(l.ctx, func() { cancel(l.err()) })
	return both, func() {
		forget()
		cancel(nil)
	}
}

// close ends the link without a word and waits until nothing of it runs any more.
func (l *link) close() {
	l.fail(errLeft)
	<-l.readerGone
	l.writers.Wait()
}

// say closes the WebSocket politely: what is ready is written, a close frame goes out, and the peer gets until ctx ends
// to answer it. It then waits until nothing of the link runs any more.
func (l *link) say(ctx context.Context) {
	l.mu.Lock()
	l.leave = true
	l.mu.Unlock()
	l.wake()
	select {
	case <-l.readerGone:
	case <-ctx.Done():
	}
	l.close()
}

// post hands an event to the goroutine that runs the source connection, which attends to it when it can.
func (l *link) post(e event) {
	l.mu.Lock()
	last := len(l.events) - 1
	switch {
	case last >= 0 && e.repeats(l.events[last]):
		// asking twice is asking once, and so with statuses
	case last+1 == maxEvents, last >= 0 && len(e.config.Raw())+l.eventBytes() > maxEventBytes:
		l.mu.Unlock()
		l.fail(errTooManyEvents)
		return
	default:
		l.events = append(l.events, e)
	}
	l.mu.Unlock()
	select {
	case l.signal <- struct{}{}:
	default:
	}
}

func (l *link) eventBytes() (n int) {
	for _, e := range l.events {
		n += len(e.config.Raw())
	}
	return n
}

// next takes an event, if there is one. When there is none, one that comes later puts a token into signal.
func (l *link) next() (event, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.events) == 0 {
		l.events = nil
		return event{}, false
	}
	e := l.events[0]
	l.events = l.events[1:]
	return e, true
}

// await takes the next event, or returns why there will be none: the link has ended, or ctx has.
func (l *link) await(ctx context.Context) (event, error) {
	for {
		if e, ok := l.next(); ok {
			return e, nil
		}
		select {
		case <-l.signal:
		case <-l.ctx.Done():
			if e, ok := l.next(); ok { // what the server said before it hung up counts
				return e, nil
			}
			return event{}, l.err()
		case <-ctx.Done():
			return event{}, context.Cause(ctx)
		}
	}
}

// request begins a handshake step: events of before no longer count, statuses are answers to it, and message goes out.
// Only a rejection of the token counts whenever it comes: a server may send other statuses first.
func (l *link) request(message []byte) {
	l.mu.Lock()
	l.serving = false
	l.events = slices.DeleteFunc(l.events, func(e event) bool {
		return e.kind != statusCame || e.status != http.StatusUnauthorized
	})
	l.control = append(l.control, message)
	l.mu.Unlock()
	l.wake()
}
