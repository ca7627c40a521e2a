package connector_test

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// A fleet is many sources of one process, on one server.
type fleet struct {
	server  *vantiqtest.Server
	network *vantiqtest.Network
	sources int

	mu        sync.Mutex
	dials     []time.Time
	connected []time.Time   // when each source was last connected
	up        int           // how many are
	all       chan struct{} // closed when all are, once more
	indexes   map[string]int
}

// muster connects so many sources and waits until all are connected. They end with the test.
func muster(t *testing.T, sources int) *fleet {
	f := &fleet{
		network: vantiqtest.NewNetwork(), sources: sources, indexes: make(map[string]int, sources),
		connected: make([]time.Time, sources), all: make(chan struct{}),
	}
	f.server = vantiqtest.NewServer(vantiqtest.WithNetwork(f.network))
	group := connector.NewGroup(sources)
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	t.Cleanup(func() {
		f.server.Close()
		stop()
		running.Wait()
	})
	for n := range sources {
		f.indexes[fmt.Sprint("Source", n)] = n
	}
	for name := range f.indexes {
		f.server.Source(name, nil)
		conn, err := connector.New(name, connector.Options{
			TargetServer: f.server.URL(), AuthToken: "local-token", DialContext: f.dial, Group: group, Hooks: []connector.Hook{f},
		})
		if err != nil {
			t.Fatal(err)
		}
		running.Go(func() { _ = conn.Run(ctx) })
	}
	<-f.all
	return f
}

func (f *fleet) dial(ctx context.Context, network, address string) (net.Conn, error) {
	f.mu.Lock()
	f.dials = append(f.dials, time.Now().Round(time.Microsecond)) // waits are rounded to nanoseconds, and add up
	f.mu.Unlock()
	return f.network.DialContext(ctx, network, address)
}

// OnState implements [connector.StateHook].
func (f *fleet) OnState(source string, from, to connector.State, _ error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case to == connector.Connected:
		f.connected[f.indexes[source]] = time.Now()
		if f.up++; f.up == f.sources {
			close(f.all)
		}
	case from == connector.Connected:
		f.up--
	}
}

// outage stops the server for so long, and waits until all sources are connected again. It returns when the server came
// back, and how long after that each source did.
func (f *fleet) outage(length time.Duration) (back time.Time, returned spread) {
	f.mu.Lock()
	f.dials, f.all = nil, make(chan struct{})
	all := f.all
	f.mu.Unlock()
	f.server.Stop(vantiqtest.FIN)
	pass(length)
	back = time.Now()
	f.server.Start()
	<-all
	for _, at := range f.connected {
		returned = append(returned, at.Sub(back))
	}
	return back, returned
}

// mostDials returns the most dials that fell into any second.
func (f *fleet) mostDials() (most int) {
	first := 0
	for last, at := range f.dials {
		for !at.Before(f.dials[first].Add(time.Second)) {
			first++
		}
		most = max(most, last-first+1)
	}
	return most
}

// chart draws the dials per second, before the server came back and after.
func (f *fleet) chart(t *testing.T, back time.Time, outage, recovery time.Duration) {
	full := float64(f.limit())
	draw := func(from, to, step time.Duration) {
		for ; from < to; from += step {
			count := 0
			for _, at := range f.dials {
				if at := at.Sub(back); from <= at && at < from+step {
					count++
				}
			}
			perSecond := float64(count) / step.Seconds()
			figure(t, "    %+5.0f s %6.0f %s", from.Seconds(), perSecond, bar(perSecond, full, 50))
		}
	}
	draw(-outage, 0, outage/10)
	figure(t, "            the server is back")
	draw(0, recovery, (recovery/12).Truncate(time.Second)+time.Second)
}

// limit returns how many dials a second are right.
func (f *fleet) limit() int { return max(200, f.sources/5) }

// All sources of a process come back after an outage, soon and without overrunning the server.
func TestFiguresOfAnOutage(t *testing.T) {
	type outage struct {
		sources         int
		length          time.Duration
		median, longest time.Duration // from the server's return to the source's
	}
	outages := []outage{
		{1_000, time.Minute, 5 * time.Second, 12 * time.Second},
		{measured(10_000, 1_500), time.Minute, 5 * time.Second, 12 * time.Second},
	}
	if *figures {
		outages = append(outages,
			outage{1_000, 5 * time.Minute, 15 * time.Second, 35 * time.Second},
			outage{10_000, 5 * time.Minute, 15 * time.Second, 35 * time.Second})
	}
	for _, c := range outages {
		t.Run(fmt.Sprintf("%d sources %v", c.sources, c.length), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := muster(t, c.sources)
				pass(time.Minute) // good sessions
				back, returned := f.outage(c.length)
				figure(t, "%d sources, an outage of %v: %d dials, at most %d in any second.", c.sources, c.length, len(f.dials), f.mostDials())
				figure(t, "")
				figure(t, "| connected again after the server's return | %s |", spreadColumns)
				figure(t, "| --- | --- | --- | --- | --- |")
				figure(t, "| %d sources, %v | %s |", c.sources, c.length, returned.cells())
				figure(t, "")
				f.chart(t, back, c.length, returned.within(1))
				if most := f.mostDials(); most > f.limit() {
					t.Errorf("%d dials in a second, %d are right", most, f.limit())
				}
				if median, longest := returned.within(0.5), returned.within(1); median > c.median || longest > c.longest {
					t.Errorf("back after %v (median) and %v (longest)", median, longest)
				}
			})
		})
	}
}
