package vantiqtest

import (
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// streamLimit is how much one direction of a connection in memory holds before its writer blocks.
const streamLimit = 64 << 10

// A memoryConn is one end of a connection in memory, with the manners of a TCP connection: buffered, with a half close
// and a reset.
type memoryConn struct {
	network *Network
	in, out *stream
	abort   atomic.Bool // Close resets
}

func (c *memoryConn) Read(p []byte) (int, error) {
	n, err := c.in.read(p)
	return n, c.wrap("read", err)
}

func (c *memoryConn) Write(p []byte) (int, error) {
	n, err := c.out.write(p)
	return n, c.wrap("write", err)
}

// Close ends both directions; the peer still reads what was written, unless SetLinger(0) came first.
func (c *memoryConn) Close() error {
	abort := c.abort.Load()
	c.out.closeWriter(abort)
	c.in.closeReader(abort)
	c.network.forget(c)
	return nil
}

// CloseWrite ends the outgoing direction only.
func (c *memoryConn) CloseWrite() error {
	c.out.closeWriter(false)
	return nil
}

// SetLinger with 0 makes Close discard what the peer has not read and break the connection, as with TCP.
func (c *memoryConn) SetLinger(seconds int) error {
	c.abort.Store(seconds == 0)
	return nil
}

func (c *memoryConn) LocalAddr() net.Addr  { return memoryAddr(memoryHost) }
func (c *memoryConn) RemoteAddr() net.Addr { return memoryAddr(memoryHost) }

func (c *memoryConn) SetDeadline(t time.Time) error {
	_ = c.SetReadDeadline(t)
	return c.SetWriteDeadline(t)
}

func (c *memoryConn) SetReadDeadline(t time.Time) error {
	c.in.set(func() { c.in.readDeadline = t })
	return nil
}

func (c *memoryConn) SetWriteDeadline(t time.Time) error {
	c.out.set(func() { c.out.writeDeadline = t })
	return nil
}

func (c *memoryConn) wrap(op string, err error) error {
	if err == nil || err == io.EOF { // EOF is compared, not unwrapped, by whoever reads from a net.Conn
		return err
	}
	return &net.OpError{Op: op, Net: "memory", Addr: c.RemoteAddr(), Err: err}
}

// A stream is one direction of a connection: a bounded buffer with a writer and a reader.
type stream struct {
	mu      sync.Mutex
	changes signal
	buffer  []byte // buffer[start:] is unread
	start   int

	held         bool // nothing arrives: the reader sees no bytes and no end, the writer not that the reader left
	writerClosed bool
	readerClosed bool
	reset        bool

	readDeadline, writeDeadline time.Time
}

// set changes the stream and wakes whoever waits on it.
func (s *stream) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
	s.changes.wake()
}

func (s *stream) hold(held bool) { s.set(func() { s.held = held }) }

func (s *stream) closeWriter(reset bool) {
	s.set(func() {
		s.writerClosed = true
		s.reset = s.reset || reset
	})
}

func (s *stream) closeReader(reset bool) {
	s.set(func() {
		s.readerClosed = true
		s.reset = s.reset || reset
		s.buffer, s.start = nil, 0
	})
}

func (s *stream) read(p []byte) (int, error) {
	s.mu.Lock()
	for {
		switch unread := s.buffer[s.start:]; {
		case s.readerClosed:
			s.mu.Unlock()
			return 0, net.ErrClosed
		case passed(s.readDeadline):
			s.mu.Unlock()
			return 0, os.ErrDeadlineExceeded
		case s.held:
		case s.reset:
			s.mu.Unlock()
			return 0, syscall.ECONNRESET
		case len(unread) > 0 || len(p) == 0:
			defer s.mu.Unlock()
			n := copy(p, unread)
			if s.start += n; s.start == len(s.buffer) {
				s.buffer, s.start = s.buffer[:0], 0
			}
			s.changes.wake()
			return n, nil
		case s.writerClosed:
			s.mu.Unlock()
			return 0, io.EOF
		}
		s.wait(s.readDeadline)
	}
}

func (s *stream) write(p []byte) (written int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch room := streamLimit - (len(s.buffer) - s.start); {
		case s.writerClosed:
			return written, net.ErrClosed
		case passed(s.writeDeadline):
			return written, os.ErrDeadlineExceeded
		case s.reset && !s.held:
			return written, syscall.ECONNRESET
		case s.readerClosed && !s.held:
			return written, syscall.EPIPE
		case len(p) == 0:
			return written, nil
		case room > 0 && !s.readerClosed:
			n := min(room, len(p))
			s.append(p[:n])
			p, written = p[n:], written+n
			s.changes.wake()
		default:
			s.wait(s.writeDeadline)
		}
	}
}

func (s *stream) append(p []byte) {
	if s.start > 0 && len(s.buffer)+len(p) > cap(s.buffer) {
		s.buffer = append(s.buffer[:0], s.buffer[s.start:]...)
		s.start = 0
	}
	s.buffer = append(s.buffer, p...)
}

// wait gives the mutex up until something changes or the deadline has passed.
func (s *stream) wait(deadline time.Time) {
	changed := s.changes.changed()
	s.mu.Unlock()
	defer s.mu.Lock()
	if deadline.IsZero() {
		<-changed
		return
	}
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	select {
	case <-changed:
	case <-timer.C:
	}
}

func passed(deadline time.Time) bool { return !deadline.IsZero() && !time.Now().Before(deadline) }
