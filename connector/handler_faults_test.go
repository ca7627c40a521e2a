package connector_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
)

// faults are what a handler may do wrong beside returning an error. None may end the process, or stop the source.
var faults = map[string]func() error{
	"panics": func() error { panic("oh dear") },
	"ends its goroutine": func() error {
		runtime.Goexit()
		return nil
	},
	"returns a typed nil": func() error {
		var e *connector.QueryError
		return e
	},
	"returns a wrapped typed nil": func() error {
		var e *connector.QueryError
		return fmt.Errorf("reading: %w", e)
	},
	"returns a joined typed nil": func() error {
		var e *connector.QueryError
		return errors.Join(e)
	},
}

func onEachFault(t *testing.T, test func(t *testing.T, fault func() error)) {
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, fault) })
		})
	}
}

func TestAFaultyPublishHandlerLosesOneMessage(t *testing.T) {
	onEachFault(t, func(t *testing.T, fault func() error) {
		b := setUp(t, nil, connector.Options{Logger: quiet})
		calls := 0
		b.connect(connector.Handlers{Publish: func(ctx context.Context, c *connector.SourceConnection, message connector.Document) error {
			if calls++; calls == 1 {
				return fault()
			}
			return c.SendNotification(ctx, message)
		}})
		b.must(b.publishAll(3))
		synctest.Wait()
		if got := fmt.Sprint(b.received()); got != "[1 2]" {
			t.Errorf("behind the first, %s were handled", got)
		}
		b.stop()
		b.must(b.endsWithin(time.Second))
		if s := b.conn.Stats(); s.Publishes != 3 || s.PublishesDropped != 0 || s.Abandoned != 0 || s.Reconnects != 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestAFaultyQueryHandlerIsAnsweredForAndKeepsNoSlot(t *testing.T) {
	onEachFault(t, func(t *testing.T, fault func() error) {
		b := setUp(t, nil, connector.Options{Logger: quiet, MaxQueries: 1})
		calls := 0
		b.connect(onQuery(func(ctx context.Context, _ *connector.SourceConnection, q *connector.Query) error {
			if calls++; calls <= 3 {
				return fault()
			}
			return q.Complete(ctx, object{"fine": true})
		}))
		for range 3 {
			began := time.Now()
			_, err := b.source.Query(b.soon(), nil)
			if e := queryError(t, err); e.Code != connector.CodePanic && e.Code != connector.CodeHandlerError || time.Since(began) > 0 {
				t.Errorf("%v after %v", e, time.Since(began))
			}
		}
		if _, err := b.source.Query(b.soon(), nil); err != nil {
			t.Error(err)
		}
		b.stop()
		b.must(b.endsWithin(time.Second))
		if s := b.conn.Stats(); s.QueriesOpen != 0 || s.Abandoned != 0 || len(b.source.Stray()) > 0 {
			t.Errorf("%d stray answers, stats %+v", len(b.source.Stray()), s)
		}
	})
}

// A Connect handler that ended its goroutine was never called again, and Close and the end of Run waited for it.
func TestAFaultyConnectHandlerIsCalledAgain(t *testing.T) {
	onEachFault(t, func(t *testing.T, fault func() error) {
		j := &journal{}
		b := setUp(t, nil, connector.Options{Logger: quiet})
		handlers := journaled(j, false)
		connect, calls := handlers.Connect, 0
		handlers.Connect = func(ctx context.Context, c *connector.SourceConnection, config connector.Document) error {
			if calls++; calls <= 2 {
				j.add("connect fails")
				return fault()
			}
			return connect(ctx, c, config)
		}
		b.connect(handlers)
		b.stop()
		b.must(b.endsWithin(time.Second))
		expect(t, j.all(), "connect fails", "connect fails", "connect {}", "close for good")
	})
}

func TestAFaultyCloseHandlerOrBackgroundWorkDoesNotStopTheSource(t *testing.T) {
	onEachFault(t, func(t *testing.T, fault func() error) {
		b := setUp(t, nil, connector.Options{Logger: quiet})
		b.connect(connector.Handlers{
			Connect: func(_ context.Context, c *connector.SourceConnection, _ connector.Document) error {
				return c.Go(func(context.Context) error { return fault() })
			},
			Close: func(context.Context, *connector.SourceConnection, error) error { return fault() },
		})
		b.source.RequireReconnect()
		b.session(2)
		b.stop()
		b.must(b.endsWithin(time.Second))
	})
}

// explosive panics when it is marshalled.
type explosive struct{}

func (explosive) MarshalJSON() ([]byte, error) { panic("oh dear") }

// The parameters of a QueryError are marshalled after the handler has returned, where no panic was expected.
func TestAParameterThatCannotBeMarshalledDoesNotEndTheProcess(t *testing.T) {
	for name, fail := range map[string]func(ctx context.Context, c *connector.SourceConnection, q *connector.Query, e connector.QueryError) error{
		"returned": func(_ context.Context, _ *connector.SourceConnection, _ *connector.Query, e connector.QueryError) error {
			return e
		},
		"Fail": func(ctx context.Context, _ *connector.SourceConnection, q *connector.Query, e connector.QueryError) error {
			return q.Fail(ctx, e)
		},
		"SendQueryError": func(ctx context.Context, c *connector.SourceConnection, q *connector.Query, e connector.QueryError) error {
			return c.SendQueryError(ctx, q.ReplyAddress(), e)
		},
		"Rows": func(ctx context.Context, _ *connector.SourceConnection, q *connector.Query, e connector.QueryError) error {
			return connector.Rows(ctx, q, func(yield func(object, error) bool) { yield(nil, e) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := setUp(t, nil, connector.Options{Logger: quiet})
				b.connect(onQuery(func(ctx context.Context, c *connector.SourceConnection, q *connector.Query) error {
					return fail(ctx, c, q, connector.QueryError{Code: "my.code", Template: "{0} of {1}", Parameters: []any{explosive{}, "seven"}})
				}))
				_, err := b.source.Query(b.soon(), nil)
				if e := queryError(t, err); e.Code != "my.code" || !strings.HasSuffix(e.Message(), " of seven") {
					t.Errorf("the query failed with %v", e)
				}
			})
		})
	}
}

// The clock of a handler that runs on after its answer was set while it was being stopped, and then never rang.
func TestEveryHandlerThatLingersAfterItsAnswerIsLeftBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const queries = 3000
		b := setUp(t, nil, connector.Options{Logger: quiet, MaxQueries: queries})
		release := make(chan struct{})
		defer close(release)
		b.connect(onQuery(func(ctx context.Context, _ *connector.SourceConnection, q *connector.Query) error {
			if err := q.Empty(ctx); err != nil {
				return err
			}
			<-release
			return nil
		}))
		if fine, codes := b.ask(queries, 0, patience); fine != queries {
			t.Fatalf("%d answers, errors %v", fine, codes)
		}
		pass(11 * time.Second)
		synctest.Wait()
		if s := b.conn.Stats(); s.Abandoned != queries {
			t.Errorf("%d of %d were left behind", s.Abandoned, queries)
		}
	})
}

// An error that panics when it is asked for its text must not count as none.
func TestATypedNilIsNoSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{Logger: quiet})
		var refused atomic.Int64
		b.run(connector.Handlers{
			Connect: func(context.Context, *connector.SourceConnection, connector.Document) error {
				refused.Add(1)
				var e *connector.QueryError
				return e
			},
			Query: echo().Query,
		})
		b.must(b.source.WaitSession(b.soon(), 1))
		pass(10 * time.Second)
		if refused.Load() < 2 || b.conn.State() != connector.Configuring {
			t.Errorf("%v after %d calls", b.conn.State(), refused.Load())
		}
		_, err := b.source.Query(b.soon(), nil)
		if e := queryError(t, err); e.Code != connector.CodeNotConfigured {
			t.Error(e)
		}
	})
}
