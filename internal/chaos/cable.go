package main

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// A cable is the connector's side of a source's network. What strikes here strikes below the SDK and above the kernel:
// bytes trickle, or a link becomes half open.
type cable struct {
	dialled func()
	drip    atomic.Pointer[drip] // nil: bytes flow freely
	latest  atomic.Pointer[wire]
}

// A drip lets so many bytes pass each millisecond.
type drip struct {
	bytes   int
	in, out bool
}

func (c *cable) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c.dialled()
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	w := &wire{Conn: conn, cable: c, gone: make(chan struct{})}
	c.latest.Store(w)
	return w, nil
}

// A wire is one connection.
type wire struct {
	net.Conn
	cable *cable

	mu      sync.Mutex
	severed bool
	linger  time.Duration
	once    sync.Once
	gone    chan struct{} // closed when a severed wire is
}

// sever makes the link half open: nothing more passes either way, and nobody is told. The server learns of the end so
// long after the connector has given up.
func (w *wire) sever(linger time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.severed, w.linger = true, linger
}

func (w *wire) isSevered() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.severed
}

func (w *wire) Read(p []byte) (int, error) {
	if d := w.cable.drip.Load(); d != nil && d.in {
		p = p[:min(len(p), d.bytes)]
		time.Sleep(time.Millisecond)
	}
	n, err := w.Conn.Read(p)
	if w.isSevered() {
		<-w.gone
		return 0, net.ErrClosed
	}
	return n, err
}

func (w *wire) Write(p []byte) (written int, err error) {
	for {
		part := p[written:]
		d := w.cable.drip.Load()
		if d != nil && d.out {
			part = part[:min(len(part), d.bytes)]
			time.Sleep(time.Millisecond)
		}
		if w.isSevered() {
			return len(p), nil // as the kernel would take it
		}
		n, err := w.Conn.Write(part)
		if written += n; err != nil || written == len(p) {
			return written, err
		}
	}
}

func (w *wire) Close() error {
	if !w.isSevered() {
		return w.Conn.Close()
	}
	w.once.Do(func() {
		close(w.gone)
		_ = w.SetReadDeadline(time.Unix(1, 0))
		time.AfterFunc(w.linger, func() { _ = w.Conn.Close() })
	})
	return nil
}
