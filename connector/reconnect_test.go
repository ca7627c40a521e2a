package connector_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// journaled notes Connect and Close, and Publish if it is set.
func journaled(j *journal, publish bool) connector.Handlers {
	h := connector.Handlers{
		Connect: func(_ context.Context, _ *connector.SourceConnection, config connector.Document) error {
			j.add("connect " + config.String())
			return nil
		},
		Close: func(_ context.Context, _ *connector.SourceConnection, cause error) error {
			switch {
			case cause == nil:
				j.add("close for good")
			case errors.Is(cause, connector.ErrReconnectRequired):
				j.add("close to reconnect")
			default:
				j.add("close lost")
			}
			return nil
		},
	}
	if publish {
		h.Publish = func(_ context.Context, _ *connector.SourceConnection, message connector.Document) error {
			j.add("publish " + message.String())
			return nil
		}
	}
	return h
}

func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// session waits until the source's n-th session is there and the connector has noticed.
func (b *bench) session(n int) {
	b.t.Helper()
	b.must(b.source.WaitSession(b.soon(), n))
	for b.conn.Stats().Sessions < uint64(n) || b.conn.State() != connector.Connected {
		b.must(b.soon().Err())
		synctest.Wait()
		b.must(b.conn.WaitConnected(b.soon()))
	}
}

// pass lets virtual time pass.
func pass(d time.Duration) { <-time.After(d) }

func TestALostLinkComesBackByItself(t *testing.T) {
	for _, how := range []vantiqtest.Drop{1000, 1001, 1012, 4000, vantiqtest.FIN, vantiqtest.RST} {
		t.Run(how.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := &journal{}
				b := setUp(t, object{"a": 1}, connector.Options{}).connect(journaled(j, true))
				pass(time.Minute) // a good session
				began := time.Now()
				b.source.Drop(how)
				b.session(2)
				if took := time.Since(began); took > time.Second {
					t.Errorf("back after %v", took)
				}
				b.must(b.source.Publish(b.soon(), object{"n": 1}))
				synctest.Wait()
				b.must(b.end())
				expect(t, j.all(), `connect {"a":1}`, "close lost", `connect {"a":1}`, `publish {"n":1}`, "close for good")
				if s := b.conn.Stats(); s.Reconnects != 1 || s.Sessions != 2 || s.LastError == "" {
					t.Errorf("stats %+v", s)
				}
			})
		})
	}
}

// The same over TCP, where it is the kernel that says how a link has ended.
func TestALinkThatIsLostOverTCPComesBackByItself(t *testing.T) {
	for how, says := range map[vantiqtest.Drop]string{
		1000: "1000", 1001: "1001", 1012: "1012", vantiqtest.FIN: "without a close frame", vantiqtest.RST: "connection reset by peer",
	} {
		t.Run(how.String(), func(t *testing.T) {
			t.Parallel()
			b := setUpOn(t, nil, connector.Options{}).connect(echo())
			b.source.Drop(how)
			b.must(b.source.WaitSession(b.soon(), 2))
			b.must(b.conn.WaitConnected(b.soon()))
			b.must(b.publishAll(1))
			if _, err := b.source.Notification(b.soon()); err != nil {
				t.Error(err)
			}
			if s := b.conn.Stats(); s.Reconnects != 1 || !strings.Contains(s.LastError, says) {
				t.Errorf("%d reconnects, the last for %q", s.Reconnects, s.LastError)
			}
		})
	}
}

func TestAHalfOpenLinkIsNoticedWithinThirtySeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{}).connect(echo())
		pass(time.Minute)
		began := time.Now()
		b.source.Drop(vantiqtest.Vanish)
		b.must(b.conn.SendNotification(b.soon(), object{"n": 1})) // to nobody
		b.session(2)
		if took := time.Since(began); took > 30*time.Second {
			t.Errorf("noticed after %v", took)
		}
		if event, err := b.source.Notification(b.soon()); err != nil || event.String() != `{"n":1}` {
			t.Errorf("what was sent to nobody: %v, %v", event, err)
		}
		if connects := b.source.Connects(); len(connects) != 2 || !connects[1].Usurped || connects[0].Secret != connects[1].Secret {
			t.Errorf("it did not take over by its secret: %+v", connects)
		}
	})
}

func TestASilentButLivingLinkIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{}).connect(echo())
		pass(24 * time.Hour)
		if s := b.conn.Stats(); s.Reconnects != 0 {
			t.Errorf("reconnects: %d (%s)", s.Reconnects, s.LastError)
		}
	})
}

func TestPingsCanBeSwitchedOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var pings atomic.Int64
		b := setUp(t, nil, connector.Options{PingInterval: -1}, vantiqtest.WithObserver(func(e vantiqtest.Event) {
			if e.Kind == vantiqtest.PingReceived {
				pings.Add(1)
			}
		})).connect(echo())
		pass(time.Hour)
		if pings.Load() > 0 || b.conn.Stats().Reconnects > 0 {
			t.Errorf("%d pings, %d reconnects", pings.Load(), b.conn.Stats().Reconnects)
		}
	})
}

// While the queue is full because a handler is slow, the reader does not read, and so sees no pongs. That is no proof
// that the peer is dead.
func TestABusyHandlerIsNotMistakenForADeadPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{PublishQueue: 4})
		var handled atomic.Int64
		b.connect(connector.Handlers{Publish: func(context.Context, *connector.SourceConnection, connector.Document) error {
			pass(2 * time.Minute)
			handled.Add(1)
			return nil
		}})
		const messages = 20
		go func() {
			for n := range messages {
				if err := b.source.Publish(context.Background(), object{"n": n, "pad": strings.Repeat("x", 10_000)}); err != nil {
					t.Error(err)
				}
			}
		}()
		pass(messages*2*time.Minute + time.Minute)
		if s := b.conn.Stats(); handled.Load() != messages || s.Reconnects != 0 {
			t.Errorf("%d handled, %d reconnects (%s)", handled.Load(), s.Reconnects, s.LastError)
		}
	})
}

func TestReconnectRequiredBeginsANewSessionOnTheSameLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		b := setUp(t, object{"a": 1}, connector.Options{}).connect(journaled(j, false))
		pass(time.Minute)
		link := b.source.Link().ID()
		b.source.Reactivating(3)
		began := time.Now()
		b.source.Reconfigure(object{"a": 2})
		b.session(2)
		if now := b.source.Link().ID(); now != link {
			t.Errorf("link %d became %d", link, now)
		}
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("it took %v", took)
		}
		b.must(b.end())
		expect(t, j.all(), `connect {"a":1}`, "close to reconnect", `connect {"a":2}`, "close for good")
	})
}

// The state stayed Connected until the old session's Close had returned, and WaitConnected let everybody through.
func TestASourceThatIsAskedToReconnectIsNotConnected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{})
		b.connect(connector.Handlers{Close: func(_ context.Context, _ *connector.SourceConnection, cause error) error {
			if cause != nil {
				pass(time.Minute)
			}
			return nil
		}})
		b.source.RequireReconnect()
		pass(30 * time.Second)
		if state := b.conn.State(); state == connector.Connected {
			t.Error("it is Connected while Close runs")
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := b.conn.WaitConnected(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("WaitConnected returned %v", err)
		}
		b.must(b.conn.WaitConnected(b.soon()))
		if n := b.source.Sessions(); n != 2 {
			t.Errorf("it is connected in session %d", n)
		}
	})
}

func TestAConfigurationInsideASessionBeginsANewOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		b := setUp(t, object{"a": 1}, connector.Options{}).connect(journaled(j, true))
		b.must(b.source.SendRaw(`{"op":"configureExtension","object":{"config":{"a":2}}}`))
		b.must(b.source.SendRaw(`{"op":"publish","object":{"n":1}}`))
		synctest.Wait()
		if connects := len(b.source.Connects()); connects != 1 {
			t.Errorf("%d connects", connects)
		}
		b.must(b.end())
		expect(t, j.all(), `connect {"a":1}`, "close to reconnect", `connect {"a":2}`, `publish {"n":1}`, "close for good")
	})
}

func TestWhatALostSessionDidNotHandleTheNextOneDoesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		b := setUp(t, nil, connector.Options{})
		handlers := journaled(j, false)
		release := make(chan struct{})
		handlers.Publish = func(_ context.Context, _ *connector.SourceConnection, message connector.Document) error {
			<-release
			j.add("publish " + message.String())
			return nil
		}
		b.connect(handlers)
		for n := range 3 {
			b.must(b.source.Publish(b.soon(), object{"n": n}))
		}
		synctest.Wait()
		b.source.Drop(vantiqtest.FIN)
		synctest.Wait()
		close(release)
		b.session(2)
		b.must(b.source.Publish(b.soon(), object{"n": 3}))
		synctest.Wait()
		expect(t, j.all(), "connect {}", `publish {"n":0}`, "close lost", "connect {}", `publish {"n":1}`, `publish {"n":2}`, `publish {"n":3}`)
	})
}

func TestAnAnswerGivenAfterTheLinkWasLostLeavesWithTheNextSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{})
		got, answer := make(chan *connector.Query), make(chan struct{})
		b.connect(onQuery(func(ctx context.Context, _ *connector.SourceConnection, q *connector.Query) error {
			got <- q
			<-answer
			return q.Complete(ctx, object{"late": true})
		}))
		result := make(chan error, 1)
		go func() {
			rows, err := b.source.Query(b.soon(), nil)
			if err == nil && fmt.Sprint(rows) != `[{"late":true}]` {
				err = fmt.Errorf("rows %v", rows)
			}
			result <- err
		}()
		q := <-got
		b.source.Drop(vantiqtest.FIN)
		synctest.Wait()
		if q.Context().Err() != nil {
			t.Error("its context ended with the link")
		}
		close(answer)
		b.must(<-result)
		if stray := b.source.Stray(); len(stray) > 0 {
			t.Errorf("more than one answer: %+v", stray)
		}
	})
}

func TestAnAnswerOfWhichAPartLeftOnALostLinkIsInterrupted(t *testing.T) {
	for _, then := range []string{"complete", "empty", "partial", "fail"} {
		synctest.Test(t, func(t *testing.T) {
			b := setUp(t, nil, connector.Options{})
			half, goOn := make(chan struct{}), make(chan struct{})
			later := make(chan error, 1)
			b.connect(onQuery(func(_ context.Context, _ *connector.SourceConnection, q *connector.Query) error {
				if err := q.Partial(context.Background(), object{"n": 1}); err != nil {
					return err
				}
				close(half)
				go func() {
					<-goOn
					switch then {
					case "complete":
						later <- q.Complete(context.Background(), object{"n": 2})
					case "empty":
						later <- q.Empty(context.Background())
					case "partial":
						later <- q.Partial(context.Background(), object{"n": 2})
					case "fail":
						later <- q.Fail(context.Background(), connector.QueryError{Code: "my.code"})
					}
				}()
				return connector.ErrAnswerLater
			}))
			result := make(chan error, 1)
			go func() {
				_, err := b.source.Query(b.soon(), nil)
				result <- err
			}()
			<-half
			synctest.Wait()
			b.source.Drop(vantiqtest.FIN)
			b.session(2)
			close(goOn)
			want := connector.CodeInterrupted
			if then == "fail" {
				want = "my.code"
			}
			if e := queryError(t, <-result); e.Code != want {
				t.Errorf("%s: %v", then, e)
			}
			if err := <-later; (then == "partial") != errors.Is(err, connector.ErrNotConnected) {
				t.Errorf("%s returned %v", then, err)
			}
		})
	}
}
