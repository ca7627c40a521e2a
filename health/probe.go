// Package health opens a TCP port while a connector is healthy, for the TCP probes of Kubernetes.
//
// A [Probe] is undeclared, healthy or unhealthy. Healthy means that its port accepts connections, and closes each at
// once without exchanging a byte; otherwise nothing listens, and a probe fails. That is the convention of all Vantiq
// connectors (port 8000). The kernel completes a TCP handshake whether or not the process still lives up to it, so an
// open port says that somebody declared the connector healthy, not that it is quick.
//
// A Probe's methods may be called from several goroutines.
package health

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// Status is what has been declared.
type Status int

const (
	Undeclared Status = iota // nobody has said anything: the port is closed
	Healthy                  // the port is open
	Unhealthy                // the port is closed
)

// String returns the status in lower case.
func (s Status) String() string {
	switch s {
	case Healthy:
		return "healthy"
	case Unhealthy:
		return "unhealthy"
	}
	return "undeclared"
}

// ErrClosed is returned by the Declare methods after Close.
var ErrClosed = errors.New("the health probe is closed")

// A Probe is the health port of one process.
type Probe struct {
	address string

	mu       sync.Mutex // held while the port opens and closes, so that declarations take effect one by one
	status   Status
	closed   bool
	listener net.Listener
	gone     chan struct{} // closed when serve has returned
}

// NewProbe returns an undeclared probe for a TCP address like ":8000" or "127.0.0.1:8000". An empty address means no
// port: the probe then only remembers what is declared. Port 0 takes a free one, see [Probe.Addr].
func NewProbe(address string) *Probe { return &Probe{address: address} }

// DeclareHealthy opens the port, unless it is open. If that fails (the port is in use, the address is not this
// machine's) it returns an error and the status stays as it was.
func (p *Probe) DeclareHealthy() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return ErrClosed
	}
	if p.listener == nil && p.address != "" {
		listener, err := net.Listen("tcp", p.address)
		if err != nil {
			return fmt.Errorf("opening the health port (tcpProbePort): %w; is another connector running on this machine? Give it another port, or 0 for none", err)
		}
		p.listener, p.gone = listener, make(chan struct{})
		go serve(listener, p.gone)
	}
	p.status = Healthy
	return nil
}

// DeclareUnhealthy closes the port, if it is open. When it returns, no probe can succeed.
func (p *Probe) DeclareUnhealthy() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return ErrClosed
	}
	p.closePort()
	p.status = Unhealthy
	return nil
}

// Status returns what was declared last.
func (p *Probe) Status() Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.status
}

// Addr returns the address the port is open at, or nil while it is closed.
func (p *Probe) Addr() net.Addr {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener == nil {
		return nil
	}
	return p.listener.Addr()
}

// Close closes the port for good. Closing twice does no harm.
func (p *Probe) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.closePort()
	if p.status == Healthy {
		p.status = Unhealthy
	}
}

// closePort waits until the accepting goroutine is gone, so that nothing outlives the declaration.
func (p *Probe) closePort() {
	if p.listener == nil {
		return
	}
	_ = p.listener.Close()
	<-p.gone
	p.listener = nil
}

// acceptPause keeps a failing accept (out of descriptors, say) from becoming a hot loop.
const acceptPause = 100 * time.Millisecond

// serve accepts and closes until the listener is closed.
func serve(listener net.Listener, gone chan<- struct{}) {
	defer close(gone)
	for {
		conn, err := listener.Accept()
		switch {
		case err == nil:
			_ = conn.Close()
		case errors.Is(err, net.ErrClosed):
			return
		default:
			time.Sleep(acceptPause)
		}
	}
}
