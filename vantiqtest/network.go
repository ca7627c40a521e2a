package vantiqtest

import (
	"context"
	"net"
	"os"
	"sync"
	"syscall"
)

// A Network carries connections in memory. It has one address at which at most one listener listens, and every dial
// arrives there. Whoever waits on it is idle in the sense of testing/synctest, so a connector and its server run in
// virtual time; the Network must then be made inside the bubble.
//
// All methods may be called from several goroutines.
type Network struct {
	mu          sync.Mutex
	listener    *memoryListener // nil while nobody listens
	partitioned bool
	healed      signal
	open        map[*memoryConn]struct{}
}

// NewNetwork returns a network on which nobody listens yet.
func NewNetwork() *Network { return &Network{open: map[*memoryConn]struct{}{}} }

// memoryHost is what the URL of a server on a Network names. The Network itself does not look at it.
const memoryHost = "vantiq.test"

// memoryBacklog is how many connections may wait to be accepted before a dial blocks.
const memoryBacklog = 1024

// Listen returns a listener. It panics if there is one already that has not been closed.
func (n *Network) Listen() net.Listener {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.listener != nil {
		panic("vantiqtest: somebody listens on this Network already: close that listener first, or make another Network")
	}
	n.listener = &memoryListener{network: n, backlog: make(chan *memoryConn, memoryBacklog), closed: make(chan struct{})}
	return n.listener
}

// DialContext connects to the listener, whatever network and address say. It fails at once, with an error that
// errors.Is knows as syscall.ECONNREFUSED, when nobody listens. While the network is partitioned, or too many
// connections wait to be accepted, it blocks until ctx ends.
func (n *Network) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	fail := func(err error) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: network, Addr: memoryAddr(address), Err: err}
	}
	listener, err := n.route(ctx)
	if err != nil {
		return fail(err)
	}
	if listener == nil {
		return fail(os.NewSyscallError("connect", syscall.ECONNREFUSED))
	}
	near, far := n.pipe()
	select {
	case listener.backlog <- far:
	case <-listener.closed:
		return fail(os.NewSyscallError("connect", syscall.ECONNREFUSED))
	case <-ctx.Done():
		return fail(ctx.Err())
	}
	return near, nil
}

// route waits until the network is whole and returns who listens.
func (n *Network) route(ctx context.Context) (*memoryListener, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		n.mu.Lock()
		if !n.partitioned {
			defer n.mu.Unlock()
			return n.listener, nil
		}
		healed := n.healed.changed()
		n.mu.Unlock()
		select {
		case <-healed:
		case <-ctx.Done():
		}
	}
}

// Partition pulls the cable: nothing that is sent arrives, neither bytes nor the end of a connection, and dialling
// blocks, until [Network.Heal].
func (n *Network) Partition() { n.setPartitioned(true) }

// Heal ends a partition. What was sent meanwhile arrives, as TCP would have sent it again.
func (n *Network) Heal() { n.setPartitioned(false) }

func (n *Network) setPartitioned(partitioned bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.partitioned = partitioned
	for c := range n.open {
		c.in.hold(partitioned)
		c.out.hold(partitioned)
	}
	if !partitioned {
		n.healed.wake()
	}
}

// pipe returns the two ends of a connection.
func (n *Network) pipe() (near, far *memoryConn) {
	there, back := &stream{}, &stream{}
	near = &memoryConn{network: n, in: back, out: there}
	far = &memoryConn{network: n, in: there, out: back}
	n.mu.Lock()
	defer n.mu.Unlock()
	there.held, back.held = n.partitioned, n.partitioned
	n.open[near], n.open[far] = struct{}{}, struct{}{}
	return near, far
}

func (n *Network) forget(c *memoryConn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.open, c)
}

type memoryListener struct {
	network *Network
	backlog chan *memoryConn
	closed  chan struct{}
}

func (l *memoryListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.backlog:
		return c, nil
	case <-l.closed:
		return nil, &net.OpError{Op: "accept", Net: "memory", Addr: l.Addr(), Err: net.ErrClosed}
	}
}

// Close also resets the connections that nobody has accepted.
func (l *memoryListener) Close() error {
	l.network.mu.Lock()
	if l.network.listener != l {
		l.network.mu.Unlock()
		return net.ErrClosed
	}
	l.network.listener = nil
	close(l.closed)
	l.network.mu.Unlock()
	for {
		select {
		case c := <-l.backlog:
			_ = c.SetLinger(0)
			_ = c.Close()
		default:
			return nil
		}
	}
}

func (l *memoryListener) Addr() net.Addr { return memoryAddr(memoryHost) }

type memoryAddr string

func (memoryAddr) Network() string  { return "memory" }
func (a memoryAddr) String() string { return string(a) }
