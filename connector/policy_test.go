package connector_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// Waits are drawn evenly from (0, age/6), age being that of the outage, but from no less than half a second and no more
// than thirty.
func TestWaitsGrowWithTheOutageAndAreNeverInStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var dials []time.Time
		b := setUpOn(t, nil, connector.Options{Logger: quiet, DialContext: func(context.Context, string, string) (net.Conn, error) {
			mu.Lock()
			defer mu.Unlock()
			dials = append(dials, time.Now())
			return nil, errors.New("nobody there")
		}}, vantiqtest.WithNetwork(vantiqtest.NewNetwork()))
		began := time.Now()
		b.run(echo())
		pass(24 * time.Hour)
		mu.Lock()
		defer mu.Unlock()
		var tenths [10]int
		capped := 0
		const pacing = 10 * time.Millisecond
		for n := 1; n < len(dials); n++ {
			wait, age := dials[n].Sub(dials[n-1]), dials[n-1].Sub(began)
			longest := min(max(age/6, 500*time.Millisecond), 30*time.Second)
			if wait > longest+pacing {
				t.Errorf("a wait of %v in an outage of %v", wait, age)
			}
			if longest == 30*time.Second {
				capped++
				tenths[min(9, wait*10/longest)]++
			}
		}
		for tenth, n := range tenths {
			if share := float64(n) / float64(capped); share < 0.07 || share > 0.13 {
				t.Errorf("%.3f of %d waits are in tenth %d of their range", share, capped, tenth)
			}
		}
	})
}

// A session that has lasted thirty seconds proves that all is well: the outage before it is over.
func TestASessionOfThirtySecondsEndsTheOutage(t *testing.T) {
	for life, good := range map[time.Duration]bool{30 * time.Second: true, 29 * time.Second: false} {
		t.Run(life.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var waiting, longest time.Duration
				var since time.Time
				b := setUp(t, nil, connector.Options{Logger: quiet, Hooks: []connector.Hook{onState(func(from, to connector.State, _ error) {
					switch {
					case to == connector.Waiting:
						since = time.Now()
					case from == connector.Waiting:
						waiting = time.Since(since)
						longest = max(longest, waiting)
					}
				})}})
				b.server.Stop(vantiqtest.FIN)
				b.run(echo())
				pass(10 * time.Minute)
				b.server.Start()
				const rounds = 30
				for n := range rounds {
					b.session(n + 1)
					if n == 1 {
						longest = 0 // the first session came after ten minutes without one
					}
					pass(life)
					b.source.Drop(vantiqtest.FIN)
				}
				b.session(rounds + 1)
				if short := longest <= 500*time.Millisecond; short != good {
					t.Errorf("after sessions of %v the longest wait was %v", life, longest)
				}
			})
		})
	}
}

// A Connect handler that errs is called again after waits that grow from half a second to half a minute, give or take half.
func TestTheWaitsOfAFailingConnectHandlerGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var calls []time.Time
		b := setUp(t, nil, connector.Options{Logger: quiet})
		b.run(connector.Handlers{Connect: func(context.Context, *connector.SourceConnection, connector.Document) error {
			mu.Lock()
			defer mu.Unlock()
			calls = append(calls, time.Now())
			return errors.New("the database is down")
		}})
		pass(3 * time.Hour)
		mu.Lock()
		defer mu.Unlock()
		expected := 500 * time.Millisecond
		for n := 1; n < len(calls); n++ {
			if wait := calls[n].Sub(calls[n-1]); wait < expected/2 || wait > expected*3/2+time.Millisecond {
				t.Errorf("wait %d is %v, around %v was due", n, wait, expected)
			}
			expected = min(expected*3/2, 30*time.Second)
		}
		if len(calls) < 250 {
			t.Errorf("only %d calls in three hours", len(calls))
		}
	})
}
