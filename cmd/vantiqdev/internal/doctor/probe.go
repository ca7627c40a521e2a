package doctor

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// examineProbe opens the health port for a moment, as a connector does when it is healthy.
func (x *examination) examineProbe(ctx context.Context, s *Step) {
	probe := x.options.Probe
	if probe == nil {
		s.skip("not reached")
		return
	}
	err := probe.DeclareHealthy()
	if err == nil {
		defer probe.Close()
		if probe.Addr() == nil {
			s.ok("none, as tcpProbePort=0 says")
			return
		}
		s.ok(probe.Addr().String() + " is free")
		return
	}
	var failure *net.OpError
	address := ""
	if errors.As(err, &failure) && failure.Addr != nil {
		address = failure.Addr.String()
	}
	switch {
	case errors.Is(err, syscall.EADDRINUSE) && x.isHealthPort(ctx, address):
		s.ok(address + " is open, and closes at once what connects, as the health port of a connector does")
		s.doubt("if it is the connector that this is about, which runs and is healthy, all is well; " +
			"if it is another one, give either of them another tcpProbePort")
	case errors.Is(err, syscall.EADDRINUSE):
		s.fail(address+": something listens there", "choose another tcpProbePort, or 0 for none, or end what listens there")
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		s.fail(address+": "+x.reason(err), "tcpProbeHost must be an address of this machine; without it, all of them are meant")
	case errors.Is(err, os.ErrPermission):
		s.fail(address+": "+x.reason(err), "ports below 1024 need special rights: choose a higher tcpProbePort")
	default:
		s.fail(err.Error(), "check tcpProbeHost and tcpProbePort")
	}
}

// isHealthPort reports whether whatever listens at an address does what a connector's health port does: it closes each
// connection without a word.
func (x *examination) isHealthPort(ctx context.Context, address string) bool {
	wait, cancel := context.WithTimeout(ctx, min(x.Timeout, time.Second))
	defer cancel()
	c, err := new(net.Dialer).DialContext(wait, "tcp", address)
	if err != nil {
		return false
	}
	defer c.Close()
	defer context.AfterFunc(wait, func() { _ = c.SetDeadline(time.Unix(1, 0)) })()
	n, err := c.Read(make([]byte, 1))
	return n == 0 && errors.Is(err, io.EOF)
}
