package health_test

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/vantiq-go/connectorsdk/health"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// freeAddress returns a loopback address that nobody listens at.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// probe does what the kubelet does.
func probe(address string) error {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if n, err := io.Copy(io.Discard, conn); n > 0 {
		return errors.New("the health port sent something")
	} else if err != nil && !strings.Contains(err.Error(), "reset") {
		return err
	}
	return nil
}

func TestPortIsOpenOnlyWhileHealthy(t *testing.T) {
	address := freeAddress(t)
	p := health.NewProbe(address)
	defer p.Close()

	expect := func(status health.Status, open bool) {
		t.Helper()
		if got := p.Status(); got != status {
			t.Errorf("status %v, want %v", got, status)
		}
		if err := probe(address); (err == nil) != open {
			t.Errorf("while %v, probing returns %v", status, err)
		}
		if (p.Addr() != nil) != open {
			t.Errorf("while %v, Addr is %v", status, p.Addr())
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	expect(health.Undeclared, false)
	for range 2 { // declarations are idempotent
		must(p.DeclareHealthy())
		expect(health.Healthy, true)
	}
	for range 2 {
		must(p.DeclareUnhealthy())
		expect(health.Unhealthy, false)
	}
	must(p.DeclareHealthy())
	expect(health.Healthy, true)
	p.Close()
	expect(health.Unhealthy, false)
	if err := p.DeclareHealthy(); !errors.Is(err, health.ErrClosed) {
		t.Errorf("declaring a closed probe: %v", err)
	}
	p.Close()
}

func TestPortInUseLeavesTheStatus(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	p := health.NewProbe(taken.Addr().String())
	defer p.Close()
	if err := p.DeclareHealthy(); err == nil || !strings.Contains(err.Error(), "tcpProbePort") || p.Status() != health.Undeclared {
		t.Errorf("port in use: %v, status %v", err, p.Status())
	}
	taken.Close()
	if err := p.DeclareHealthy(); err != nil || p.Status() != health.Healthy {
		t.Errorf("after the port was freed: %v, status %v", err, p.Status())
	}
}

func TestWithoutAPortItOnlyRemembers(t *testing.T) {
	p := health.NewProbe("")
	defer p.Close()
	if err := p.DeclareHealthy(); err != nil || p.Status() != health.Healthy || p.Addr() != nil {
		t.Errorf("%v, %v, %v", err, p.Status(), p.Addr())
	}
}

// Each probe succeeds, whatever it does with its connection, and nothing of it is left.
func TestTenThousandProbesLeakNothing(t *testing.T) {
	p := health.NewProbe("127.0.0.1:0")
	defer p.Close()
	if err := p.DeclareHealthy(); err != nil {
		t.Fatal(err)
	}
	address := p.Addr().String()
	before, goroutines := openFiles(t), runtime.NumGoroutine()
	var probers sync.WaitGroup
	for _, prober := range []func() error{
		func() error { return probe(address) },
		func() error { // one that says something, as an HTTP probe does
			conn, err := net.Dial("tcp", address)
			if err == nil {
				_, _ = conn.Write([]byte("GET / HTTP/1.1\r\n\r\n"))
				_ = conn.Close()
			}
			return err
		},
		func() error { // one that is gone at once
			conn, err := net.Dial("tcp", address)
			if err == nil {
				_ = conn.(*net.TCPConn).SetLinger(0)
				_ = conn.Close()
			}
			return err
		},
		func() error { // one that waits until it is closed
			conn, err := net.Dial("tcp", address)
			if err == nil {
				_, _ = io.Copy(io.Discard, conn)
				_ = conn.Close()
			}
			return err
		},
	} {
		probers.Go(func() {
			for n := range 2500 {
				if err := prober(); err != nil {
					t.Errorf("probe %d: %v", n, err)
					return
				}
			}
		})
	}
	probers.Wait()
	if status := p.Status(); status != health.Healthy {
		t.Error(status)
	}
	endsWith(t, goroutines)
	p.Close() // returns when the last connection has been closed
	if after := openFiles(t); after > before {
		t.Errorf("%d descriptors before 10,000 probes, %d after", before, after)
	}
}

// While somebody probes as fast as he can, the port closes, and stays closed: no probe succeeds that began after Close.
func TestProbedWhileClosing(t *testing.T) {
	for range 20 {
		p := health.NewProbe("127.0.0.1:0")
		if err := p.DeclareHealthy(); err != nil {
			t.Fatal(err)
		}
		address := p.Addr().String()
		var closed atomic.Bool
		var probers sync.WaitGroup
		probed := make(chan struct{}, 8)
		for range cap(probed) {
			probers.Go(func() {
				for n := 0; ; n++ {
					after := closed.Load()
					err := probe(address)
					if n == 0 {
						probed <- struct{}{}
					}
					if after && err == nil {
						t.Error("a probe succeeded after Close")
					}
					if after {
						return
					}
				}
			})
		}
		for range cap(probed) {
			<-probed
		}
		p.Close()
		closed.Store(true)
		probers.Wait()
		if p.Addr() != nil || p.Status() != health.Unhealthy {
			t.Errorf("%v at %v after Close", p.Status(), p.Addr())
		}
	}
}

func TestProbingAndFlippingLeaksNothing(t *testing.T) {
	p := health.NewProbe("127.0.0.1:0")
	defer p.Close()
	before := openFiles(t)
	var probers sync.WaitGroup
	for round := range 50 {
		if err := p.DeclareHealthy(); err != nil {
			t.Fatal(err)
		}
		address := p.Addr().String()
		for range 4 {
			probers.Go(func() {
				for range 50 {
					_ = probe(address) // half of them meet a port that is closing
				}
			})
		}
		if round%2 == 0 {
			probers.Wait()
		}
		if err := p.DeclareUnhealthy(); err != nil {
			t.Fatal(err)
		}
	}
	probers.Wait()
	if after := openFiles(t); after > before {
		t.Errorf("%d descriptors before 10,000 probes, %d after", before, after)
	}
}

// endsWith waits until no more than so many goroutines run: one may still be about to end when its connection is closed.
func endsWith(t *testing.T, goroutines int) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > goroutines; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines before, %d after", goroutines, runtime.NumGoroutine())
		}
	}
}

// openFiles counts this process's descriptors, where the system tells.
func openFiles(t *testing.T) int {
	if runtime.GOOS != "linux" {
		return 0
	}
	entries, err := os.ReadDir(filepath.Join("/proc", "self", "fd"))
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// Whoever reaches the port can neither hold anything open nor hold up the end.
func TestClientsThatStayHoldNothing(t *testing.T) {
	p := health.NewProbe("127.0.0.1:0")
	defer p.Close()
	if err := p.DeclareHealthy(); err != nil {
		t.Fatal(err)
	}
	address := p.Addr().String()
	before, goroutines := openFiles(t), runtime.NumGoroutine()
	const clients = 500
	stay := make([]net.Conn, 0, clients)
	for range clients {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, _ = c.Write([]byte("GET / HTTP/1.1\r\n")) // and never an end
		stay = append(stay, c)
	}
	for _, c := range stay {
		if n, _ := c.Read(make([]byte, 1)); n > 0 { // returns because the probe has closed its end
			t.Error("the health port sent something")
		}
	}
	if after := openFiles(t); after > before+clients {
		t.Errorf("%d descriptors before, %d with %d clients", before, after, clients)
	}
	endsWith(t, goroutines)

	var flood sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		flood.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					if c, err := net.Dial("tcp", address); err == nil {
						_ = c.Close()
					}
				}
			}
		})
	}
	p.Close() // returns while they come
	close(stop)
	flood.Wait()
	if err := probe(address); err == nil {
		t.Error("the port is still open")
	}
}
