package connector_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
)

// A group's dials are paced, and no more than 256 of its handshakes are under way.
// What a server that comes back has to bear is bounded; at the start of a process, it is not expected to be coming back.
func TestTheDialsOfAGroupArePaced(t *testing.T) {
	for _, c := range []struct{ sources, first, again int }{{1, 1000, 200}, {1500, 1000, 300}, {3000, 1500, 600}} {
		t.Run(fmt.Sprint(c.sources, " sources"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				var first, again []time.Time
				known := map[int]bool{}
				runGroup(t, c.sources, 5*c.again, func(_ context.Context, source int) error {
					mu.Lock()
					defer mu.Unlock()
					if known[source] {
						again = append(again, time.Now())
					} else {
						known[source], first = true, append(first, time.Now())
					}
					return errors.New("nobody there")
				})
				pass(6 * time.Second)
				mu.Lock()
				defer mu.Unlock()
				isPaced(t, "first dials", first, c.first)
				isPaced(t, "dials", again, c.again)
				if len(first) != 5*c.again || first[len(first)-1].Sub(first[0]) > time.Duration(len(first))*time.Second/time.Duration(c.first)*12/10 {
					t.Errorf("%d first dials within %v", len(first), first[len(first)-1].Sub(first[0]))
				}
				if len(again) < 36*c.again/10 {
					t.Errorf("only %d dials again in 6 seconds", len(again))
				}
			})
		})
	}
}

// isPaced checks that no second has seen more than so many dials.
func isPaced(t *testing.T, name string, dials []time.Time, perSecond int) {
	t.Helper()
	for from := range dials {
		to := from + perSecond
		if to < len(dials) && dials[to].Sub(dials[from]) < time.Second-time.Millisecond {
			t.Fatalf("%s %d to %d were started within %v", name, from, to, dials[to].Sub(dials[from]))
		}
	}
}

func TestAtMost256HandshakesAreUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var underWay, most atomic.Int64
		answer := make(chan struct{})
		runGroup(t, 600, 600, func(ctx context.Context, _ int) error {
			most.Store(max(most.Load(), underWay.Add(1)))
			defer underWay.Add(-1)
			select {
			case <-answer:
			case <-ctx.Done():
			}
			return errors.New("no")
		})
		pass(20 * time.Second)
		if n := underWay.Load(); n != 256 {
			t.Errorf("%d handshakes are under way", n)
		}
		close(answer)
		pass(20 * time.Second)
		if most.Load() != 256 {
			t.Errorf("%d handshakes were under way", most.Load())
		}
	})
}

// runGroup runs so many connections of one group, made for a number of sources, until the test ends. Each dials by dial.
func runGroup(t *testing.T, sources, connections int, dial func(ctx context.Context, source int) error) {
	t.Helper()
	group := connector.NewGroup(sources)
	ctx, stop := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for n := range connections {
		conn, err := connector.New(fmt.Sprint("Source", n), connector.Options{
			TargetServer: "http://vantiq.test", AuthToken: "local-token", Group: group,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return nil, dial(ctx, n) },
		})
		if err != nil {
			t.Fatal(err)
		}
		all.Go(func() { _ = conn.Run(ctx) })
	}
	t.Cleanup(func() {
		stop()
		all.Wait()
	})
}
