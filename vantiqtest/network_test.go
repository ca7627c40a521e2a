package vantiqtest_test

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/nettest"

	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

func TestMemoryConnIsANetConn(t *testing.T) {
	nettest.TestConn(t, func() (near, far net.Conn, stop func(), err error) {
		network := vantiqtest.NewNetwork()
		near, far = pair(t, network)
		return near, far, func() { _ = near.Close(); _ = far.Close() }, nil
	})
}

func pair(t *testing.T, network *vantiqtest.Network) (near, far net.Conn) {
	t.Helper()
	listener := network.Listen()
	defer func() { _ = listener.Close() }()
	near, err := network.DialContext(within(t), "tcp", "anywhere:443")
	if err != nil {
		t.Fatal(err)
	}
	if far, err = listener.Accept(); err != nil {
		t.Fatal(err)
	}
	return near, far
}

func TestDialWithoutAListenerIsRefused(t *testing.T) {
	network := vantiqtest.NewNetwork()
	for range 2 {
		_, err := network.DialContext(context.Background(), "tcp", "vantiq.test:80")
		if !errors.Is(err, syscall.ECONNREFUSED) || err.Error() != "dial tcp vantiq.test:80: connect: connection refused" {
			t.Errorf("got %v", err)
		}
		listener := network.Listen()
		waiting, err := network.DialContext(context.Background(), "tcp", "vantiq.test:80")
		if err != nil {
			t.Error(err)
		}
		_ = listener.Close()
		if err := listener.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("closing twice: %v", err)
		}
		if _, err := waiting.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("a connection that was never accepted ends with %v", err)
		}
	}
}

func TestTwoListenersPanic(t *testing.T) {
	network := vantiqtest.NewNetwork()
	network.Listen()
	defer func() {
		if recover() == nil {
			t.Error("a second listener is accepted")
		}
	}()
	network.Listen()
}

func TestHalfClose(t *testing.T) {
	near, far := pair(t, vantiqtest.NewNetwork())
	defer func() { _ = far.Close() }()
	_, _ = io.WriteString(near, "last words")
	_ = near.Close()
	if text, err := io.ReadAll(far); err != nil || string(text) != "last words" {
		t.Errorf("read %q, %v", text, err)
	}
	if _, err := io.WriteString(far, "hello?"); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("writing to a closed end: %v", err)
	}
}

func TestWriterBlocksWhenTheBufferIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := pair(t, vantiqtest.NewNetwork())
		defer func() { _ = near.Close() }()
		defer func() { _ = far.Close() }()
		_ = near.SetWriteDeadline(time.Now().Add(time.Minute))
		if n, err := near.Write(make([]byte, 100<<10)); n != 64<<10 || !isTimeout(err) {
			t.Errorf("wrote %d bytes, %v, want 64 KiB and a timeout", n, err)
		}
	})
}

func TestPartition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := vantiqtest.NewNetwork()
		server := start(t, vantiqtest.WithNetwork(network))
		source := server.Source("EchoSource", nil)
		c := connected(t, server, network, "EchoSource", "s")
		network.Partition()
		if err := source.Publish(within(t), map[string]int{"n": 1}); err != nil {
			t.Error(err)
		}
		c.notify("EchoSource", `{"n":2}`)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		begin := time.Now()
		if _, err := network.DialContext(ctx, "tcp", "vantiq.test:80"); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != time.Minute {
			t.Errorf("a dial fails with %v after %v, want a timeout after 1 m", err, time.Since(begin))
		}
		if n := len(source.Notifications()); n != 0 {
			t.Errorf("%d notifications crossed the partition", n)
		}
		dialled := make(chan error)
		go func() {
			conn, err := network.DialContext(context.Background(), "tcp", "vantiq.test:80")
			if err == nil {
				_ = conn.Close()
			}
			dialled <- err
		}()
		synctest.Wait()
		network.Heal()
		receive[*protocol.Publish](c)
		c.statuses(1)
		if _, err := source.Notification(within(t)); err != nil {
			t.Error(err)
		}
		if err := <-dialled; err != nil {
			t.Error(err)
		}
	})
}

func TestPartitionHidesTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := vantiqtest.NewNetwork()
		server := start(t, vantiqtest.WithNetwork(network))
		source := server.Source("EchoSource", nil)
		c := connected(t, server, network, "EchoSource", "s")
		network.Partition()
		_ = c.ws.Close()
		synctest.Wait()
		if !source.Connected() {
			t.Error("the end of the link crossed the partition")
		}
		network.Heal()
		synctest.Wait()
		if source.Connected() {
			t.Error("the end of the link has not arrived")
		}
	})
}
