package connector_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// Every sender may be called inside every handler: none of them runs where it could keep an acknowledgement from being read.
func TestEverySenderWorksInEveryHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{OutboxMessages: 3})
		sent := 0
		send := func(ctx context.Context, c *connector.SourceConnection) error {
			for range 20 { // more than there is room for
				if err := c.SendNotification(ctx, object{"n": sent}); err != nil {
					return err
				}
				sent++
			}
			return c.Flush(ctx)
		}
		b.connect(connector.Handlers{
			Connect: func(ctx context.Context, c *connector.SourceConnection, _ connector.Document) error {
				return send(ctx, c)
			},
			Publish: func(ctx context.Context, c *connector.SourceConnection, _ connector.Document) error {
				return send(ctx, c)
			},
			Query: func(ctx context.Context, c *connector.SourceConnection, q *connector.Query) error {
				return errors.Join(q.Partial(ctx, object{"n": 1}), send(ctx, c), q.Complete(ctx, object{"n": 2}))
			},
			Close: func(ctx context.Context, c *connector.SourceConnection, _ error) error {
				for range 3 { // there is no link that could make more room
					if err := c.SendNotification(ctx, object{"n": sent}); err != nil {
						t.Error(err)
					}
					sent++
				}
				return nil
			},
		})
		began := time.Now()
		b.must(b.source.Publish(b.soon(), object{}))
		synctest.Wait()
		rows, err := b.source.Query(b.soon(), nil)
		if err != nil || len(rows) != 2 {
			t.Errorf("%v, %v", rows, err)
		}
		if waited := time.Since(began); waited > 0 {
			t.Errorf("something waited for %v", waited)
		}
		b.source.Drop(vantiqtest.FIN)
		b.session(2)
		b.must(b.conn.Flush(b.soon()))
		if err := inOrder(b.received(), sent); err != nil || sent != 83 {
			t.Errorf("of %d: %v", sent, err)
		}
		if s := b.conn.Stats(); s.PublishErrors > 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestPublishesAreHandledOneAfterTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &record{}
		b := setUp(t, nil, connector.Options{Logger: log.logger()})
		var running, next atomic.Int64
		b.connect(connector.Handlers{Publish: func(_ context.Context, _ *connector.SourceConnection, message connector.Document) error {
			if running.Add(1) != 1 {
				t.Error("two Publish handlers run at once")
			}
			defer running.Add(-1)
			if want := fmt.Sprintf(`{"n":%d}`, next.Add(1)-1); message.String() != want {
				t.Errorf("%s came where %s was due", message, want)
			}
			pass(time.Second)
			return errors.New("the disk is full")
		}})
		b.must(b.publishAll(20))
		pass(time.Minute)
		if s := b.conn.Stats(); s.Publishes != 20 || s.PublishErrors != 20 {
			t.Errorf("stats %+v", s)
		}
		if n := strings.Count(log.String(), "the disk is full"); n != 20 {
			t.Errorf("%d of 20 errors were logged", n)
		}
	})
}

// VAIL code may depend on these texts, so that they are part of the contract.
func TestTheCodesOfAnswersThatTheSDKGives(t *testing.T) {
	for code, want := range map[string]string{
		connector.CodeHandlerError:  "connector.handlerError",
		connector.CodePanic:         "connector.panic",
		connector.CodeTimeout:       "connector.timeout",
		connector.CodeBusy:          "connector.busy",
		connector.CodeNotConfigured: "connector.notConfigured",
		connector.CodeNoHandler:     "connector.noHandler",
		connector.CodeInterrupted:   "connector.interrupted",
		connector.CodeShutdown:      "connector.shutdown",
		connector.CodeTooLarge:      "connector.tooLarge",
	} {
		if code != want {
			t.Errorf("%s was %s", code, want)
		}
	}
}

// An answer without rows is a 204, whichever way it was given: a 200 needs a body.
func TestAnAnswerWithoutRowsIs204(t *testing.T) {
	none := func() iter.Seq2[object, error] { return func(func(object, error) bool) {} }
	for name, answer := range map[string]func(ctx context.Context, q *connector.Query) error{
		"nothing":             func(context.Context, *connector.Query) error { return nil },
		"no rows":             func(ctx context.Context, q *connector.Query) error { return q.Complete(ctx, []object{}) },
		"nil":                 func(ctx context.Context, q *connector.Query) error { return q.Complete(ctx, nil) },
		"empty":               func(ctx context.Context, q *connector.Query) error { return q.Empty(ctx) },
		"an iterator of none": func(ctx context.Context, q *connector.Query) error { return connector.Rows(ctx, q, none()) },
		"a partial, then nothing": func(ctx context.Context, q *connector.Query) error {
			return q.Partial(ctx, object{"n": 1})
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			var final atomic.Int64
			b := setUp(t, nil, connector.Options{}, vantiqtest.WithObserver(func(e vantiqtest.Event) {
				if e.Kind == vantiqtest.FinalReceived {
					final.Store(int64(e.Status))
				}
			})).connect(onQuery(func(ctx context.Context, _ *connector.SourceConnection, q *connector.Query) error {
				return answer(ctx, q)
			}))
			_, err := b.source.Query(b.soon(), nil)
			synctest.Wait()
			if err != nil || final.Load() != 204 {
				t.Errorf("%s: status %d, %v", name, final.Load(), err)
			}
		})
	}
}

func TestAPanicIsLoggedWithItsStack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &record{}
		b := setUp(t, nil, connector.Options{Logger: log.logger()}).connect(onQuery(
			func(context.Context, *connector.SourceConnection, *connector.Query) error { panic("oh dear") }))
		_, err := b.source.Query(b.soon(), nil)
		if e := queryError(t, err); e.Code != connector.CodePanic {
			t.Error(e)
		}
		for _, want := range []string{"level=ERROR", "oh dear", "TestAPanicIsLoggedWithItsStack", "handler_promises_test.go"} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("the log does not say %s", want)
			}
		}
	})
}

// Two minutes are counted from a query's arrival, not from when its handler starts; a negative limit is none.
func TestTheTimeLimitOfAQuery(t *testing.T) {
	slow := onQuery(func(ctx context.Context, _ *connector.SourceConnection, q *connector.Query) error {
		select {
		case <-time.After(90 * time.Second):
			return q.Empty(ctx)
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{MaxQueries: 1}).connect(slow)
		began := time.Now()
		var all sync.WaitGroup
		var fine atomic.Int64
		for range 2 {
			all.Go(func() {
				_, err := b.source.Query(context.Background(), nil)
				if err == nil {
					fine.Add(1)
				} else if e := queryError(t, err); e.Code != connector.CodeTimeout || time.Since(began) != 2*time.Minute {
					t.Errorf("%v after %v", e, time.Since(began))
				}
			})
		}
		all.Wait()
		if fine.Load() != 1 {
			t.Errorf("%d of 2 queries were answered", fine.Load())
		}
	})
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{QueryTimeout: -1})
		b.connect(onQuery(func(ctx context.Context, _ *connector.SourceConnection, q *connector.Query) error {
			pass(24 * time.Hour)
			return q.Complete(ctx, object{"n": 1})
		}))
		if rows, err := b.source.Query(context.Background(), nil); err != nil || len(rows) != 1 {
			t.Errorf("%v, %v", rows, err)
		}
	})
}

// A final answer has a place wherever a partial one has to wait for it.
func TestAFinalAnswerNeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{Logger: quiet})
		row := object{"pad": strings.Repeat("x", 100_000)}
		b.connect(onQuery(func(_ context.Context, _ *connector.SourceConnection, q *connector.Query) error {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			for sent := 0; ; sent++ {
				began := time.Now()
				if err := q.Partial(ctx, row); err != nil {
					if !errors.Is(err, context.DeadlineExceeded) || sent > 50 {
						t.Errorf("after %d partials: %v", sent, err)
					}
					break
				} else if time.Since(began) > 0 {
					t.Error("a partial waited, and there was room")
				}
			}
			began := time.Now()
			if err := q.Complete(ctx, row); err != nil || time.Since(began) > 0 {
				t.Errorf("the final answer: %v after %v", err, time.Since(began))
			}
			return nil
		}))
		link := b.source.Link()
		link.HoldReads(true)
		go func() {
			pass(10 * time.Second)
			link.HoldReads(false)
		}()
		if rows, err := b.source.Query(b.soon(), nil); err != nil || len(rows) < 10 {
			t.Errorf("%d rows, %v", len(rows), err)
		}
	})
}
