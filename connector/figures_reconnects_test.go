package connector_test

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// A source that has reconnected ten thousand times holds what it held at first. Every link ends in another way, and every
// session publishes, asks and notifies. Now and then another server takes the place of the one before, so that what a
// server remembers does not count.
func TestFiguresOfReconnecting(t *testing.T) {
	const heapGrowth = 64 << 10 // bytes that the heap may be larger than at first
	each := measured(1000, 100)
	figure(t, "| Reconnects | goroutines | heap |")
	figure(t, "| --- | --- | --- |")
	synctest.Test(t, func(t *testing.T) {
		network := vantiqtest.NewNetwork()
		b := setUpIn(t, network, nil, connector.Options{Logger: quiet}).connect(echo())
		t.Cleanup(func() { b.server.Close() }) // whichever it is then
		var first usage
		for round := range 11 {
			for n := range each {
				b.exchange(n)
				pass(31 * time.Second) // a good session
				b.reconnect(n)
			}
			b.replaceServer(network)
			b.exchange(0)
			pass(3 * time.Second) // workers that were needed for that linger
			now := used()
			figure(t, "| %d | %d | %d KiB |", b.conn.Stats().Reconnects, now.goroutines, now.heap>>10)
			if round == 0 { // the runtime keeps what the most goroutines there ever were need
				first = now
			}
			if now.goroutines > first.goroutines || now.heap > first.heap+heapGrowth {
				t.Errorf("after %d reconnects %+v is used, at first it was %+v", b.conn.Stats().Reconnects, now, first)
			}
		}
	})
}

// exchange sends something of each kind to and fro.
func (b *bench) exchange(n int) {
	b.t.Helper()
	ctx := b.t.Context() // not soon, which the test holds until its end
	b.must(b.source.Publish(ctx, object{"n": n}))
	_, err := b.source.Notification(ctx)
	b.must(err)
	_, err = b.source.Query(ctx, object{"n": n})
	b.must(err)
}

// reconnect ends the session in one of many ways and waits for the next.
func (b *bench) reconnect(n int) {
	b.t.Helper()
	sessions := b.conn.Stats().Sessions
	ends := []vantiqtest.Drop{1000, 1001, 1012, vantiqtest.FIN, vantiqtest.RST, vantiqtest.Vanish}
	b.source.Drop(ends[n%len(ends)])
	b.sessionAfter(sessions)
}

// sessionAfter waits until the connector has had more sessions than so many.
func (b *bench) sessionAfter(sessions uint64) {
	b.t.Helper()
	for end := time.Now().Add(patience); b.conn.Stats().Sessions == sessions || b.conn.State() != connector.Connected; {
		if time.Now().After(end) {
			b.t.Fatalf("no session after %d: %+v", sessions, b.conn.Stats())
		}
		pass(10 * time.Millisecond)
	}
}

// replaceServer puts another server into the place of the one there was.
func (b *bench) replaceServer(network *vantiqtest.Network) {
	b.t.Helper()
	sessions := b.conn.Stats().Sessions
	b.server.Close()
	b.server = vantiqtest.NewServer(vantiqtest.WithNetwork(network))
	b.source = b.server.Source("EchoSource", nil)
	b.sessionAfter(sessions)
}

// usage is what a process holds.
type usage struct {
	goroutines int
	heap       int64
}

func used() usage {
	synctest.Wait()
	u := usage{runtime.NumGoroutine(), held()}
	for range 100 { // those that are just ending still count
		runtime.Gosched()
		u.goroutines = min(u.goroutines, runtime.NumGoroutine())
	}
	return u
}
