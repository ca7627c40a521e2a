package connector_test

import (
	"context"
	"net"
	"syscall"
	"testing"

	"github.com/vantiq-go/connectorsdk/connector"
)

// The kernel gives up on what the peer does not acknowledge as early as the ping would, instead of after a quarter of an hour.
func TestTheKernelGivesUpAfter28SecondsAsWell(t *testing.T) {
	const userTimeout = 0x12 // TCP_USER_TIMEOUT
	dialled := make(chan *net.TCPConn, 1)
	b := setUpOn(t, nil, connector.Options{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err == nil {
			dialled <- conn.(*net.TCPConn)
		}
		return conn, err
	}})
	b.connect(echo())
	raw, err := (<-dialled).SyscallConn()
	b.must(err)
	b.must(raw.Control(func(fd uintptr) {
		if ms, err := syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, userTimeout); err != nil || ms != 28_000 {
			t.Errorf("TCP_USER_TIMEOUT is %d ms, %v", ms, err)
		}
	}))
}
