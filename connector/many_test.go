package connector_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// A thousand queries and a thousand publishes come at once, to slow handlers. With the default limits all queries have
// their turn; with smaller ones those beyond are told so at once. Publishes keep their order, and whoever pings is answered.
func TestAThousandQueriesAndPublishesAtOnce(t *testing.T) {
	for name, c := range map[string]struct {
		options             connector.Options
		running, fine, busy int
	}{
		"default limits": {options: connector.Options{}, running: 64, fine: 1000},
		"smaller limits": {options: connector.Options{MaxQueries: 10, MaxWaitingQueries: 100}, running: 10, fine: 110, busy: 890},
		"one at a time":  {options: connector.Options{MaxQueries: 1, QueryTimeout: time.Hour}, running: 1, fine: 1000},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := setUp(t, nil, c.options)
				var running, most, next, fine, busy atomic.Int64
				b.connect(connector.Handlers{
					Query: func(ctx context.Context, _ *connector.SourceConnection, q *connector.Query) error {
						most.Store(max(most.Load(), running.Add(1)))
						defer running.Add(-1)
						pass(time.Second)
						return q.Complete(ctx, q.Parameters())
					},
					Publish: func(_ context.Context, _ *connector.SourceConnection, message connector.Document) error {
						if want := fmt.Sprintf(`{"n":%d}`, next.Add(1)-1); message.String() != want {
							t.Errorf("%s came where %s was due", message, want)
						}
						pass(10 * time.Millisecond)
						return nil
					},
				})
				var all sync.WaitGroup
				for n := range 1000 {
					all.Go(func() {
						switch rows, err := b.source.Query(context.Background(), object{"n": n}); {
						case err == nil && fmt.Sprint(rows) == fmt.Sprintf(`[{"n":%d}]`, n):
							fine.Add(1)
						case codeOf(err) == connector.CodeBusy:
							busy.Add(1)
						default:
							t.Errorf("query %d: %v, %v", n, rows, err)
						}
					})
					b.must(b.source.Publish(b.soon(), object{"n": n}))
				}
				synctest.Wait()
				if running.Load() != int64(c.running) || busy.Load() != int64(c.busy) {
					t.Errorf("%d run and %d were told that the connector is busy, want %d and %d", running.Load(), busy.Load(), c.running, c.busy)
				}
				for range 5 {
					began := time.Now()
					b.must(b.source.Link().Ping(b.soon()))
					if took := time.Since(began); took > 0 {
						t.Errorf("a ping was answered after %v", took)
					}
					pass(time.Second)
				}
				all.Wait()
				synctest.Wait()
				if most.Load() != int64(c.running) || fine.Load() != int64(c.fine) {
					t.Errorf("%d at once, %d answered; want %d and %d", most.Load(), fine.Load(), c.running, c.fine)
				}
				s := b.conn.Stats()
				if s.Publishes != 1000 || s.PublishesDropped != 0 || s.QueriesOpen != 0 || s.Reconnects != 0 || len(b.source.Stray()) > 0 {
					t.Errorf("%d stray answers, stats %+v", len(b.source.Stray()), s)
				}
			})
		})
	}
}

// A standby with another secret is refused until the first one has gone.
func TestAnotherConnectorIsRefusedUntilTheSourceIsFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := vantiqtest.NewNetwork()
		b := setUpIn(t, network, nil, connector.Options{}).connect(echo())
		standby, err := connector.New("EchoSource", connector.Options{TargetServer: b.server.URL(), AuthToken: "local-token", DialContext: network.DialContext})
		b.must(err)
		ended := make(chan error, 1)
		go func() { ended <- standby.Run(context.Background()) }()
		pass(10 * time.Minute)
		if standby.State() == connector.Connected || len(b.server.Dials()) != 2 {
			t.Errorf("the standby is %v after %d links", standby.State(), len(b.server.Dials()))
		}
		b.must(b.end())
		b.must(standby.WaitConnected(b.soon()))
		b.must(standby.Close(b.soon()))
		b.must(<-ended)
	})
}

// A message leaves as a single frame, so that gorilla's write buffer is as large as the largest message. Idle links hold none.
func TestAnIdleLinkHoldsNoWriteBuffer(t *testing.T) {
	const sources = 200
	synctest.Test(t, func(t *testing.T) {
		before := held()
		network := vantiqtest.NewNetwork()
		server := vantiqtest.NewServer(vantiqtest.WithNetwork(network))
		defer server.Close()
		group := connector.NewGroup(sources)
		ctx, stop := context.WithCancel(context.Background())
		var all sync.WaitGroup
		for n := range sources {
			name := fmt.Sprint("Source", n)
			server.Source(name, nil)
			conn, err := connector.New(name, connector.Options{TargetServer: server.URL(), AuthToken: "local-token", DialContext: network.DialContext, Group: group})
			if err != nil {
				t.Fatal(err)
			}
			all.Go(func() { _ = conn.Run(ctx) })
			for _, err := range []error{conn.WaitConnected(t.Context()), conn.SendNotification(t.Context(), object{}), conn.Flush(t.Context())} {
				if err != nil {
					t.Error(err)
				}
			}
		}
		synctest.Wait()
		each := (held() - before) / sources
		t.Logf("%d bytes for each source, its part of the local Vantiq included", each)
		if each > 128<<10 { // half of a write buffer
			t.Errorf("%d bytes for each source", each)
		}
		stop()
		all.Wait()
	})
}

// held returns how many bytes of the heap are still needed; what pools hold is not.
func held() int64 {
	var m runtime.MemStats
	runtime.GC() // moves what pools hold to where the next one
	runtime.GC() // finds it
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// What an idle source costs: two goroutines, and nothing that grows.
func TestAnIdleSourceHasTwoGoroutines(t *testing.T) {
	const sources = 100
	synctest.Test(t, func(t *testing.T) {
		network := vantiqtest.NewNetwork()
		server := vantiqtest.NewServer(vantiqtest.WithNetwork(network))
		defer server.Close()
		group := connector.NewGroup(sources)
		ctx, stop := context.WithCancel(context.Background())
		var all sync.WaitGroup
		for n := range sources {
			name := fmt.Sprint("Source", n)
			server.Source(name, nil)
			conn, err := connector.New(name, connector.Options{TargetServer: server.URL(), AuthToken: "local-token", DialContext: network.DialContext, Group: group})
			if err != nil {
				t.Fatal(err)
			}
			conn.SetHandlers(echo())
			all.Go(func() { _ = conn.Run(ctx) })
			if err := conn.WaitConnected(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		pass(5 * time.Minute)
		synctest.Wait()
		if n := goroutinesOfSDK(); n != 2*sources {
			t.Errorf("%d goroutines of the SDK for %d idle sources", n, sources)
		}
		stop()
		all.Wait()
	})
}

// goroutinesOfSDK counts the goroutines in which code of package connector runs or waits.
func goroutinesOfSDK() (n int) {
	stacks := make([]byte, 16<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	for _, stack := range strings.Split(string(stacks), "\n\n") {
		if strings.Contains(stack, "connectorsdk/connector.(*") {
			n++
		}
	}
	return n
}
