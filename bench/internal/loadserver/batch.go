package loadserver

import (
	"bufio"
	"net"
	"os"
	"sync"
)

// A batchConn stands between TLS and TCP, which without it would meet once for each record: all records of a write leave
// in one system call, and one brings all that have come.
type batchConn struct {
	net.Conn
	in       *bufio.Reader
	withheld bool // reading does not go to the network; set by the reader only

	mu  sync.Mutex
	out []byte
}

func newBatchConn(conn net.Conn) *batchConn {
	return &batchConn{Conn: conn, in: bufio.NewReaderSize(conn, 64<<10)}
}

// Read returns what is there already or, unless that is withheld, waits for more. TLS takes the error for a deadline's, and
// goes on at the next call where it was.
func (b *batchConn) Read(p []byte) (int, error) {
	if b.in.Buffered() == 0 {
		if b.withheld {
			return 0, os.ErrDeadlineExceeded
		}
		if err := b.flush(); err != nil { // the handshake waits for an answer to this
			return 0, err
		}
	}
	return b.in.Read(p)
}

// Write keeps the records of a write together.
func (b *batchConn) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.out = append(b.out, p...)
	return len(p), nil
}

func (b *batchConn) flush() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.out) == 0 {
		return nil
	}
	_, err := b.Conn.Write(b.out)
	b.out = b.out[:0]
	return err
}
