package connector_test

import (
	"context"
	"errors"
	"maps"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// A stopwatch notes how long after its start things have happened, each for the first time.
type stopwatch struct {
	mu    sync.Mutex
	began time.Time
	times map[string]time.Duration
}

func (w *stopwatch) start() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.began, w.times = time.Now(), map[string]time.Duration{}
}

func (w *stopwatch) note(what string) { w.noteAt(what, time.Now()) }

// noteAt does nothing before start.
func (w *stopwatch) noteAt(what string, at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, before := w.times[what]; !before && w.times != nil {
		w.times[what] = at.Sub(w.began)
	}
}

// take returns when that has happened, and forgets it.
func (w *stopwatch) take(what string) (at time.Duration, happened bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	at, happened = w.times[what]
	delete(w.times, what)
	return at, happened
}

func (w *stopwatch) expect(t *testing.T, want map[string]time.Duration) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !maps.Equal(w.times, want) {
		t.Errorf("got  %v\nwant %v", w.times, want)
	}
}

// watched returns handlers that note the end of each context, and of themselves. The Query handler works on for so long
// after its context has ended, Close takes its time as well.
func (w *stopwatch) watched(query, closing time.Duration) connector.Handlers {
	return connector.Handlers{
		Connect: func(ctx context.Context, c *connector.SourceConnection, _ connector.Document) error {
			context.AfterFunc(ctx, func() { w.note("Connect's context") })
			return c.Go(func(ctx context.Context) error {
				<-ctx.Done()
				w.note("Go's context")
				return ctx.Err()
			})
		},
		Publish: func(ctx context.Context, _ *connector.SourceConnection, _ connector.Document) error {
			<-ctx.Done()
			w.note("Publish's context")
			return ctx.Err()
		},
		Query: func(ctx context.Context, _ *connector.SourceConnection, q *connector.Query) error {
			<-q.Context().Done()
			w.note("Query's context")
			pass(query)
			return ctx.Err()
		},
		Close: func(ctx context.Context, _ *connector.SourceConnection, _ error) error {
			w.note("Close begins")
			if deadline, draining := ctx.Deadline(); draining {
				w.noteAt("Close's deadline", deadline)
			}
			pass(closing)
			w.note("Close returns")
			return nil
		},
	}
}

// busy connects the handlers and lets one Publish and one Query handler run. What the query ends with is sent to answered.
func (b *bench) busy(handlers connector.Handlers) (answered chan error) {
	b.t.Helper()
	b.connect(handlers)
	pass(time.Minute) // a good session
	b.must(b.source.Publish(b.soon(), object{"n": 1}))
	answered = make(chan error, 1)
	go func() {
		_, err := b.source.Query(context.Background(), nil)
		answered <- err
	}()
	synctest.Wait()
	return answered
}

// noteMessages notes the handshakes that come.
func (w *stopwatch) noteMessages(b *bench) {
	b.server.Intercept(func(_ *vantiqtest.Link, m protocol.Message) bool {
		switch m.(type) {
		case *protocol.Validate:
			w.note("validate")
		case *protocol.ConnectExtension:
			w.note("connectExtension")
		}
		return false
	})
}

func TestALostLinkEndsOneContextAfterTheOther(t *testing.T) {
	for name, c := range map[string]struct{ query, end time.Duration }{
		"handlers obey":            {0, 2 * time.Second},
		"a handler takes its time": {9 * time.Second, 11 * time.Second},
		"a handler is left behind": {time.Hour, 12 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &stopwatch{}
				b := setUp(t, nil, connector.Options{})
				w.noteMessages(b)
				answered := b.busy(w.watched(c.query, 3*time.Second))
				w.start()
				b.source.Drop(vantiqtest.FIN)
				b.session(2)
				// The next link is there long before, and waits.
				if at, happened := w.take("validate"); !happened || at > time.Second {
					t.Errorf("the next link was authenticated after %v", at)
				}
				w.expect(t, map[string]time.Duration{
					"Connect's context": 0, "Go's context": 0,
					"Publish's context": 2 * time.Second, "Query's context": 2 * time.Second,
					"Close begins": c.end, "Close returns": c.end + 3*time.Second, "connectExtension": c.end + 3*time.Second,
				})
				if e := queryError(t, <-answered); e.Code != connector.CodeInterrupted {
					t.Errorf("the query ended with %v", e)
				}
				b.must(b.end())
				pass(time.Hour)
			})
		})
	}
}

// A drain ends contexts in another order than a lost link: handlers get all the time there is, less two seconds.
func TestADrainGivesHandlersEightOfItsTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &stopwatch{}
		b := setUp(t, nil, connector.Options{})
		answered := b.busy(w.watched(0, 500*time.Millisecond))
		w.start()
		b.stop()
		b.must(b.endsWithin(drainTime))
		w.note("Run returns")
		w.expect(t, map[string]time.Duration{
			"Connect's context": 0, "Go's context": 0,
			"Publish's context": 8 * time.Second, "Query's context": 8 * time.Second,
			"Close begins": 8 * time.Second, "Close's deadline": 10 * time.Second, "Close returns": 8500 * time.Millisecond,
			"Run returns": 8500 * time.Millisecond,
		})
		if e := queryError(t, <-answered); e.Code != connector.CodeShutdown {
			t.Errorf("the query ended with %v", e)
		}
	})
}

// Connect and Close come in pairs, so that neither may be left behind: the source waits, and says so.
func TestTheSourceWaitsForConnectAndCloseAndSaysSo(t *testing.T) {
	for _, handler := range []string{"Connect", "Close"} {
		t.Run(handler, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log, j := &record{}, &journal{}
				b := setUp(t, nil, connector.Options{Logger: log.logger()})
				handlers := journaled(j, false)
				var once sync.Once
				stuck := func(name string) {
					if name == handler {
						once.Do(func() { pass(time.Hour) })
					}
				}
				connect, closing := handlers.Connect, handlers.Close
				handlers.Connect = func(ctx context.Context, c *connector.SourceConnection, config connector.Document) error {
					stuck("Connect")
					return connect(ctx, c, config)
				}
				handlers.Close = func(ctx context.Context, c *connector.SourceConnection, cause error) error {
					stuck("Close")
					return closing(ctx, c, cause)
				}
				b.run(handlers)
				b.must(b.source.WaitSession(b.soon(), 1))
				synctest.Wait()
				b.source.Drop(vantiqtest.FIN)
				says := "the source waits for its " + handler + " handler to return"
				pass(9 * time.Second)
				if strings.Contains(log.String(), says) {
					t.Error("it complains before 10 seconds have passed")
				}
				pass(2 * time.Second)
				if !strings.Contains(log.String(), says) {
					t.Error("it does not say what it waits for")
				}
				pass(49 * time.Minute)
				if n := len(b.source.Connects()); n != 1 || b.conn.Stats().Abandoned != 0 {
					t.Errorf("%d connects while it runs, stats %+v", n, b.conn.Stats())
				}
				if n := strings.Count(log.String(), says); n < 40 || n > 60 {
					t.Errorf("it says so %d times in 50 minutes", n)
				}
				pass(time.Hour)
				b.session(2)
				b.must(b.end())
				expect(t, j.all(), "connect {}", "close lost", "connect {}", "close for good")
			})
		})
	}
}

// A Connect that erred has no Close, however its session ends.
func TestASessionThatNeverBeganIsNotClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		b := setUp(t, nil, connector.Options{Logger: quiet})
		handlers := journaled(j, false)
		fails := true
		handlers.Connect = func(context.Context, *connector.SourceConnection, connector.Document) error {
			if fails {
				j.add("connect fails")
				return connector.Permanent(errors.New("not like this"))
			}
			j.add("connect")
			return nil
		}
		b.run(handlers)
		b.must(b.source.WaitSession(b.soon(), 1))
		synctest.Wait()
		b.source.RequireReconnect()
		b.must(b.source.WaitSession(b.soon(), 2))
		synctest.Wait()
		b.source.Drop(vantiqtest.FIN)
		b.must(b.source.WaitSession(b.soon(), 3))
		synctest.Wait()
		fails = false
		b.source.RequireReconnect()
		b.must(b.conn.WaitConnected(b.soon()))
		b.must(b.end())
		expect(t, j.all(), "connect fails", "connect fails", "connect fails", "connect", "close for good")
	})
}

// The server sends work as soon as it has sent the configuration, and goes on until it knows better. None of it may reach
// a handler before Connect has returned, or after Close has begun.
func TestNoHandlerRunsBeforeConnectHasReturnedOrAfterCloseHasBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		b := setUp(t, nil, connector.Options{})
		slowly := func(what string) {
			j.add(what + " begins")
			pass(5 * time.Second)
			j.add(what + " returns")
		}
		b.run(connector.Handlers{
			Connect: func(context.Context, *connector.SourceConnection, connector.Document) error {
				slowly("connect")
				return nil
			},
			Publish: func(context.Context, *connector.SourceConnection, connector.Document) error {
				j.add("publish")
				return nil
			},
			Query: func(context.Context, *connector.SourceConnection, *connector.Query) error {
				pass(time.Second) // behind publish
				j.add("query")
				return nil
			},
			Close: func(_ context.Context, _ *connector.SourceConnection, cause error) error {
				if cause != nil {
					slowly("close")
				}
				return nil
			},
		})
		work := func(link *vantiqtest.Link, address string) {
			link.Send(`{"op":"publish","object":{}}`)
			link.Send(`{"op":"query","messageHeaders":{"REPLY_ADDR_HEADER":"` + address + `"}}`)
			synctest.Wait()
		}
		b.must(b.source.WaitSession(b.soon(), 1))
		link := b.source.Link()
		work(link, "one")
		b.session(1)
		pass(10 * time.Second)
		b.source.RequireReconnect()
		work(link, "two")
		pass(2 * time.Second) // Close runs
		work(link, "three")
		b.session(2)
		pass(10 * time.Second)
		expect(t, j.all(), "connect begins", "connect returns", "publish", "query",
			"close begins", "close returns", "connect begins", "connect returns", "publish", "publish", "query", "query")
	})
}
