package connector

import (
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vantiq-go/connectorsdk/internal/dial"
)

// A conn is the network connection under a link's WebSocket, above TLS. It gathers what gorilla writes, frame by frame,
// until flush: messages that are ready together leave in one system call. It also remembers when it last heard from
// the peer, which costs one clock reading per system call instead of one deadline per message.
type conn struct {
	net.Conn
	timeout atomic.Int64 // of a write, in nanoseconds

	heard  atomic.Int64  // when the last byte came, in nanoseconds since epoch
	passed atomic.Uint64 // bytes that the kernel has taken since gathering began

	writes    sync.Mutex // guards what follows; held while bytes are handed to the kernel
	gathering bool       // false while the HTTP upgrade goes through
	gathered  []byte     // from buffers; nil when there is nothing to flush
	taken     uint64     // bytes that Write was given since gathering began

	waits   func()  // called by the reader before it waits for the network; may be nil
	opening int     // how many bytes may still come while the HTTP upgrade goes through; the reader's own
	ahead   []byte  // read but not yet wanted; the reader's own
	store   *[]byte // what ahead is a part of; back to buffers when ahead is used up
	eager   bool    // the last small read was filled, so there is probably more
}

const bufferSize = 64 << 10

// buffers holds the 64 KiB buffers of connections that are just now busy: an idle one has none.
var buffers = sync.Pool{New: func() any {
	b := make([]byte, bufferSize)
	return &b
}}

func newConn(under net.Conn, writeTimeout time.Duration) *conn {
	c := &conn{Conn: under, opening: dial.MaxResponse}
	c.timeout.Store(int64(writeTimeout))
	c.heardNow()
	return c
}

func (c *conn) heardNow() { c.heard.Store(time.Now().UnixNano()) }

func (c *conn) silentFor(now time.Time) time.Duration {
	return time.Duration(now.UnixNano() - c.heard.Load())
}

// Read fills p. After a read that filled p it reads far ahead into a pooled buffer, so that a busy link needs one
// system call for hundreds of messages while an idle one waits in gorilla's small buffer.
//
// While the HTTP upgrade goes through it does neither, and ends the connection when the answer has no end.
func (c *conn) Read(p []byte) (int, error) {
	if c.opening > 0 {
		return c.readOpening(p)
	}
	if len(c.ahead) == 0 && c.eager && len(p) < bufferSize {
		c.eager = false
		c.wait()
		store := buffers.Get().(*[]byte)
		n, err := c.Conn.Read(*store)
		if n == 0 {
			buffers.Put(store)
			return 0, err
		}
		c.heardNow() // an error comes again with the next read
		c.store, c.ahead = store, (*store)[:n]
	}
	if len(c.ahead) > 0 {
		n := copy(p, c.ahead)
		if c.ahead = c.ahead[n:]; len(c.ahead) == 0 {
			buffers.Put(c.store)
			c.store, c.ahead = nil, nil
		}
		return n, nil
	}
	c.wait()
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.heardNow()
		c.eager = n == len(p)
	}
	return n, err
}

func (c *conn) wait() {
	if c.waits != nil {
		c.waits()
	}
}

func (c *conn) readOpening(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.opening -= n; c.opening <= 0 {
		c.opening = 1 // nothing more comes through
		return 0, errLongAnswer
	}
	return n, err
}

var errLongAnswer = errors.New("the answer to the WebSocket upgrade is too long")

// gather begins to hold writes back until flush. Until then they go straight through, and what is read is bounded.
func (c *conn) gather() {
	c.opening = 0
	c.writes.Lock()
	defer c.writes.Unlock()
	c.gathering = true
}

// Write holds p back, or writes it with all that was held back before if that becomes too much.
func (c *conn) Write(p []byte) (int, error) {
	c.writes.Lock()
	defer c.writes.Unlock()
	if !c.gathering {
		return c.Conn.Write(p)
	}
	c.taken += uint64(len(p))
	if len(c.gathered)+len(p) > bufferSize {
		if err := c.flushLocked(); err != nil {
			return 0, err
		}
		if len(p) >= bufferSize {
			return len(p), c.writeOut(p)
		}
	}
	if c.gathered == nil {
		c.gathered = (*buffers.Get().(*[]byte))[:0]
	}
	c.gathered = append(c.gathered, p...)
	return len(p), nil
}

// flush hands everything that was held back to the kernel. It blocks for as long as the peer does not read, but no
// longer than the write timeout.
func (c *conn) flush() error {
	c.writes.Lock()
	defer c.writes.Unlock()
	return c.flushLocked()
}

func (c *conn) flushLocked() error {
	if c.gathered == nil {
		return nil
	}
	err := c.writeOut(c.gathered)
	full := c.gathered[:bufferSize]
	c.gathered = nil
	buffers.Put(&full)
	return err
}

func (c *conn) writeOut(p []byte) error {
	for timeout := time.Duration(0); timeout != c.writeTimeout(); { // hurry may change it just now
		timeout = c.writeTimeout()
		if err := c.Conn.SetWriteDeadline(time.Now().Add(timeout)); err != nil {
			return err
		}
	}
	n, err := c.Conn.Write(p)
	c.passed.Add(uint64(n))
	return err
}

// mark returns a position in the stream: what was written before it has left when passed has reached it.
func (c *conn) mark() uint64 {
	c.writes.Lock()
	defer c.writes.Unlock()
	return c.taken
}

func (c *conn) writeTimeout() time.Duration { return time.Duration(c.timeout.Load()) }

// Close drops the connection at once. TLS would first try to say good-bye, which takes its time when nobody reads; the
// WebSocket has done that.
func (c *conn) Close() error {
	if secure, ok := c.Conn.(*tls.Conn); ok {
		return secure.NetConn().Close()
	}
	return c.Conn.Close()
}

// SetWriteDeadline does nothing: gorilla sets one for every frame it writes, but what it writes is only gathered.
func (c *conn) SetWriteDeadline(time.Time) error { return nil }

// hurry makes a write that is under way, and all later ones, end soon.
func (c *conn) hurry(limit time.Duration) {
	c.timeout.Store(int64(limit))
	_ = c.Conn.SetWriteDeadline(time.Now().Add(limit))
}
