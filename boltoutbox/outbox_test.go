package boltoutbox_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vantiq-go/connectorsdk/boltoutbox"
	"github.com/vantiq-go/connectorsdk/connector"
)

// open opens the outbox at path; it is closed with the test, if not before.
func open(t *testing.T, path string, options boltoutbox.Options) *boltoutbox.Outbox {
	t.Helper()
	if options.Logger == nil {
		options.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	outbox, err := boltoutbox.Open(path, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := outbox.Close(); err != nil {
			t.Error(err)
		}
	})
	return outbox
}

func openQueue(t *testing.T, outbox *boltoutbox.Outbox, source string) connector.OutboxQueue {
	t.Helper()
	q, err := outbox.Open(source)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func event(n int) json.RawMessage { return fmt.Appendf(nil, `{"n":%d}`, n) }

// fill appends events from first to last and returns the last seq.
func fill(t *testing.T, q connector.OutboxQueue, first, last int) (seq uint64) {
	t.Helper()
	for n := first; n <= last; n++ {
		var err error
		if seq, err = q.Append(event(n)); err != nil {
			t.Fatal(err)
		}
	}
	return seq
}

// contents reads all that q holds, in pieces of a few.
func contents(t *testing.T, q connector.OutboxQueue) (events []string) {
	t.Helper()
	var entries [7]connector.OutboxEntry
	for after := uint64(0); ; {
		n, err := q.Read(after, entries[:], 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return events
		}
		for _, e := range entries[:n] {
			if e.Seq <= after {
				t.Fatalf("seq %d after %d", e.Seq, after)
			}
			events, after = append(events, string(e.Event)), e.Seq
		}
	}
}

func expect(t *testing.T, q connector.OutboxQueue, first, last int) {
	t.Helper()
	var want []string
	for n := first; n <= last; n++ {
		want = append(want, string(event(n)))
	}
	if got := contents(t, q); strings.Join(got, " ") != strings.Join(want, " ") {
		t.Fatalf("%d notifications %.300v, want %d to %d", len(got), got, first, last)
	}
}

func TestNotificationsStayUntilRemoved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "outbox.db")
	outbox := open(t, path, boltoutbox.Options{})
	q := openQueue(t, outbox, "Orders")
	middle := fill(t, q, 1, 100)
	fill(t, q, 101, 300)
	expect(t, q, 1, 300)
	if err := q.Remove(middle); err != nil {
		t.Fatal(err)
	}
	if err := outbox.Close(); err != nil {
		t.Fatal(err)
	}

	q = openQueue(t, open(t, path, boltoutbox.Options{}), "Orders")
	expect(t, q, 101, 300)
	messages, bytes, newest := q.Left()
	if messages != 200 || bytes != 200*len(event(100)) || newest != middle+200 {
		t.Errorf("left %d notifications, %d bytes, newest %d", messages, bytes, newest)
	}
	if seq := fill(t, q, 301, 301); seq <= newest {
		t.Errorf("seq %d after %d", seq, newest)
	}
	expect(t, q, 101, 301)
}

// Acknowledged notifications leave the file by themselves, or a killed process would send all of them again.
func TestRemovalsAreWrittenWithoutFurtherNotifications(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "outbox.db")
		q := openQueue(t, open(t, path, boltoutbox.Options{}), "Orders")
		if err := q.Remove(fill(t, q, 1, 100)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		copied := filepath.Join(t.TempDir(), "copy.db") // what a process would find if this one ended now
		write(t, copied, read(t, path))
		expect(t, openQueue(t, open(t, copied, boltoutbox.Options{}), "Orders"), 1, 0)
	})
}

func TestReadKeepsToItsBounds(t *testing.T) {
	q := openQueue(t, open(t, filepath.Join(t.TempDir(), "outbox.db"), boltoutbox.Options{}), "Orders")
	first := fill(t, q, 1, 1)
	fill(t, q, 2, 9)
	size := len(event(1))
	var entries [5]connector.OutboxEntry
	for _, test := range []struct {
		after           uint64
		room, bytes     int
		want, wantFirst int
	}{
		{after: 0, room: 5, bytes: 1 << 20, want: 5, wantFirst: 1},
		{after: first + 6, room: 5, bytes: 1 << 20, want: 2, wantFirst: 8},
		{after: 0, room: 5, bytes: 3*size + 1, want: 3, wantFirst: 1},
		{after: 0, room: 5, bytes: 0, want: 1, wantFirst: 1}, // at least one
		{after: first + 8, room: 5, bytes: 1 << 20, want: 0},
	} {
		n, err := q.Read(test.after, entries[:test.room], test.bytes)
		if err != nil || n != test.want || n > 0 && string(entries[0].Event) != string(event(test.wantFirst)) {
			t.Errorf("%+v: %d, %v, first %s", test, n, err, entries[0].Event)
		}
	}
}

func TestSourcesShareAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "outbox.db")
	outbox := open(t, path, boltoutbox.Options{})
	const sources, each = 50, 20
	var all sync.WaitGroup
	for s := range sources {
		q := openQueue(t, outbox, fmt.Sprint("Source", s))
		all.Go(func() {
			for n := range each {
				if _, err := q.Append(event(1000*s + n)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if err := outbox.Close(); err != nil {
		t.Fatal(err)
	}
	outbox = open(t, path, boltoutbox.Options{})
	for s := range sources {
		expect(t, openQueue(t, outbox, fmt.Sprint("Source", s)), 1000*s, 1000*s+each-1)
	}
	expect(t, openQueue(t, outbox, "Another"), 1, 0)
}

// Whoever appends later than another append has returned comes later in the queue.
func TestConcurrentAppendsKeepEachSendersOrder(t *testing.T) {
	q := openQueue(t, open(t, filepath.Join(t.TempDir(), "outbox.db"), boltoutbox.Options{}), "Orders")
	const senders, each = 16, 50
	var all sync.WaitGroup
	for s := range senders {
		all.Go(func() {
			for n := range each {
				if _, err := q.Append(fmt.Appendf(nil, `{"sender":%d,"n":%d}`, s, n)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	var next [senders]int
	for _, text := range contents(t, q) {
		var e struct{ Sender, N int }
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			t.Fatal(err)
		}
		if e.N != next[e.Sender] {
			t.Fatalf("sender %d: %d where %d was due", e.Sender, e.N, next[e.Sender])
		}
		next[e.Sender]++
	}
	for s, n := range next {
		if n != each {
			t.Errorf("sender %d: %d of %d", s, n, each)
		}
	}
}

func TestOneQueueForASource(t *testing.T) {
	outbox := open(t, filepath.Join(t.TempDir(), "outbox.db"), boltoutbox.Options{})
	q := openQueue(t, outbox, "Orders")
	if _, err := outbox.Open("Orders"); err == nil || !strings.Contains(err.Error(), "Orders") {
		t.Errorf("opened twice: %v", err)
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	openQueue(t, outbox, "Orders") // after Close, another source connection may have it
}

// What was delivered does not come back with another connection of the same process, though it may still be in the file.
func TestTheNextConnectionGoesOn(t *testing.T) {
	outbox := open(t, filepath.Join(t.TempDir(), "outbox.db"), boltoutbox.Options{})
	q := openQueue(t, outbox, "Orders")
	middle := fill(t, q, 1, 10)
	last := fill(t, q, 11, 15)
	if err := errors.Join(q.Remove(middle), q.Close()); err != nil {
		t.Fatal(err)
	}
	q = openQueue(t, outbox, "Orders")
	if messages, _, newest := q.Left(); messages != 5 || newest != last {
		t.Errorf("left %d notifications, the newest %d", messages, newest)
	}
	var entries [20]connector.OutboxEntry
	if n, err := q.Read(0, entries[:], 1<<20); err != nil || n != 5 {
		t.Errorf("read %d, %v", n, err)
	}
}

func TestUseAfterClose(t *testing.T) {
	outbox := open(t, filepath.Join(t.TempDir(), "outbox.db"), boltoutbox.Options{})
	q := openQueue(t, outbox, "Orders")
	if err := errors.Join(outbox.Close(), outbox.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Append(event(1)); !errors.Is(err, connector.ErrClosed) {
		t.Errorf("Append: %v", err)
	}
	if _, err := outbox.Open("Other"); !errors.Is(err, connector.ErrClosed) {
		t.Errorf("Open: %v", err)
	}
	if err := q.Remove(1); err != nil {
		t.Errorf("Remove: %v", err)
	}
}
