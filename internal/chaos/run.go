package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// A chaos is one run.
type chaos struct {
	settings
	progress io.Writer
	server   *vantiqtest.Server
	sources  []*source // in this process
	children []*child
	bySource map[string]*source
	links    sync.Map // of *source, by the Done channel of the server's link

	running   context.Context // ends with the run
	stop      context.CancelFunc
	violation atomic.Pointer[string] // the first
	began     time.Time
	work      sync.WaitGroup // all goroutines of the workload
	lag       lag
	asked     atomic.Int64 // queries that wait for an answer
	calm      atomic.Bool  // no handler is to err now

	fragile  sync.RWMutex // held by those who cannot bear that all links break
	faults   tally
	outcomes tally // of queries
	dialMu   sync.Mutex
	dials    pace
	samples  []sample
}

// quietTimes is how often a run falls quiet, and shortestSpell how long faults strike at least before it does.
const (
	quietTimes    = 10
	shortestSpell = 20 * time.Second
)

// run lets faults strike, with quiet moments in between, and returns the figures, or the violation that ended it.
func run(ctx context.Context, o settings, progress io.Writer) (*figures, error) {
	c := &chaos{settings: o, progress: progress, began: time.Now(), bySource: map[string]*source{}}
	c.running, c.stop = context.WithCancel(ctx)
	defer c.stop()
	c.server = vantiqtest.NewServer(vantiqtest.WithFrames(vantiqtest.Binary, vantiqtest.Text), vantiqtest.WithObserver(c.observe))
	defer c.server.Close()
	c.server.InterceptUpgrade(c.interceptUpgrade)
	c.server.Intercept(c.intercept)
	directory, err := os.MkdirTemp("", "chaos-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(directory)

	connected, disconnect := context.WithCancel(context.Background())
	defer disconnect()
	if err := c.connectAll(connected, directory); err != nil {
		return nil, err
	}
	c.strikeAll()
	c.stop()
	c.work.Wait()
	c.end(disconnect)
	if violation := c.violation.Load(); violation != nil {
		return nil, errors.New(*violation)
	}
	return c.figures(), ctx.Err()
}

// connectAll starts the connectors and what they do.
func (c *chaos) connectAll(ctx context.Context, directory string) error {
	group := connector.NewGroup(c.settings.sources)
	for i := range c.settings.sources {
		c.add(c.newSource(i, fmt.Sprintf("Source%d", i)))
	}
	for i := range c.settings.children {
		c.addChild(i, directory)
	}
	c.work.Go(func() { c.lag.watch(c.running) })
	for _, s := range c.sources {
		if err := s.connect(group); err != nil {
			return err
		}
	}
	for _, s := range c.sources {
		go func() { // ends with ctx; end waits for Closed
			// What arrived may still be unacknowledged: acknowledgements were lost and doubled.
			if err := s.conn.Run(ctx); err != nil && !errors.Is(err, connector.ErrUndelivered) {
				s.check("", func() error { return fmt.Errorf("Run returned %w", err) })
			}
		}()
	}
	for _, s := range c.sources {
		// A server that has never acknowledged would be served without waiting for it, and what was under way then is lost.
		first := &sender{stream: "first"}
		_ = s.send(c.running, first)
	}
	c.settle()
	for _, s := range c.sources {
		s.work(c.running)
	}
	if c.tamper != nil {
		c.tamper(c)
	}
	return nil
}

func (c *chaos) add(s *source) {
	c.sources = append(c.sources, s)
	c.bySource[s.source] = s
}

// strikeAll lets all plans play.
func (c *chaos) strikeAll() {
	var plans []*plan
	for i := range c.sources {
		plans = append(plans, newPlan(random(c.seed, planStream, i), c.every, faults()))
	}
	server := &source{ledger: newLedger("the server", c.violated, &c.lag), chaos: c}
	outages := newPlan(random(c.seed, serverStream, 0), betweenOutages, []fault{
		{"server restart", 1, bounds{0, len(outageKinds) - 1}, bounds{50, 3000}, restart},
	})
	spell := max(c.duration/quietTimes, min(c.duration, shortestSpell))
	for from := time.Duration(0); from < c.duration && c.running.Err() == nil; from += spell {
		end := min(from+spell, c.duration)
		began := time.Now()
		striking, stop := context.WithTimeout(c.running, end-from)
		var players sync.WaitGroup
		for i, s := range c.sources {
			players.Go(func() { s.play(striking, plans[i], began, from, end) })
		}
		for _, child := range c.children {
			players.Go(func() { child.live(striking) })
		}
		players.Go(func() { server.play(striking, outages, began, from, end) })
		players.Wait()
		stop()
		c.quiet(end)
	}
}

// quiet lets all come to rest and takes a sample of what that takes.
func (c *chaos) quiet(at time.Duration) {
	c.calm.Store(true)
	defer c.calm.Store(false)
	for _, s := range c.sources {
		s.valve.shut()
		defer s.valve.open()
	}
	for _, child := range c.children {
		child.deliver()
	}
	c.settle()
	if c.running.Err() != nil {
		return
	}
	c.samples = append(c.samples, takeSample())
	last := c.samples[len(c.samples)-1]
	say(c.progress, "chaos: %6s  %6d faults  %9d notifications  %d goroutines, heap %d KiB, resident %d KiB\n",
		at.Round(time.Second), c.faults.sum(), c.arrivals(), last.Goroutines, last.Heap>>10, last.Resident>>10)
	for _, err := range checkSamples(c.samples) {
		c.violated("all", err, nil)
	}
}

// settlesWithin is how long after the last fault everything must have been delivered and answered.
const settlesWithin = time.Minute

// settle waits until all sources are connected and everything that was accepted or asked has come to its end.
func (c *chaos) settle() {
	var unsettled *source
	var err error
	for end := time.Now().Add(settlesWithin); time.Now().Before(end); _ = sleep(c.running, 20*time.Millisecond) {
		if unsettled, err = c.unsettled(); err == nil || c.running.Err() != nil {
			return
		}
	}
	unsettled.check("", func() error { return fmt.Errorf("%v after the last fault: %s", settlesWithin, err.Error()) })
}

// unsettled returns a source that is not settled, and why.
func (c *chaos) unsettled() (*source, error) {
	for _, s := range c.sources {
		if s.conn.State() != connector.Connected || s.at.Link() == nil {
			return s, fmt.Errorf("it is %v", s.conn.State())
		}
		switch stats := s.conn.Stats(); {
		case stats.Queued > 0 || stats.QueriesOpen > 0:
			return s, fmt.Errorf("%d notifications wait for acknowledgements, %d queries are open", stats.Queued, stats.QueriesOpen)
		case stats.PublishesDropped > 0:
			return s, fmt.Errorf("%d publishes were dropped", stats.PublishesDropped)
		}
	}
	if n := c.asked.Load(); n > 0 {
		return c.sources[0], fmt.Errorf("%d queries wait, at any source", n)
	}
	for _, s := range c.sources {
		l := s.at.Link()
		if l == nil {
			return s, waiting("its link was lost")
		}
		if err := s.settled(l.ID()); err != nil {
			return s, err
		}
	}
	for _, child := range c.children {
		for _, s := range child.sources {
			if err := s.delivered(); err != nil {
				return s, err
			}
		}
	}
	for _, s := range c.sources {
		s.turn()
	}
	return nil, nil
}

// end ends all connections, and checks what can be known only then.
func (c *chaos) end(disconnect func()) {
	disconnect()
	for _, s := range c.sources {
		soon, cancel := context.WithTimeout(context.Background(), settlesWithin)
		err := s.conn.Close(soon)
		cancel()
		if errors.Is(err, connector.ErrUndelivered) { // is it so?
			err = s.delivered()
		}
		s.check("connector: Run has returned", func() error {
			if err != nil {
				return fmt.Errorf("Close returned: %s", err.Error()) // nothing will mend it now
			}
			return s.session.ended()
		})
	}
}

// violated ends the run. Only the first violation counts.
func (c *chaos) violated(source string, err error, recent []string) {
	text := fmt.Sprintf("after %v, source %s: %v\n\nwhat happened there before:\n  %s",
		time.Since(c.began).Round(time.Millisecond), source, err, strings.Join(recent, "\n  "))
	c.violation.CompareAndSwap(nil, &text)
	c.stop()
}

// dialSlack is what a burst of as many dials takes as may start at once, and a little more.
const dialSlack = 300 * time.Millisecond

// A source waits between two dials for a quarter of a second on the average, or longer, and now and then not at all.
const (
	retryGap   = 200 * time.Millisecond
	retrySlack = 1200 * time.Millisecond
)

// dialled checks the pace of all dials, and of those of a source.
func (c *chaos) dialled(s *source) {
	c.dialMu.Lock()
	now := time.Now()
	late := c.lag.worst(now, now)
	c.dials.slack, s.dials.slack = dialSlack+late, retrySlack+late
	var all error
	if s.dialled { // the first of each source may come faster
		all = c.dials.attempt(now, now, time.Second/time.Duration(max(200, c.settings.sources/5)))
	}
	s.dialled = true
	one := s.dials.attempt(now, now, retryGap)
	c.dialMu.Unlock()
	for _, err := range []error{all, one} {
		if err != nil {
			s.check("connector: dials", func() error { return fmt.Errorf("dials: %w", err) })
		}
	}
}

func (c *chaos) observe(e vantiqtest.Event) {
	if s := c.bySource[e.Source]; s != nil {
		s.observe(e)
	}
}

// takeSample measures after a collection of garbage. What is just ending gets a moment for that.
func takeSample() sample {
	least := sample{Goroutines: math.MaxUint64, Heap: math.MaxUint64}
	for range 8 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		least = sample{min(least.Goroutines, uint64(runtime.NumGoroutine())), min(least.Heap, m.HeapAlloc), resident()}
		time.Sleep(200 * time.Millisecond)
	}
	return least
}
