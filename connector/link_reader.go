package connector

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/vantiq-go/connectorsdk/protocol"
)

// read reads one message after the other until the link ends.
func (l *link) read() {
	defer close(l.readerGone)
	var scratch readerScratch
	for {
		_, r, err := l.ws.NextReader()
		if err == nil {
			err = l.readMessage(&scratch, r)
		}
		if err != nil {
			l.passOn()
			l.answerClose(err)
			l.fail(l.explainEnd(err))
			return
		}
	}
}

// A readerScratch is what a reader needs for each message, and uses again for the next.
type readerScratch struct {
	decoder protocol.Decoder
	limited io.LimitedReader
}

var frames = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// maxPooledFrame keeps one large message from pinning its memory for ever.
const maxPooledFrame = 256 << 10

// readMessage reads one message and passes it on. An error is one of the link; a bad message is none.
func (l *link) readMessage(scratch *readerScratch, r io.Reader) error {
	buffer := frames.Get().(*bytes.Buffer)
	defer func() {
		if buffer.Cap() <= maxPooledFrame {
			buffer.Reset()
			frames.Put(buffer)
		}
	}()
	scratch.limited = io.LimitedReader{R: r, N: int64(l.maxInbound) + 1}
	if _, err := buffer.ReadFrom(&scratch.limited); err != nil {
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
	if protocol.IsPublish(buffer.Bytes()) { // decoded where it is handled, so that the reader can go on
		l.passOn()
		l.owner.published(l, bytes.Clone(buffer.Bytes()))
		return nil
	}
	message, err := scratch.decoder.Decode(buffer.Bytes())
	if err != nil {
		l.owner.malformed(err, buffer.Len())
		return nil
	}
	if _, ok := message.(*protocol.Publish); ok { // not by its beginning
		l.owner.malformed(errTwoOperations, buffer.Len())
		return nil
	}
	l.dispatch(message)
	return nil
}

var errTwoOperations = errors.New("it has several operations")

// dispatch sorts messages: what drives the life of the connection becomes an event, everything else goes to the owner.
func (l *link) dispatch(message protocol.Message) {
	response, isResponse := message.(*protocol.Response)
	if isResponse && 200 <= response.Status && response.Status < 300 && l.isServing() {
		l.acked++ // often one of many: they are passed on together, before anything else is, or the reader waits
		return
	}
	l.passOn()
	switch m := message.(type) {
	case *protocol.Response:
		if l.isServing() {
			l.owner.received(l, m)
			return
		}
		l.post(event{kind: statusCame, status: m.Status, failed: m.Err()})
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

// passOn passes acknowledgements on that have come together.
func (l *link) passOn() {
	if n := l.acked; n > 0 {
		l.acked = 0
		l.owner.acknowledged(l, n)
	}
}

// answerClose returns the close frame of a server that closes, as it waits for it.
func (l *link) answerClose(err error) {
	var closed *websocket.CloseError
	if !errors.As(err, &closed) || closed.Code == websocket.CloseAbnormalClosure {
		return
	}
	const limit = time.Second
	l.conn.hurry(limit) // a writer that is stuck must not keep the answer back for longer
	_ = l.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(closed.Code, ""), time.Now().Add(limit))
	_ = l.conn.flush()
}

func (l *link) explainEnd(err error) error {
	var closed *websocket.CloseError
	switch {
	case !errors.As(err, &closed):
		return fmt.Errorf("the link was lost: %w", tame(err))
	case closed.Code == websocket.CloseAbnormalClosure:
		return errors.New("the link was lost: the server dropped it without a close frame")
	case closed.Code == websocket.CloseNoStatusReceived:
		return errors.New("the server closed the link without a reason")
	}
	return fmt.Errorf("the server closed the link: %d %s", closed.Code, protocol.Printable(l.redact(closed.Text)))
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

// hold is called by the reader when it begins to wait for room, if it does not already: until release, the peer's silence
// means nothing.
func (l *link) hold() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.heldAt.IsZero() {
		l.heldAt = time.Now()
	}
}

func (l *link) release() {
	if !l.isHeld() {
		return
	}
	l.owner.unread(l, l.heldAt, time.Now()) // first: whoever no longer sees it held must know of this
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heldAt = time.Time{}
	l.conn.heardNow()
}

func (l *link) isHeld() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.heldAt.IsZero()
}
