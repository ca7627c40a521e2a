package loadserver

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/gobwas/ws"
)

// A link is one WebSocket. One goroutine reads it; what that answers to everything that one read has brought leaves in one
// write. Frames are taken apart here rather than by ws, which reads a header at a time.
type link struct {
	tcp     net.Conn
	conn    net.Conn   // the same, or TLS on it
	batch   *batchConn // between the two
	arrived time.Time  // when the last read returned

	in         []byte // in[start:end] has been read and not been taken
	start, end int
	whole      []byte // the fragments so far of a message in several frames

	answers []byte             // frames that leave before the next read
	send    func([]byte) error // of the answers; they are not used afterwards
}

func newLink(tcp net.Conn, config *tls.Config, bufferSize int) *link {
	l := &link{tcp: tcp, conn: tcp, in: make([]byte, bufferSize)}
	if config != nil {
		l.batch = newBatchConn(tcp)
		l.conn = tls.Server(l.batch, config)
	}
	l.send = l.write
	return l
}

// write writes frames. It may be called beside the reader.
func (l *link) write(frames []byte) error {
	if len(frames) == 0 {
		return nil
	}
	_, err := l.conn.Write(frames)
	if err == nil && l.batch != nil {
		err = l.batch.flush()
	}
	return err
}

// reset ends the link as the kernel of a server does that is killed. It may be called beside the reader.
func (l *link) reset() {
	if tcp, ok := l.tcp.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	l.tcp.Close()
}

// answer queues a message.
func (l *link) answer(frame []byte) { l.answers = append(l.answers, frame...) }

// errClosed is returned by next when the peer has closed the link as it should.
var errClosed = errors.New("the peer has closed its link")

// next returns the next message, which is valid until it is called again. It answers pings.
func (l *link) next() ([]byte, error) {
	for {
		header, size, ok := l.header()
		if !ok || l.end-l.start < size+int(header.Length) {
			if err := l.fill(size + int(header.Length)); err != nil {
				return nil, err
			}
			continue
		}
		payload := l.in[l.start+size : l.start+size+int(header.Length)]
		l.start += size + int(header.Length)
		if header.Masked {
			ws.Cipher(payload, header.Mask, 0)
		}
		switch {
		case header.OpCode == ws.OpPing:
			l.answer(ws.MustCompileFrame(ws.NewPongFrame(payload)))
		case header.OpCode == ws.OpClose:
			_ = l.write(ws.CompiledCloseNormalClosure)
			return nil, errClosed
		case header.OpCode == ws.OpPong:
		case header.Fin && header.OpCode != ws.OpContinuation:
			return payload, nil
		default:
			if header.OpCode != ws.OpContinuation {
				l.whole = l.whole[:0]
			}
			l.whole = append(l.whole, payload...)
			if header.Fin {
				return l.whole, nil
			}
		}
	}
}

// header reads the header of the frame that begins at start, if all of it is there, and returns its size.
func (l *link) header() (h ws.Header, size int, ok bool) {
	b := l.in[l.start:l.end]
	if len(b) < 2 {
		return h, 2, false
	}
	h.Fin, h.OpCode, h.Masked = b[0]&0x80 != 0, ws.OpCode(b[0]&0x0f), b[1]&0x80 != 0
	size = 2
	switch length := b[1] & 0x7f; length {
	case 126:
		size += 2
		if len(b) < size {
			return h, size, false
		}
		h.Length = int64(binary.BigEndian.Uint16(b[2:]))
	case 127:
		size += 8
		if len(b) < size {
			return h, size, false
		}
		h.Length = int64(binary.BigEndian.Uint64(b[2:]))
	default:
		h.Length = int64(length)
	}
	if h.Masked {
		size += len(h.Mask)
		if len(b) < size {
			return h, size, false
		}
		copy(h.Mask[:], b[size-len(h.Mask):])
	}
	return h, size, true
}

// largest is the largest frame that a peer may send.
const largest = 64 << 20

// flush sends the answers.
func (l *link) flush() error {
	if len(l.answers) == 0 {
		return nil
	}
	err := l.send(l.answers)
	l.answers = l.answers[:0]
	return err
}

// fill sends the answers and reads what there is to read. A frame of want bytes will have room.
func (l *link) fill(want int) error {
	if err := l.flush(); err != nil {
		return err
	}
	if want > largest {
		return fmt.Errorf("a frame of %d bytes, more than %d", want, largest)
	}
	if l.start == l.end {
		l.start, l.end = 0, 0
	}
	if l.start > 0 && l.start+max(want, len(l.in)/2) > len(l.in) {
		l.start, l.end = 0, copy(l.in, l.in[l.start:l.end])
	}
	if want > len(l.in) {
		l.in = append(l.in, make([]byte, want)...)
	}
	n, err := l.conn.Read(l.in[l.end:])
	l.arrived = time.Now()
	l.end += n
	switch {
	case n > 0:
		l.fillFromBatch()
		return nil
	case err == nil:
		return nil
	case errors.Is(err, io.EOF):
		return fmt.Errorf("%w without a close frame", errClosed)
	default:
		return err
	}
}

// fillFromBatch takes the TLS records that have come with the one that was read.
func (l *link) fillFromBatch() {
	if l.batch == nil {
		return
	}
	l.batch.withheld = true
	for n := 1; n > 0 && l.end < len(l.in); l.end += n {
		n, _ = l.conn.Read(l.in[l.end:]) // an error comes again
	}
	l.batch.withheld = false
}
