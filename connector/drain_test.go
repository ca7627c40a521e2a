package connector_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

func TestDrainFinishesWhatRunsAndSendsWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		var closed error
		b := setUp(t, nil, connector.Options{}, vantiqtest.WithObserver(func(e vantiqtest.Event) {
			if e.Kind == vantiqtest.LinkClosed {
				closed = e.Err
			}
		}))
		handlers := journaled(j, false)
		handlers.Query = func(ctx context.Context, c *connector.SourceConnection, q *connector.Query) error {
			pass(3 * time.Second)
			if ctx.Err() != nil {
				t.Error("the query's context ended though there was time")
			}
			for n := range 20 {
				if err := c.SendNotification(ctx, object{"n": n}); err != nil {
					t.Error(err)
				}
			}
			return q.Complete(ctx, object{"done": true})
		}
		closing := handlers.Close
		handlers.Close = func(ctx context.Context, c *connector.SourceConnection, cause error) error {
			if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) > 7*time.Second {
				t.Error("Close does not know the drain's deadline")
			}
			if err := c.SendNotification(ctx, object{"n": 20}); err != nil {
				t.Error(err)
			}
			return closing(ctx, c, cause)
		}
		b.connect(handlers)
		b.must(b.conn.Go(func(ctx context.Context) error {
			<-ctx.Done()
			j.add("background work ends")
			return ctx.Err()
		}))
		answered := make(chan error, 1)
		go func() {
			_, err := b.source.Query(b.soon(), nil)
			answered <- err
		}()
		synctest.Wait()
		b.stop()
		synctest.Wait()
		if state := b.conn.State(); state != connector.Draining {
			t.Errorf("state %v", state)
		}
		_, err := b.source.Query(b.soon(), nil)
		if e := queryError(t, err); e.Code != connector.CodeShutdown {
			t.Errorf("a query that comes now: %v", e)
		}
		b.must(b.endsWithin(drainTime))
		b.must(<-answered)
		if err := inOrder(b.received(), 21); err != nil {
			t.Error(err)
		}
		expect(t, j.all(), "connect {}", "background work ends", "close for good")
		synctest.Wait()
		if closed == nil || !strings.Contains(closed.Error(), "1000") {
			t.Errorf("the link was closed by %v", closed)
		}
		if _, err := b.source.Query(b.soon(), nil); err == nil {
			t.Error("the source is still connected")
		}
	})
}

func TestDrainKeepsItsDeadline(t *testing.T) {
	for name, handle := range map[string]func(ctx context.Context, q *connector.Query) error{
		"obeys":   func(ctx context.Context, _ *connector.Query) error { <-ctx.Done(); return ctx.Err() },
		"ignores": func(context.Context, *connector.Query) error { pass(time.Minute); return nil },
		"forgets": func(context.Context, *connector.Query) error { return connector.ErrAnswerLater },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := &journal{}
				b := setUp(t, nil, connector.Options{})
				handlers := journaled(j, false)
				handlers.Query = func(ctx context.Context, _ *connector.SourceConnection, q *connector.Query) error {
					return handle(ctx, q)
				}
				b.connect(handlers)
				answered := make(chan error, 1)
				go func() {
					_, err := b.source.Query(b.soon(), nil)
					answered <- err
				}()
				synctest.Wait()
				began := time.Now()
				b.stop()
				if e := queryError(t, <-answered); e.Code != connector.CodeShutdown {
					t.Error(e)
				}
				b.must(b.endsWithin(drainTime))
				if took := time.Since(began); took > 10*time.Second {
					t.Errorf("it took %v", took)
				}
				expect(t, j.all(), "connect {}", "close for good")
				pass(time.Minute)
			})
		})
	}
	t.Run("Close hangs", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := setUp(t, nil, connector.Options{}).connect(connector.Handlers{Close: func(context.Context, *connector.SourceConnection, error) error {
				pass(time.Minute)
				return nil
			}})
			began := time.Now()
			if err := b.end(); err == nil || !strings.Contains(err.Error(), "DrainTime") || time.Since(began) != 10*time.Second {
				t.Errorf("%v after %v", err, time.Since(began))
			}
			pass(time.Minute)
		})
	})
}

func TestWhatCouldNotBeDeliveredIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{DrainTime: 3 * time.Second})
		b.source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
		b.connect(echo())
		for n := range 7 {
			b.must(b.conn.SendNotification(b.soon(), object{"n": n}))
		}
		began := time.Now()
		err := b.end()
		if !errors.Is(err, connector.ErrUndelivered) || !strings.Contains(err.Error(), "7") || time.Since(began) > 3*time.Second {
			t.Errorf("Run returned %v after %v", err, time.Since(began))
		}
	})
}

func TestMessagesReceivedBeforeADrainAreHandled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		b := setUp(t, nil, connector.Options{})
		handlers := journaled(j, false)
		handlers.Publish = func(_ context.Context, _ *connector.SourceConnection, message connector.Document) error {
			pass(time.Second)
			j.add("publish " + message.String())
			return nil
		}
		b.connect(handlers)
		for n := range 3 {
			b.must(b.source.Publish(b.soon(), object{"n": n}))
		}
		synctest.Wait()
		b.must(b.end())
		expect(t, j.all(), "connect {}", `publish {"n":0}`, `publish {"n":1}`, `publish {"n":2}`, "close for good")
	})
}

// What comes while the connection drains is not begun, not even if a handler is at work anyway: nobody knows that it would
// be finished.
func TestMessagesThatComeDuringADrainAreDroppedAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		b := setUp(t, nil, connector.Options{})
		handlers := journaled(j, false)
		handlers.Publish = func(_ context.Context, _ *connector.SourceConnection, message connector.Document) error {
			pass(5 * time.Second)
			j.add("publish " + message.String())
			return nil
		}
		b.connect(handlers)
		b.must(b.source.Publish(b.soon(), object{"before": true}))
		synctest.Wait()
		b.stop()
		synctest.Wait()
		b.must(b.publishAll(3))
		b.must(b.endsWithin(drainTime))
		expect(t, j.all(), "connect {}", `publish {"before":true}`, "close for good")
		if s := b.conn.Stats(); s.Publishes != 1 || s.PublishesDropped != 3 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestClose(t *testing.T) {
	t.Run("before Run", func(t *testing.T) {
		b := setUp(t, nil, connector.Options{})
		b.must(b.conn.Close(b.soon()))
		if err := b.conn.Run(b.soon()); !errors.Is(err, connector.ErrClosed) {
			t.Errorf("Run returned %v", err)
		}
		if err := b.conn.WaitConnected(b.soon()); !errors.Is(err, connector.ErrClosed) {
			t.Errorf("WaitConnected returned %v", err)
		}
	})
	t.Run("while connected", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := setUp(t, nil, connector.Options{}).connect(echo())
			if err := b.conn.Run(b.soon()); err == nil {
				t.Error("Run can be called twice")
			}
			b.must(b.conn.Close(b.soon()))
			b.must(b.conn.Close(b.soon()))
		})
	})
	t.Run("in every state", func(t *testing.T) {
		for _, when := range []string{"nobody listens", "authenticating", "connecting", "refused", "configuring"} {
			synctest.Test(t, func(t *testing.T) {
				b := setUp(t, nil, connector.Options{})
				switch when {
				case "nobody listens":
					b.server.Stop(vantiqtest.FIN)
				case "authenticating":
					b.server.Inject(vantiqtest.Fault{Op: "validate", Ignore: true})
				case "connecting":
					b.server.Inject(vantiqtest.Fault{Op: "connectExtension", Ignore: true})
				case "refused":
					b.source.Refuse(-1, &connector.StatusError{Status: 404})
				}
				b.run(connector.Handlers{Connect: func(ctx context.Context, _ *connector.SourceConnection, _ connector.Document) error {
					<-ctx.Done()
					return ctx.Err()
				}})
				pass(5 * time.Second)
				began := time.Now()
				b.must(b.conn.Close(b.soon()))
				if took := time.Since(began); took > time.Second {
					t.Errorf("%s: it took %v", when, took)
				}
			})
		}
	})
	t.Run("cut short", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := setUp(t, nil, connector.Options{}).connect(onQuery(func(ctx context.Context, _ *connector.SourceConnection, _ *connector.Query) error {
				<-ctx.Done()
				return ctx.Err()
			}))
			go b.source.Query(b.soon(), nil) //nolint:errcheck // it is answered or not
			synctest.Wait()
			began := time.Now()
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			if err := b.conn.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Close returned %v", err)
			}
			_ = b.endsWithin(drainTime)
			if took := time.Since(began); took != time.Second {
				t.Errorf("Run returned after %v", took)
			}
		})
	})
}

func TestNoSecretIsPrinted(t *testing.T) {
	conn, err := connector.New("EchoSource", connector.Options{TargetServer: "http://127.0.0.1:1", AuthToken: "hunter2", ReconnectSecret: "hunter2"})
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x"} {
		for _, value := range []any{conn, []any{conn}, connector.Options{AuthToken: "hunter2", ReconnectSecret: "hunter2"}} {
			if text := fmt.Sprintf(verb, value); strings.Contains(text, "hunter2") {
				t.Errorf("%s prints %s", verb, text)
			}
		}
	}
	_ = conn.Close(context.Background())
	_, err = connector.New(" ", connector.Options{TargetServer: "https://u:hunter2@h", MaxQueries: -1, OutboxFull: 9})
	for _, want := range []string{"name is empty", "user name", "AuthToken is empty", "MaxQueries is -1", "OutboxFull is 9"} {
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("New reports %v, without %q", err, want)
		}
	}
}

func TestAShortDrainStillLeavesHandlersTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{Logger: quiet, DrainTime: time.Second})
		b.connect(onQuery(func(ctx context.Context, _ *connector.SourceConnection, q *connector.Query) error {
			select {
			case <-time.After(500 * time.Millisecond):
				return q.Complete(ctx, object{"done": true})
			case <-ctx.Done():
				return ctx.Err()
			}
		}))
		answered := make(chan error, 1)
		go func() {
			_, err := b.source.Query(b.soon(), nil)
			answered <- err
		}()
		synctest.Wait()
		b.must(b.end())
		b.must(<-answered)
	})
}
