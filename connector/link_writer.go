package connector

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

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
	l.workers.run((*writing)(l))
}

// writing is the job of a link's writer. It is done when there is nothing to write; close waits for writers.
type writing link

func (w *writing) do() {
	l := (*link)(w)
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
		if errors.Is(err, websocket.ErrCloseSent) {
			<-l.readerGone // it knows why the link has ended
		}
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
	deadline := now.Add(l.conn.writeTimeout())
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
		a.end = l.conn.mark()
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
