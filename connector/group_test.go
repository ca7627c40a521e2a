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
// What a server that comes back has to bear is bounded. At the start, one burst of first dials tells that it is not there.
func TestTheDialsOfAGroupArePaced(t *testing.T) {
	for _, c := range []struct{ sources, perSecond int }{{1, 200}, {1500, 300}} {
		t.Run(fmt.Sprint(c.sources, " sources"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				var dials []time.Time
				began, atOnce := time.Now(), 0
				runGroup(t, c.sources, 5*c.perSecond, func(context.Context) error {
					mu.Lock()
					defer mu.Unlock()
					if now := time.Now(); now.Equal(began) {
						atOnce++
					} else {
						dials = append(dials, now)
					}
					return errors.New("nobody there")
				})
				pass(4 * time.Second)
				mu.Lock()
				defer mu.Unlock()
				isPaced(t, dials, c.perSecond)
				if len(dials) < 36*c.perSecond/10-atOnce {
					t.Errorf("only %d dials in 4 seconds", len(dials))
				}
				if most := (1000 + c.perSecond) / 10; atOnce > most {
					t.Errorf("%d dials at once, want %d at most", atOnce, most)
				}
			})
		})
	}
}

// A server that is there need not be spared as one that is just coming back.
func TestTheFirstDialsOfAGroupComeFaster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const sources = 1500
		began := time.Now()
		f := muster(t, sources)
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("%d sources were connected after %v", sources, took)
		}
		isPaced(t, f.dials, 1000)
	})
}

// isPaced checks that no second has seen more than so many dials.
func isPaced(t *testing.T, dials []time.Time, perSecond int) {
	t.Helper()
	for from := range dials {
		to := from + perSecond
		if to < len(dials) && dials[to].Sub(dials[from]) < time.Second-time.Millisecond {
			t.Fatalf("dials %d to %d were started within %v", from, to, dials[to].Sub(dials[from]))
		}
	}
}

func TestAtMost256HandshakesAreUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var underWay, most atomic.Int64
		answer := make(chan struct{})
		runGroup(t, 600, 600, func(ctx context.Context) error {
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
func runGroup(t *testing.T, sources, connections int, dial func(ctx context.Context) error) {
	t.Helper()
	group := connector.NewGroup(sources)
	ctx, stop := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for n := range connections {
		conn, err := connector.New(fmt.Sprint("Source", n), connector.Options{
			TargetServer: "http://vantiq.test", AuthToken: "local-token", Group: group,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return nil, dial(ctx) },
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
