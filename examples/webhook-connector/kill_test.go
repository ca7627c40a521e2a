package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

var (
	kills = flag.Int("kills", 10, "how often the connector is killed")
	drops = flag.Int("drops", 10, "how often its links are dropped")
)

// pause waits a little before something is tried again.
func pause(ctx context.Context) error {
	timer := time.NewTimer(2 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// A load is a client that sends numbered requests to one source, each until it is answered as the source's configuration
// says, and what of them arrived at Vantiq.
type load struct {
	w      *workplace
	source *vantiqtest.Source
	want   int // the status of success

	mu       sync.Mutex
	changed  chan struct{} // closed and replaced when something has changed
	answered int           // requests that were; the next has this number
	tried    int           // how often a request was sent
	arrived  []int         // the numbers in the order of their first arrival
	again    int           // arrivals after the first
}

func newLoad(w *workplace, name, answer string, want int) *load {
	l := &load{w: w, want: want, changed: make(chan struct{})}
	l.source = w.server.Source(name, object{"webhookConfig": object{"general": object{"answer": answer}}})
	l.source.HandleNotifications(l.arrive)
	return l
}

func (l *load) arrive(event protocol.Document) {
	var e struct{ Body json.Number }
	if err := event.Decode(&e); err != nil {
		l.w.t.Errorf("%s: %v", event, err)
	}
	n, err := e.Body.Int64()
	if err != nil {
		l.w.t.Error(err)
	}
	l.change(func() {
		if int(n) < len(l.arrived) && l.arrived[n] == int(n) {
			l.again++
		} else {
			l.arrived = append(l.arrived, int(n))
		}
	})
}

func (l *load) change(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
	close(l.changed)
	l.changed = make(chan struct{})
}

// until waits until something is so.
func (l *load) until(ctx context.Context, reached func() bool) error {
	for {
		l.mu.Lock()
		is, changed := reached(), l.changed
		state := fmt.Sprintf("%d requests were answered, %d arrived", l.answered, len(l.arrived))
		l.mu.Unlock()
		if is {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("source %s: %s: %w", l.source.Name(), state, ctx.Err())
		}
	}
}

// run sends requests one after the other until ctx ends.
func (l *load) run(ctx context.Context) {
	client := &http.Client{}
	defer client.CloseIdleConnections()
	url := "http://" + l.w.address + "/hooks/" + l.source.Name()
	for n := 0; ctx.Err() == nil; {
		status, err := l.w.post(client, url, fmt.Sprint(n))
		l.change(func() {
			l.tried++
			if err == nil && status == l.want {
				l.answered++
			}
			if l.want == http.StatusOK && len(l.arrived) < l.answered {
				l.w.t.Errorf("request %d was answered before it had arrived", n)
			}
		})
		switch {
		case err == nil && status == l.want:
			n++
		case err == nil && status < 500:
			l.w.t.Errorf("request %d was answered %d", n, status)
			return
		default:
			_ = pause(ctx)
		}
	}
}

// check compares what was answered with what arrived.
func (l *load) check(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := l.until(ctx, func() bool { return len(l.arrived) >= l.answered }); err != nil {
		t.Error(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, n := range l.arrived {
		if i != n {
			t.Fatalf("source %s: request %d arrived where %d should have", l.source.Name(), n, i)
		}
	}
	t.Logf("source %s: %d requests answered %d, after %d attempts; %d arrived, and %d more than once",
		l.source.Name(), l.answered, l.want, l.tried, len(l.arrived), l.again)
}

// Every request that was answered 202, or 200, arrives at Vantiq at least once, and in the order of the answers, however
// often the connector is killed and its links are lost.
func TestNothingThatWasAnsweredIsLost(t *testing.T) {
	w := newWorkplace(t, "Accepted,Acknowledged")
	loads := []*load{
		newLoad(w, "Accepted", "accepted", http.StatusAccepted),
		newLoad(w, "Acknowledged", "acknowledged", http.StatusOK),
	}
	process, out := w.start()
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for _, l := range loads {
		running.Go(func() { l.run(ctx) })
	}
	defer running.Wait()
	defer stop()

	strike := make([]func(), 0, *kills+*drops)
	for range *kills {
		strike = append(strike, func() {
			if err := process.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = process.Wait() // it was killed
			if out.Len() > 0 {
				t.Errorf("it wrote %q", out)
			}
			process, out = w.start()
		})
	}
	for range *drops {
		strike = append(strike, func() {
			how := []vantiqtest.Drop{vantiqtest.FIN, vantiqtest.RST, 1001, 1012}[rand.N(4)]
			loads[rand.N(2)].source.Drop(how)
		})
	}
	rand.Shuffle(len(strike), func(i, j int) { strike[i], strike[j] = strike[j], strike[i] })
	for _, strike := range strike {
		for _, l := range loads { // both are at work
			l.mu.Lock()
			enough := l.answered + 1 + rand.N(20)
			l.mu.Unlock()
			waiting, cancel := context.WithTimeout(ctx, time.Minute)
			err := l.until(waiting, func() bool { return l.answered >= enough })
			cancel()
			if err != nil {
				t.Fatal(err)
			}
		}
		strike()
	}
	stop()
	running.Wait()
	for _, l := range loads {
		l.check(t)
	}
	if err := process.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = process.Wait()
}
