package vantiqtest

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"sync"

	"github.com/gorilla/websocket"
)

// A FrameKind is the kind of a WebSocket message.
type FrameKind byte

// The kinds of WebSocket messages that carry the protocol. They mean the same to both sides.
const (
	Text   FrameKind = websocket.TextMessage
	Binary FrameKind = websocket.BinaryMessage
)

// writeLimit is how many bytes may wait on a link before Publish and Query block. Statuses never block: they are small,
// and what they answer has to be read on.
const writeLimit = 256 << 10

// A writer owns the outgoing side of a link. What is sent waits as finished frames in one buffer, in the order in which
// it was sent, and one goroutine writes all that waits in one call: an acknowledgement costs an append.
type writer struct {
	conn net.Conn
	kind func() FrameKind // of the next message; called with mu held
	done chan struct{}    // closed when run has returned

	mu       sync.Mutex
	waiting  []byte
	some     sync.Cond // something is to be done
	room     signal    // less than writeLimit waits, or sealed
	sealed   bool      // nothing more may be sent; run returns when nothing waits
	finish   bool      // when nothing waits, end the outgoing side of the connection
	held     bool      // run writes nothing
	vanished bool      // what is sent disappears
}

var errLinkEnded = errors.New("the link has ended")

func newWriter(conn net.Conn, frames []FrameKind) *writer {
	next := 0
	w := &writer{conn: conn, done: make(chan struct{})}
	w.kind = func() FrameKind {
		k := frames[next%len(frames)]
		next++
		return k
	}
	w.some.L = &w.mu
	return w
}

// run writes until the writer is sealed and empty, or the connection fails.
func (w *writer) run() {
	defer close(w.done)
	var batch []byte
	for {
		batch = w.next(batch)
		if len(batch) == 0 {
			return
		}
		if _, err := w.conn.Write(batch); err != nil {
			w.seal(nil, false)
			_ = w.conn.Close() // the reader notices
			return
		}
	}
}

// next waits for bytes to write and takes them, leaving buffer in their place. It returns none when the end has come.
func (w *writer) next(buffer []byte) []byte {
	if cap(buffer) > 2*writeLimit {
		buffer = nil // one huge message must not pin its memory for ever
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for (len(w.waiting) == 0 || w.held) && !w.sealed {
		w.some.Wait()
	}
	if len(w.waiting) == 0 && w.finish {
		closeWrite(w.conn)
	}
	batch := w.waiting
	w.waiting = buffer[:0]
	w.room.wake()
	return batch
}

// send queues a message and never blocks. It reports false if the link has ended.
func (w *writer) send(payload []byte) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.append(byte(w.kind()), payload)
}

// control queues a control frame.
func (w *writer) control(opcode byte, payload []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.append(opcode, payload)
}

// sendWithin queues a message as soon as there is room, until ctx ends. It calls sent, if there is one, just before the
// message can leave.
func (w *writer) sendWithin(ctx context.Context, payload []byte, sent func()) error {
	w.mu.Lock()
	for len(w.waiting) >= writeLimit && !w.sealed {
		room := w.room.changed()
		w.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			return ctx.Err()
		}
		w.mu.Lock()
	}
	defer w.mu.Unlock()
	if w.sealed {
		return errLinkEnded
	}
	if sent != nil {
		sent()
	}
	w.append(byte(w.kind()), payload)
	return nil
}

func (w *writer) append(opcode byte, payload []byte) bool {
	if w.sealed || w.vanished {
		return !w.sealed
	}
	if len(w.waiting) == 0 {
		w.some.Signal()
	}
	w.waiting = appendFrame(w.waiting, opcode, payload)
	return true
}

// seal lets what waits leave, then the close frame if there is one, and nothing after that.
func (w *writer) seal(closeFrame []byte, finish bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if closeFrame != nil {
		w.append(websocket.CloseMessage, closeFrame)
	}
	w.sealed = true
	w.finish = w.finish || finish
	w.held = false
	w.some.Signal()
	w.room.wake()
}

func (w *writer) hold(held bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.held = held && !w.sealed
	w.some.Signal()
}

// vanish makes everything that is still to be sent disappear.
func (w *writer) vanish() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.vanished = true
	w.waiting = w.waiting[:0]
	w.room.wake()
}

// appendFrame appends a whole WebSocket message as a server sends it: one frame, not masked.
func appendFrame(dst []byte, opcode byte, payload []byte) []byte {
	const final = 0x80
	dst = append(dst, final|opcode)
	switch n := len(payload); {
	case n < 126:
		dst = append(dst, byte(n))
	case n < 1<<16:
		dst = binary.BigEndian.AppendUint16(append(dst, 126), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, 127), uint64(n))
	}
	return append(dst, payload...)
}

// closeWrite ends the outgoing side of a connection. The incoming side stays open, for closing a TCP connection that
// holds unread bytes resets it, and the peer would lose what it has not read.
func closeWrite(conn net.Conn) {
	if c, ok := conn.(interface{ CloseWrite() error }); ok {
		_ = c.CloseWrite()
		return
	}
	_ = conn.Close()
}
