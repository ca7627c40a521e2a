package connector_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

func TestTheConnectHandlerIsCalledUntilItAccepts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		b := setUp(t, object{"a": 1}, connector.Options{})
		handlers := journaled(j, true)
		failures := 3
		handlers.Connect = func(_ context.Context, _ *connector.SourceConnection, _ connector.Document) error {
			if failures--; failures >= 0 {
				j.add("connect fails")
				return errors.New("the database is down")
			}
			j.add("connect")
			return nil
		}
		handlers.Query = func(context.Context, *connector.SourceConnection, *connector.Query) error { return nil }
		b.run(handlers)
		b.must(b.source.WaitSession(b.soon(), 1))
		b.must(b.source.Publish(b.soon(), object{"n": 1}))
		synctest.Wait()
		if state := b.conn.State(); state != connector.Configuring {
			t.Errorf("state %v", state)
		}
		began := time.Now()
		_, err := b.source.Query(b.soon(), nil)
		if e := queryError(t, err); e.Code != connector.CodeNotConfigured || !strings.Contains(e.Message(), "the database is down") || time.Since(began) > 0 {
			t.Errorf("%v after %v", e, time.Since(began))
		}
		b.must(b.conn.WaitConnected(b.soon()))
		if _, err := b.source.Query(b.soon(), nil); err != nil {
			t.Error(err)
		}
		b.must(b.end())
		expect(t, j.all(), "connect fails", "connect fails", "connect fails", "connect", `publish {"n":1}`, "close for good")
		if links := len(b.server.Dials()); links != 1 {
			t.Errorf("%d links", links)
		}
	})
}

func TestAQueryWaitsForTheFirstConnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{})
		b.run(connector.Handlers{
			Connect: func(context.Context, *connector.SourceConnection, connector.Document) error {
				pass(5 * time.Second)
				return nil
			},
			Query: echo().Query,
		})
		b.must(b.source.WaitSession(b.soon(), 1))
		if rows, err := b.source.Query(b.soon(), object{"a": 1}); err != nil || len(rows) != 1 {
			t.Errorf("%v, %v", rows, err)
		}
	})
}

func TestAPermanentErrorWaitsForANewConfiguration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, object{"good": false}, connector.Options{})
		var calls atomic.Int64
		b.run(connector.Handlers{Connect: func(_ context.Context, _ *connector.SourceConnection, config connector.Document) error {
			calls.Add(1)
			if config.String() == `{"good":false}` {
				return connector.Permanent(errors.New("general.port: missing"))
			}
			return nil
		}, Query: echo().Query})
		b.must(b.source.WaitSession(b.soon(), 1))
		pass(time.Hour)
		if calls.Load() != 1 || b.conn.Stats().Reconnects != 0 {
			t.Errorf("%d calls, %d reconnects", calls.Load(), b.conn.Stats().Reconnects)
		}
		_, err := b.source.Query(b.soon(), nil)
		if e := queryError(t, err); e.Code != connector.CodeNotConfigured || !strings.Contains(e.Message(), "general.port: missing") {
			t.Error(e)
		}
		b.source.Reconfigure(object{"good": true})
		b.must(b.conn.WaitConnected(b.soon()))
	})
}

func TestHandlersThatIgnoreTheirContextAreLeftBehindButConnectAndCloseArePaired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		b := setUp(t, nil, connector.Options{})
		handlers := journaled(j, false)
		forever := make(chan struct{})
		var closeTakes atomic.Int64
		closing := handlers.Close
		handlers.Close = func(ctx context.Context, c *connector.SourceConnection, cause error) error {
			pass(time.Duration(closeTakes.Load()))
			return closing(ctx, c, cause)
		}
		handlers.Query = func(context.Context, *connector.SourceConnection, *connector.Query) error {
			<-forever
			return nil
		}
		handlers.Publish = func(ctx context.Context, _ *connector.SourceConnection, message connector.Document) error {
			if message.String() == `{"hang":true}` {
				<-forever
			}
			j.add("publish " + message.String())
			return nil
		}
		b.connect(handlers)
		b.must(b.conn.Go(func(ctx context.Context) error {
			<-ctx.Done()
			j.add("background work ends")
			return ctx.Err()
		}))
		b.must(b.source.Publish(b.soon(), object{"hang": true}))
		answered := make(chan error, 1)
		go func() {
			_, err := b.source.Query(b.soon(), nil)
			answered <- err
		}()
		synctest.Wait()
		closeTakes.Store(int64(3 * time.Second))
		began := time.Now()
		b.source.Drop(vantiqtest.FIN)
		b.session(2)
		if took := time.Since(began); took < 15*time.Second || took > 17*time.Second {
			t.Errorf("the next session began after %v: 2 s grace, 10 s patience and 3 s of Close were due", took)
		}
		if e := queryError(t, <-answered); e.Code != connector.CodeInterrupted {
			t.Error(e)
		}
		b.must(b.source.Publish(b.soon(), object{"n": 2}))
		synctest.Wait()
		expect(t, j.all(), "connect {}", "background work ends", "close lost", "connect {}", `publish {"n":2}`)
		if s := b.conn.Stats(); s.Abandoned != 2 {
			t.Errorf("%d were left behind", s.Abandoned)
		}
		close(forever)
		synctest.Wait()
		b.must(b.source.Publish(b.soon(), object{"n": 3}))
		synctest.Wait()
	})
}

// Work that a failing Connect had started went on beside that of the next call.
func TestWorkOfAConnectThatFailsEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{Logger: quiet})
		var calls, running atomic.Int64
		b.connect(connector.Handlers{Connect: func(_ context.Context, c *connector.SourceConnection, _ connector.Document) error {
			err := c.Go(func(ctx context.Context) error {
				running.Add(1)
				defer running.Add(-1)
				<-ctx.Done()
				return ctx.Err()
			})
			if calls.Add(1) < 4 {
				return errors.New("not yet")
			}
			return err
		}})
		synctest.Wait()
		if calls.Load() != 4 || running.Load() != 1 {
			t.Errorf("after %d calls %d pieces of work run", calls.Load(), running.Load())
		}
		b.must(b.end())
		if running.Load() != 0 {
			t.Error("work outlives the connection")
		}
	})
}

func TestSessionHandlersWithoutConnectHaveTheZeroState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{}).connect(connector.SessionHandlers[int]{
			Query: func(ctx context.Context, _ *connector.SourceConnection, n int, q *connector.Query) error {
				return q.Complete(ctx, object{"n": n})
			},
		}.Handlers())
		rows, err := b.source.Query(b.soon(), nil)
		if err != nil || rows[0].String() != `{"n":0}` {
			t.Errorf("%v, %v", rows, err)
		}
	})
}

// A system that is away, and a configuration that is wrong, are two things to whoever asks.
func TestAQueryErrorOfConnectIsTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		away := connector.QueryError{Code: "station.away", Template: "the station is away: {0}", Parameters: []any{"no route"}}
		b := setUp(t, nil, connector.Options{Logger: quiet})
		handlers := echo()
		handlers.Connect = func(context.Context, *connector.SourceConnection, connector.Document) error {
			return fmt.Errorf("connecting: %w", away)
		}
		b.run(handlers)
		b.must(b.source.WaitSession(b.soon(), 1))
		synctest.Wait()
		_, err := b.source.Query(b.soon(), nil)
		if e := queryError(t, err); e.Code != away.Code || e.Message() != away.Message() {
			t.Errorf("the query was answered %v", err)
		}
	})
}
