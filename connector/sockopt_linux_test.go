package connector_test

import (
	"context"
	"net"
	"syscall"
	"testing"

	"github.com/vantiq-go/connectorsdk/connector"
)

// A pulled cable cannot be had on one machine. What can be seen is that the kernel was asked to give up on what was sent
// as early as the pings do, and not after its quarter of an hour.
func TestTheKernelGivesUpAsEarlyAsThePings(t *testing.T) {
	const tcpUserTimeout = 0x12 // TCP_USER_TIMEOUT
	dialled := make(chan syscall.RawConn, 1)
	b := setUpOn(t, nil, connector.Options{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		raw, err := c.(*net.TCPConn).SyscallConn()
		dialled <- raw
		return c, err
	}}).connect(echo())
	var milliseconds int
	var failed error
	b.must((<-dialled).Control(func(fd uintptr) {
		milliseconds, failed = syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout)
	}))
	if failed != nil || milliseconds != 28_000 {
		t.Errorf("TCP_USER_TIMEOUT is %d ms (%v), want those of ping and patience", milliseconds, failed)
	}
}
