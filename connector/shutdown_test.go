package connector_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// drainTime is the default of Options.DrainTime.
const drainTime = 10 * time.Second

// endsWithin returns what Run returns, which must not take longer.
func (b *bench) endsWithin(limit time.Duration) error {
	b.t.Helper()
	timer := time.NewTimer(limit + time.Millisecond) // what happens at the limit is in time
	defer timer.Stop()
	select {
	case err := <-b.ended:
		return err
	case <-timer.C:
		b.t.Fatalf("Run has not returned %v later: %v", limit, b.conn.State())
		return nil
	}
}

// Run waited for the Close handler of the last session, whatever its ctx and that of Close said.
func TestAFinalErrorDoesNotWaitForEverForClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{})
		release := make(chan struct{})
		defer close(release)
		b.connect(connector.Handlers{Close: func(context.Context, *connector.SourceConnection, error) error {
			<-release
			return nil
		}})
		b.server.Inject(vantiqtest.Fault{Op: protocol.OpValidate, Answer: `{"status":401}`})
		b.source.Drop(vantiqtest.FIN)
		var status *connector.StatusError
		if err := b.endsWithin(drainTime + 5*time.Second); !errors.As(err, &status) || status.Status != 401 {
			t.Errorf("Run returned %v", err)
		}
	})
}

// The deadline was looked at once, when Close began: a drain that began later did not end its context.
func TestADrainEndsTheContextOfACloseThatRunsAlready(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{})
		var ended atomic.Bool
		b.connect(connector.Handlers{Close: func(ctx context.Context, _ *connector.SourceConnection, _ error) error {
			<-ctx.Done()
			ended.Store(true)
			return ctx.Err()
		}})
		b.source.Drop(vantiqtest.FIN)
		pass(5 * time.Second)
		b.stop()
		_ = b.endsWithin(drainTime + time.Second) // with or without a complaint about the handler
		synctest.Wait()
		if !ended.Load() {
			t.Error("Close's context has not ended")
		}
	})
}

// Flush had used up the whole DrainTime, and the link was then cut.
func TestALinkIsClosedPolitelyThoughNotificationsStayUnacknowledged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		closed := make(chan error, 1)
		b := setUp(t, nil, connector.Options{}, vantiqtest.WithObserver(func(e vantiqtest.Event) {
			if e.Kind == vantiqtest.LinkClosed {
				closed <- e.Err
			}
		}))
		b.source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
		b.connect(echo())
		b.must(b.conn.SendNotification(b.soon(), object{"n": 0}))
		b.stop()
		if err := b.endsWithin(drainTime); !errors.Is(err, connector.ErrUndelivered) {
			t.Errorf("Run returned %v", err)
		}
		if err := <-closed; err == nil || !strings.Contains(err.Error(), "1000") {
			t.Errorf("the link was closed by %v", err)
		}
	})
}

// The session had been shut before its drain began: what waited in between was handed to no handler.
func TestMessagesThatWaitAreHandledHoweverSlowlyADrainBegins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const messages = 10
		b := setUp(t, nil, connector.Options{Hooks: []connector.Hook{onState(func(_, to connector.State, _ error) {
			if to == connector.Draining {
				pass(500 * time.Millisecond)
			}
		})}})
		b.connect(connector.Handlers{Publish: func(ctx context.Context, c *connector.SourceConnection, message connector.Document) error {
			pass(100 * time.Millisecond)
			return c.SendNotification(ctx, message)
		}})
		b.must(b.publishAll(messages))
		synctest.Wait()
		b.stop()
		b.must(b.endsWithin(drainTime))
		if err := inOrder(b.received(), messages); err != nil {
			t.Error(err)
		}
		if s := b.conn.Stats(); s.PublishesDropped != 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

// A connection that came about just when Run's ctx ended was not closed, and its silence was waited for.
func TestADialThatSucceedsTooLateDoesNotHoldUpTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dialing := make(chan struct{}, 1)
		b := setUpOn(t, nil, connector.Options{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			dialing <- struct{}{}
			<-ctx.Done()
			near, far := net.Pipe()
			go io.Copy(io.Discard, far) //nolint:errcheck // it says nothing, and ends when near is closed
			return near, nil
		}}, vantiqtest.WithNetwork(vantiqtest.NewNetwork()))
		b.run(echo())
		<-dialing
		b.stop()
		b.must(b.endsWithin(time.Second))
	})
}
