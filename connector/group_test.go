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
func TestTheDialsOfAGroupArePaced(t *testing.T) {
	for _, c := range []struct{ sources, perSecond int }{{1, 200}, {1000, 200}, {1500, 300}} {
		t.Run(fmt.Sprint(c.sources, " sources"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				var dials []time.Time
				runGroup(t, c.sources, 5*c.perSecond, func(context.Context) error {
					mu.Lock()
					defer mu.Unlock()
					dials = append(dials, time.Now())
					return errors.New("nobody there")
				})
				pass(4 * time.Second)
				mu.Lock()
				defer mu.Unlock()
				for first := range dials {
					last := first + c.perSecond
					if last < len(dials) && dials[last].Sub(dials[first]) < time.Second-time.Millisecond {
						t.Fatalf("dials %d to %d were started within %v", first, last, dials[last].Sub(dials[first]))
					}
				}
				if len(dials) < 36*c.perSecond/10 {
					t.Errorf("only %d dials in 4 seconds", len(dials))
				}
			})
		})
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
