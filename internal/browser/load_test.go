package browser_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/heapprofiler"
	"github.com/chromedp/cdproto/memory"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/vantiq-go/connectorsdk/connector"
)

const (
	loadVariable = "CONSOLE_LOAD" // how long the load lasts
	shortLoad    = 8 * time.Second
	loadRate     = 10_000 // notifications a second
	loadSamples  = 12     // of the page's memory, the first two while it is still filling
	warmUp       = 2

	clickPatience = 10 * time.Second // slow is a matter of the machine; this is frozen
	loadPatience  = 2 * time.Minute  // beyond what the load lasts
)

// A sample is what the page takes at one time, when its garbage has been collected.
type sample struct {
	heap, embedder int64 // bytes
	nodes          int64
	rows           int
	answered       time.Duration // from a click to what it does
}

// TestTenThousandMessagesASecond lets a connector send for a while through a real connection, with the page open. What page
// and server hold must not grow once they are full, the page must answer clicks, and account for every message.
func TestTenThousandMessagesASecond(t *testing.T) {
	duration := shortLoad
	if text := os.Getenv(loadVariable); text != "" {
		var err error
		if duration, err = time.ParseDuration(text); err != nil {
			t.Fatalf("%s: %v", loadVariable, err)
		}
	}
	s := startServe(t, "Load")
	p := open(t, s, wide)
	set := connect(t, s, "Load")
	p.until("it is connected", `source("Load").matches(".connected")`)
	connection, _ := set.Connection("Load")

	var sent atomic.Int64
	var samples []sample
	defer p.within(duration+loadPatience, func() string {
		return fmt.Sprintf("%d messages were sent and %d of %d samples taken", sent.Load(), len(samples), loadSamples)
	})()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	begun := time.Now()
	go func() { ended <- send(ctx, connection, &sent) }()

	before := int64(0) // sent at the last sample
	var early []int    // of the server, in the first half
	next := time.NewTicker(duration / loadSamples)
	defer next.Stop()
	for len(samples) < loadSamples {
		select {
		case <-next.C:
			samples = append(samples, p.sample())
			now := sent.Load()
			if now == before {
				t.Errorf("sample %d: nothing could be sent since the one before, after %d messages", len(samples)-1, now)
			}
			before = now
		case err := <-ended:
			t.Fatalf("after %d messages: %v", sent.Load(), err)
		}
		switch len(samples) {
		case warmUp:
			s.forgetHeaps()
		case (loadSamples + warmUp) / 2:
			early = s.liveHeaps()
			s.forgetHeaps()
		}
	}
	late := s.liveHeaps()
	if len(early) == 0 || len(late) == 0 {
		t.Fatal("the server's garbage collector said nothing")
	}
	stop()
	if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	lasted := time.Since(begun)
	total := sent.Load()
	t.Logf("%d notifications in %v, %.0f a second", total, lasted.Round(time.Millisecond), float64(total)/lasted.Seconds())
	for i, m := range samples {
		t.Logf("sample %2d: JavaScript %.1f MB, its embedder %.1f MB, %d DOM nodes, %d rows, a click answered after %v",
			i, float64(m.heap)/1e6, float64(m.embedder)/1e6, m.nodes, m.rows, m.answered.Round(time.Millisecond))
	}
	t.Logf("server: %d collections left %d to %d MB alive, then %d collections %d to %d MB",
		len(early), slices.Min(early), slices.Max(early), len(late), slices.Min(late), slices.Max(late))

	first, second := samples[warmUp:(loadSamples+warmUp)/2], samples[(loadSamples+warmUp)/2:]
	flat(t, "JavaScript heap", first, second, func(m sample) int64 { return m.heap }, 3e5)
	// It comes and goes by some 7 MB.
	flat(t, "heap of its embedder", first, second, func(m sample) int64 { return m.embedder }, 1e7)
	flat(t, "DOM nodes", first, second, func(m sample) int64 { return m.nodes }, 500)
	flat(t, "live heap of the server in MB", early, late, func(mb int) int64 { return int64(mb) }, 2)
	for i, m := range samples {
		if m.rows > 300 {
			t.Errorf("sample %d: the page has %d rows", i, m.rows)
		}
		if m.answered > clickPatience {
			t.Errorf("sample %d: a click was answered after %v", i, m.answered)
		}
	}

	// Everything has arrived, and the page knows of everything: each notification and its status is shown or left out.
	p.until("all is counted", fmt.Sprintf(`$$(".listed").some((e) => e.textContent === "%s notifications")`, thousands(total)))
	if want := fmt.Sprintf(`"notifications":%d,`, total); !strings.Contains(s.state(), want) {
		t.Errorf("the console does not say %s but %s", want, s.state())
	}
	p.until("and accounted for", fmt.Sprintf(`(() => {
		const [seen, leftOut] = $("#counts").textContent.match(/[\d,]+/g).map((n) => Number(n.replaceAll(",", "")));
		return seen + leftOut >= %d && seen + leftOut <= %d;
	})()`, 2*total+4, 2*total+100))
	p.publish(`{"after": "all that"}`)
	p.until("the end is in view", `rows().at(-1).label === "status 200" && rows().some((row) => row.body.includes("all that"))`)
}

// send sends notifications at loadRate until ctx ends.
func send(ctx context.Context, c *connector.SourceConnection, sent *atomic.Int64) error {
	const pace = 10 * time.Millisecond
	note := strings.Repeat("some words ", 20)
	ticker := time.NewTicker(pace)
	defer ticker.Stop()
	begun := time.Now()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		for due := int64(time.Since(begun).Seconds() * loadRate); sent.Load() < due; sent.Add(1) {
			n := sent.Load()
			if err := c.SendNotification(ctx, map[string]any{"n": n, "sensor": "A-" + strconv.FormatInt(n%100, 10), "value": float64(n%1000) / 10, "note": note}); err != nil {
				return err
			}
		}
	}
}

// within gives the page that long from now on. The function that it returns ends that, and says how far the test had come if
// it took longer.
func (p *page) within(d time.Duration, howFar func() string) (over func()) {
	whole := p.ctx
	ctx, cancel := context.WithTimeout(whole, d)
	p.ctx = ctx
	return func() {
		p.t.Helper()
		if ctx.Err() != nil {
			p.t.Errorf("it was not over after %v: %s", d, howFar())
		}
		cancel()
		p.ctx = whole
	}
}

// sample clicks a button, waits for what it does, and looks at the memory.
func (p *page) sample() (m sample) {
	p.t.Helper()
	clicked := time.Now()
	p.click("#pause")
	p.until("the page pauses", `$("#pause").getAttribute("aria-pressed") === "true"`)
	m.answered = time.Since(clicked)
	p.click("#newer")
	p.until("it follows again", `$("#pause").getAttribute("aria-pressed") === "false"`)
	p.until("what is left out is said", `/^[\d,]+ left out$/.test($("#rows .gap")?.textContent)`)
	m.rows = value[int](p, `$$("#rows > li").length`)

	_, err := chromedp.Call(p.ctx, heapprofiler.CollectGarbage, cdp.Empty{})
	p.must(err)
	usage, err := chromedp.Call(p.ctx, runtime.GetHeapUsage, cdp.Empty{})
	p.must(err)
	counters, err := chromedp.Call(p.ctx, memory.GetDOMCounters, cdp.Empty{})
	p.must(err)
	m.heap, m.embedder, m.nodes = int64(usage.UsedSize), int64(usage.EmbedderHeapUsedSize), counters.Nodes
	return m
}

// flat fails if the least that was seen later is more than a fifth, and some slack, above the least that was seen before:
// what is above that may be garbage that nobody has collected yet.
func flat[T any](t *testing.T, what string, before, after []T, of func(T) int64, slack int64) {
	t.Helper()
	least := func(all []T) int64 {
		return of(slices.MinFunc(all, func(a, b T) int { return cmp.Compare(of(a), of(b)) }))
	}
	if was, is := least(before), least(after); is > was+was/5+slack {
		t.Errorf("%s has grown from %d to %d", what, was, is)
	}
}

// liveHeaps returns what was alive, in MB, at the end of each of the server's collections since forgetHeaps.
func (s *serve) liveHeaps() (heaps []int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	trace := regexp.MustCompile(`^gc \d+ .* \d+->\d+->(\d+) MB,`)
	for _, line := range s.lines {
		if found := trace.FindStringSubmatch(line); found != nil {
			heap, _ := strconv.Atoi(found[1])
			heaps = append(heaps, heap)
		}
	}
	return heaps
}

func (s *serve) forgetHeaps() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = nil
}

// thousands writes a number as the page does.
func thousands(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

func TestHiddenTabAsksForNothing(t *testing.T) {
	s := startServe(t, "EchoSource")
	connect(t, s, "EchoSource")
	p := open(t, s, wide)
	p.until("it is connected", `source("EchoSource").matches(".connected")`)
	streams := `performance.getEntriesByType("resource").filter((e) => e.name.includes("/api/stream")).length`
	p.hide(true)
	p.until("the stream is closed", streams+" === 1") // an entry is made when a request has ended
	if status := s.send(http.MethodPost, "/api/sources/EchoSource/publish", `{"while": "hidden"}`); status != http.StatusNoContent {
		t.Fatalf("status %d", status)
	}
	if value[bool](p, `rows().some((row) => row.body.includes("hidden"))`) {
		t.Error("a hidden page went on")
	}
	p.hide(false)
	p.until("what it missed is there", `rows().filter((row) => row.body.includes("hidden")).length === 2 && labels().filter((label) => label === "configuration").length === 1`)
}
