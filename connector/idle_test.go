package connector_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

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
		pass(5*time.Minute + 5*time.Second) // not when pings are sent: whoever did that lingers for a moment
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
