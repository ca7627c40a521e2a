package connector_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// pinged returns an observer, and a function that says how long after began each ping came.
func pinged() (observer vantiqtest.Option, pings func(began time.Time) []time.Duration) {
	var mu sync.Mutex
	var times []time.Time
	observer = vantiqtest.WithObserver(func(e vantiqtest.Event) {
		if e.Kind == vantiqtest.PingReceived {
			mu.Lock()
			defer mu.Unlock()
			times = append(times, e.Time)
		}
	})
	return observer, func(began time.Time) (after []time.Duration) {
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		for _, at := range times {
			after = append(after, at.Sub(began))
		}
		return after
	}
}

// A ping goes out when nothing has come for twelve seconds, and only then.
func TestASilentLinkIsPingedAfterTwelveSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		observer, pings := pinged()
		b := setUp(t, nil, connector.Options{}, observer).connect(echo())
		began := time.Now()
		for range 12 { // a minute in which something comes every five seconds
			pass(5 * time.Second)
			b.must(b.source.SendRaw(`{"status":100}`))
		}
		if early := pings(began); len(early) > 0 {
			t.Errorf("pings after %v, though the link was not silent", early)
		}
		pass(40 * time.Second)
		got := pings(began)
		if len(got) != 3 || got[0] != 72*time.Second || got[1] != 84*time.Second || got[2] != 96*time.Second {
			t.Errorf("pings after %v", got)
		}
	})
}

// A ping that is not answered within sixteen seconds costs the link; anything else that comes saves it.
func TestALinkThatStaysSilentIsClosedAfter28Seconds(t *testing.T) {
	for name, c := range map[string]struct {
		saved bool
		due   time.Duration
	}{"silent": {false, 28 * time.Second}, "saved in the last moment": {true, 27*time.Second + 28*time.Second}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &stopwatch{}
				b := setUp(t, nil, connector.Options{Hooks: []connector.Hook{onState(func(_, to connector.State, cause error) {
					if to == connector.Waiting && strings.Contains(cause.Error(), "silent") {
						w.note("given up")
					}
				})}}).connect(echo())
				w.start()
				b.source.Link().HoldPongs(true)
				if c.saved {
					pass(27 * time.Second)
					b.must(b.source.SendRaw(`{"status":100}`))
				}
				b.session(2)
				w.expect(t, map[string]time.Duration{"given up": c.due})
			})
		})
	}
}

// connectSlow connects a connector whose Publish handler waits for release.
func (b *bench) connectSlow(release <-chan struct{}) {
	b.t.Helper()
	handlers := echo()
	handlers.Publish = waitFor(release)
	b.connect(handlers)
}

// holdUp holds the reader of such a connector up if its PublishQueue is 1: one message is handled, one waits, and one waits
// for room.
func (b *bench) holdUp() {
	b.t.Helper()
	b.must(b.publishAll(3))
}

// While the reader is held up nothing is known of the peer. Its silence is counted from when the reader reads on.
func TestAPeerThatDiesWhileTheReaderIsHeldUpIsNoticedAfterwards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, release := &stopwatch{}, make(chan struct{})
		b := setUp(t, nil, connector.Options{PublishQueue: 1, Hooks: []connector.Hook{onState(func(_, to connector.State, _ error) {
			if to == connector.Waiting {
				w.note("given up")
			}
		})}})
		b.connectSlow(release)
		b.holdUp()
		synctest.Wait()
		b.source.Drop(vantiqtest.Vanish)
		pass(10 * time.Minute)
		w.start()
		close(release)
		b.session(2)
		w.expect(t, map[string]time.Duration{"given up": 28 * time.Second})
	})
}

// A handler that holds the reader up again and again does not hide that the server has ceased to acknowledge: the times
// between count.
func TestManyShortHoldsHideNoSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var given atomic.Bool
		b := setUp(t, nil, connector.Options{PublishQueue: 1, Hooks: []connector.Hook{onState(func(_, to connector.State, _ error) {
			given.Store(given.Load() || to == connector.Waiting)
		})}})
		b.connectSlow(release)
		b.must(b.acknowledged())
		b.source.SetAcknowledgements(vantiqtest.Acknowledgements{None: true})
		b.must(b.conn.SendNotification(b.soon(), object{"n": 0}))
		read := time.Duration(0)
		for !given.Load() && read < time.Minute {
			b.holdUp()
			pass(1500 * time.Millisecond)
			for range 3 {
				release <- struct{}{}
			}
			pass(time.Second)
			synctest.Wait()
			read += time.Second
		}
		if read < 9*time.Second || read > 12*time.Second {
			t.Errorf("the link was given up after %v of reading: %+v", read, b.conn.Stats())
		}
		close(release)
	})
}

// What is sent while the reader is held up waits no longer for it than what was sent before.
func TestANotificationThatIsSentWhileTheReaderIsHeldUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release, w := make(chan struct{}), &stopwatch{}
		b := setUp(t, nil, connector.Options{PublishQueue: 1, Hooks: []connector.Hook{onState(func(_, to connector.State, _ error) {
			if to == connector.Waiting {
				w.note("given up")
			}
		})}})
		b.connectSlow(release)
		b.must(b.acknowledged())
		b.source.SetAcknowledgements(vantiqtest.Acknowledgements{None: true})
		b.holdUp()
		pass(5 * time.Second)
		b.must(b.conn.SendNotification(b.soon(), object{"n": 0}))
		pass(4 * time.Second)
		w.start()
		close(release)
		b.session(2)
		w.expect(t, map[string]time.Duration{"given up": 10 * time.Second})
	})
}

// So is the silence in which no acknowledgement comes: it may have been among what was not read.
func TestWhileTheReaderIsHeldUpNoAcknowledgementIsMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		b := setUp(t, nil, connector.Options{PublishQueue: 1})
		b.connectSlow(release)
		b.must(b.acknowledged())
		b.source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
		b.must(b.conn.SendNotification(b.soon(), object{"n": 0}))
		b.holdUp()
		pass(30 * time.Second)
		close(release)
		pass(9 * time.Second)
		if s := b.conn.Stats(); s.Reconnects != 0 {
			t.Errorf("the link was given up after less than ten seconds of reading: %+v", s)
		}
		b.source.SetAcknowledgements(vantiqtest.Acknowledgements{})
		b.must(b.conn.Flush(b.soon()))
		if s := b.conn.Stats(); s.Reconnects != 0 || s.Resent != 0 {
			t.Errorf("stats %+v", s)
		}

		b.source.SetAcknowledgements(vantiqtest.Acknowledgements{None: true})
		b.must(b.conn.SendNotification(b.soon(), object{"n": 1}))
		pass(10*time.Second - 1)
		if s := b.conn.Stats(); s.Reconnects != 0 {
			t.Errorf("the link was given up too early: %+v", s)
		}
		b.session(2)
	})
}
