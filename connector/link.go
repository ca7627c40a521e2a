package connector

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/vantiq-go/connectorsdk/protocol"
)

// A link is one WebSocket, from its upgrade to its death. It never comes back: the source connection dials another.
//
// Two goroutines serve it. The reader lives as long as the link and decodes what comes. The writer owns the write side
// and lives only while there is something to write. A timer, not a goroutine, watches over both. Whichever of them
// fails first says why, by fail; the others then end by themselves, and close waits for them.
type link struct {
	id    uint64
	ws    *websocket.Conn
	conn  *conn
	log   *slog.Logger
	owner linkOwner

	maxInbound   int
	pingInterval time.Duration // not positive: no pings
	pingTimeout  time.Duration

	ctx        context.Context // ends with the link; its cause is what ended it
	cancel     context.CancelCauseFunc
	readerGone chan struct{}
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
	held     bool      // the reader waits for room in a queue: silence then says nothing
}

// A linkOwner is the source connection, as its link sees it.
type linkOwner interface {
	// received is called by the reader with each message that is not part of the handshake. It may block, which holds
	// the peer back; it calls hold around that.
	received(l *link, m protocol.Message)
	// superseded is called by the reader when Vantiq wants a new session: what comes behind is not the old one's.
	superseded(l *link)
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
	status *protocol.Response // of statusCame
	config protocol.Document  // of configured
}

type eventKind int

const (
	statusCame eventKind = iota
	configured
	configMissing
	reconnectAsked
)

// maxEvents bounds what a server can pile up while nobody attends to its events. Only a broken one does.
const maxEvents = 64

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

// --- the reader

func (l *link) read() {
	defer close(l.readerGone)
	var decoder protocol.Decoder
	for {
		_, r, err := l.ws.NextReader()
		if err == nil {
			err = l.readMessage(&decoder, r)
		}
		if err != nil {
			l.answerClose(err)
			l.fail(explainEnd(err))
			return
		}
	}
}

var frames = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// maxPooledFrame keeps one large message from pinning its memory for ever.
const maxPooledFrame = 256 << 10

// readMessage reads one message and passes it on. An error is one of the link; a bad message is none.
func (l *link) readMessage(decoder *protocol.Decoder, r io.Reader) error {
	buffer := frames.Get().(*bytes.Buffer)
	defer func() {
		if buffer.Cap() <= maxPooledFrame {
			buffer.Reset()
			frames.Put(buffer)
		}
	}()
	if _, err := buffer.ReadFrom(io.LimitReader(r, int64(l.maxInbound)+1)); err != nil {
		return err
	}
	if buffer.Len() > l.maxInbound {
		found, err := protocol.ScanOversize(io.MultiReader(buffer, r))
		if err != nil {
			return err
		}
		l.owner.oversize(l, found)
		return nil
	}
	message, err := decoder.Decode(buffer.Bytes())
	if err != nil {
		l.log.Warn("a malformed message was skipped", "bytes", buffer.Len(), "error", err)
		return nil
	}
	l.dispatch(message)
	return nil
}

// dispatch sorts messages: what drives the life of the connection becomes an event, everything else goes to the owner.
func (l *link) dispatch(message protocol.Message) {
	switch m := message.(type) {
	case *protocol.Response:
		if l.isServing() {
			l.owner.received(l, m)
			return
		}
		status := *m
		l.post(event{kind: statusCame, status: &status})
	case *protocol.ConfigureExtension:
		if !m.HasConfig {
			l.post(event{kind: configMissing})
			return
		}
		l.setServing(true)
		l.owner.superseded(l)
		l.post(event{kind: configured, config: m.Config})
	case *protocol.ReconnectRequired:
		l.owner.superseded(l)
		l.post(event{kind: reconnectAsked})
	default:
		l.owner.received(l, m)
	}
}

// answerClose returns the close frame of a server that closes, as it waits for it.
func (l *link) answerClose(err error) {
	var closed *websocket.CloseError
	if !errors.As(err, &closed) || closed.Code == websocket.CloseAbnormalClosure {
		return
	}
	const patience = time.Second
	l.conn.hurry(patience) // a writer that is stuck must not keep the answer back for longer
	_ = l.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(closed.Code, ""), time.Now().Add(patience))
	_ = l.conn.flush()
}

func explainEnd(err error) error {
	var closed *websocket.CloseError
	switch {
	case !errors.As(err, &closed):
		return fmt.Errorf("the link was lost: %w", err)
	case closed.Code == websocket.CloseAbnormalClosure:
		return errors.New("the link was lost: the server dropped it without a close frame")
	case closed.Code == websocket.CloseNoStatusReceived:
		return errors.New("the server closed the link without a reason")
	}
	return fmt.Errorf("the server closed the link: %d %s", closed.Code, closed.Text)
}

func (l *link) setServing(serving bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.serving = serving
}

func (l *link) isServing() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.serving
}

// hold tells that the reader has begun or ceased to wait for room: meanwhile the peer's silence means nothing.
func (l *link) hold(held bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held = held
	if !held {
		l.conn.heardNow()
	}
}

func (l *link) isHeld() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held
}

// --- events

// post hands an event to the goroutine that runs the source connection, which attends to it when it can.
func (l *link) post(e event) {
	l.mu.Lock()
	last := len(l.events) - 1
	switch {
	case e.kind == reconnectAsked && last >= 0 && l.events[last].kind == reconnectAsked:
		// asking twice is asking once
	case last+1 == maxEvents:
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
		return e.kind != statusCame || e.status.Status != http.StatusUnauthorized
	})
	l.control = append(l.control, message)
	l.mu.Unlock()
	l.wake()
}

// --- the writer

// A batch is what one system call takes along.
type batch struct {
	control       [][]byte
	answers       []*answer
	notifications []OutboxEntry
	prefix        []byte // of each notification
}

func (b *batch) empty() bool {
	return len(b.control) == 0 && len(b.answers) == 0 && len(b.notifications) == 0
}

func (b *batch) reset() {
	clear(b.control)
	clear(b.answers)
	clear(b.notifications)
	b.control, b.answers, b.notifications = b.control[:0], b.answers[:0], b.notifications[:0]
}

var batches = sync.Pool{New: func() any { return new(batch) }}

// wake makes sure that a writer looks for something to write after now.
func (l *link) wake() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead {
		return
	}
	if l.writing {
		l.again = true
		return
	}
	l.writing = true
	l.writers.Add(1)
	go l.write() // ends when there is nothing to write; close waits for writers
}

func (l *link) write() {
	defer l.writers.Done()
	b := batches.Get().(*batch)
	defer batches.Put(b)
	for {
		frames := l.collect(b)
		if b.empty() && frames == (controlFrames{}) {
			if l.rest() {
				return
			}
			continue
		}
		err := l.writeBatch(b, frames)
		l.owner.written(l, b, err)
		b.reset()
		if err != nil {
			l.fail(fmt.Errorf("writing to the link: %w", err))
		}
	}
}

// rest lets the writer end, unless something has come up meanwhile.
func (l *link) rest() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.again {
		l.again = false
		return false
	}
	l.writing = false
	return true
}

// controlFrames are the WebSocket control frames to be written.
type controlFrames struct {
	ping          uint64
	pong          string
	isPong, leave bool
}

// collect takes everything there is to write. A dead link has nothing.
func (l *link) collect(b *batch) (frames controlFrames) {
	l.mu.Lock()
	if l.dead {
		l.again = false
		l.mu.Unlock()
		return controlFrames{}
	}
	b.control = append(b.control, l.control...)
	l.control = l.control[:0]
	if l.pong != nil {
		frames.pong, frames.isPong, l.pong = string(l.pong), true, nil
	}
	if l.ping {
		l.ping = false
		l.pings++
		l.pingedAt = time.Now()
		frames.ping = l.pings
	}
	leave := l.leave
	l.mu.Unlock()
	l.owner.collect(l, b)
	if leave && b.empty() && frames == (controlFrames{}) {
		l.mu.Lock()
		l.leave = false
		l.mu.Unlock()
		frames.leave = true
	}
	return frames
}

// writeBatch writes everything and flushes it. It blocks while the peer does not read, but no longer than the conn's
// write timeout.
func (l *link) writeBatch(b *batch, frames controlFrames) error {
	now := time.Now()
	deadline := now.Add(l.conn.writeTimeout)
	if frames.isPong {
		if err := l.ws.WriteControl(websocket.PongMessage, []byte(frames.pong), deadline); err != nil {
			return err
		}
	}
	for _, message := range b.control {
		if err := l.writeMessage(message); err != nil {
			return err
		}
	}
	for _, a := range b.answers {
		if err := l.writeMessage(a.message); err != nil {
			return err
		}
	}
	for i := range b.notifications {
		if err := l.writeMessage(b.prefix, b.notifications[i].Event, closingBrace); err != nil {
			return err
		}
	}
	if frames.ping > 0 { // behind the notifications, so that its pong tells something about them
		payload := strconv.AppendUint(nil, frames.ping, 10)
		if err := l.ws.WriteControl(websocket.PingMessage, payload, deadline); err != nil {
			return err
		}
	}
	if frames.leave {
		closing := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
		if err := l.ws.WriteControl(websocket.CloseMessage, closing, deadline); err != nil {
			return err
		}
	}
	return l.conn.flush()
}

var closingBrace = []byte("}")

// writeMessage writes one text message from its parts.
func (l *link) writeMessage(parts ...[]byte) error {
	w, err := l.ws.NextWriter(websocket.TextMessage)
	if err != nil {
		return err
	}
	for _, part := range parts {
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return w.Close()
}

// --- the watch over time

func (l *link) gotPong(payload string) error {
	n, err := strconv.ParseUint(payload, 10, 64)
	l.mu.Lock()
	if err != nil || n != l.pings { // unsolicited, or of a ping that no longer matters
		l.mu.Unlock()
		return nil
	}
	sent := l.pingedAt
	l.mu.Unlock()
	l.owner.ponged(l, sent)
	return nil
}

// requestPing sends a ping, unless pings are switched off or the last one is younger than a second.
func (l *link) requestPing() {
	l.mu.Lock()
	due := l.pingInterval > 0 && !l.ping && time.Since(l.pingedAt) >= time.Second
	l.ping = l.ping || due
	l.mu.Unlock()
	if due {
		l.wake()
	}
}

// tickBy makes sure that the time limits are looked at by then.
func (l *link) tickBy(then time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead || !then.Before(l.nextTick) {
		return
	}
	l.nextTick = then
	l.timer.Reset(time.Until(then))
}

// tick looks at all time limits of the link and of its owner, and sets the timer to the next.
func (l *link) tick() {
	now := time.Now()
	next := l.owner.tick(l, now)
	due, err := l.keepAlive(now)
	if err != nil {
		l.fail(err)
		return
	}
	if next.IsZero() || due.Before(next) {
		next = due
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.dead {
		l.nextTick = next
		l.timer.Reset(time.Until(next))
	}
}

// keepAlive pings a silent link, gives up a dead one, and returns when to look again.
func (l *link) keepAlive(now time.Time) (time.Time, error) {
	if l.pingInterval <= 0 {
		return now.Add(time.Hour), nil
	}
	held := l.isHeld() // looked at first: when it ends, the silence begins anew
	silent := l.conn.silentFor(now)
	switch {
	case held:
		silent = 0
	case silent >= l.pingInterval+l.pingTimeout:
		return now, fmt.Errorf("%w for %v", errSilent, silent.Round(time.Second))
	case silent >= l.pingInterval:
		l.requestPing()
		return now.Add(l.pingInterval + l.pingTimeout - silent), nil
	}
	return now.Add(l.pingInterval - silent), nil
}
