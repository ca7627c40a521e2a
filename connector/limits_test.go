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

// fill sends the same message until there is no room, and returns how many were accepted.
func (b *bench) fill(message any) (accepted int) {
	b.t.Helper()
	for {
		switch err := b.conn.SendNotification(b.soon(), message); {
		case err == nil:
			accepted++
		case errors.Is(err, connector.ErrOutboxFull):
			return accepted
		default:
			b.t.Fatal(err)
		}
	}
}

// discard ends a connection that never ran.
func (b *bench) discard() {
	b.t.Helper()
	if err := b.conn.Close(b.soon()); !errors.Is(err, connector.ErrUndelivered) {
		b.t.Errorf("Close returned %v", err)
	}
}

// The outbox takes 4,096 messages or 16 MiB, and the outboxes of a group 256 MiB together.
func TestHowMuchTheOutboxTakes(t *testing.T) {
	large := document(t, string(padded(200_000))) // sent without a copy
	for _, c := range []struct {
		message any
		want    int
		outbox  int
	}{
		{object{}, 4096, 0},
		{large, 16 << 20 / 200_000, 0},
		{large, 256 << 20 / 200_000, 1 << 30},
	} {
		t.Run(fmt.Sprint(c.want), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				group := connector.NewGroup(2)
				b := setUp(t, nil, connector.Options{OutboxFull: connector.Fail, OutboxBytes: c.outbox, Group: group})
				defer b.discard()
				if n := b.fill(c.message); n != c.want {
					t.Errorf("%d were accepted, want %d", n, c.want)
				}
				if c.outbox == 0 {
					return
				}
				other := setUp(t, nil, connector.Options{OutboxFull: connector.Fail, Group: group})
				defer other.discard()
				if n := other.fill(c.message); n != 1 { // an empty outbox takes one in any case
					t.Errorf("another source of the group still sent %d", n)
				}
			})
		})
	}
}

// What all sources hold of what came to them is bounded as well: then a queue with room is full, and a query that would have
// to wait is told that the connector is busy.
func TestTheMessagesOfAGroupAreBoundedTogether(t *testing.T) {
	if out, in := connector.NewGroup(1).Limits(); out != 256<<20 || in != 256<<20 {
		t.Errorf("the limits are %d and %d bytes", out, in)
	}
	synctest.Test(t, func(t *testing.T) {
		group, release := connector.NewGroup(2), make(chan struct{})
		group.LimitIncoming(1_000_000)
		stuck := connector.Handlers{Publish: waitFor(release), Query: func(context.Context, *connector.SourceConnection, *connector.Query) error {
			<-release
			return nil
		}}
		options := connector.Options{Logger: quiet, Group: group, MaxQueries: 1}
		one, other := setUp(t, nil, options).connect(stuck), setUp(t, nil, options).connect(stuck)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		for one.source.Publish(ctx, padded(10_000)) == nil {
		}
		if _, in := group.Held(); in > 1_000_000 || in < 980_000 {
			t.Errorf("%d bytes are held", in)
		}
		go other.source.Query(other.soon(), nil) //nolint:errcheck // it runs until the end
		synctest.Wait()
		_, err := other.source.Query(other.soon(), padded(20_000))
		if e := queryError(t, err); e.Code != connector.CodeBusy {
			t.Errorf("a query that would have to wait: %v", e)
		}
		other.must(other.publishAll(3)) // one runs, one waits because nothing else does, one is not read
		synctest.Wait()
		before := other.conn.Stats()
		if _, in := group.Held(); before.Publishes != 1 || in > 1_000_000+200 {
			t.Errorf("%d bytes are held, stats %+v", in, before)
		}
		close(release)
		synctest.Wait()
		if s := other.conn.Stats(); s.Publishes != 3 || s.PublishesDropped != 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

// An answer waits sixty seconds for a session; then whoever asked has given up, and its memory is given back.
func TestAnAnswerWaitsSixtySecondsForASession(t *testing.T) {
	for outage, kept := range map[time.Duration]bool{40 * time.Second: true, 61 * time.Second: false} {
		t.Run(outage.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				group := connector.NewGroup(1)
				b := setUp(t, nil, connector.Options{Logger: quiet, Group: group, QueryTimeout: -1})
				later := make(chan *connector.Query, 1)
				b.connect(onQuery(func(_ context.Context, _ *connector.SourceConnection, q *connector.Query) error {
					later <- q
					return connector.ErrAnswerLater
				}))
				result := make(chan error, 1)
				go func() {
					_, err := b.source.Query(context.Background(), nil)
					result <- err
				}()
				q := <-later
				b.server.Stop(vantiqtest.FIN)
				synctest.Wait()
				b.must(q.Complete(context.Background(), object{"pad": strings.Repeat("x", 1000)}))
				pass(min(outage, 59*time.Second))
				if _, held := group.Held(); held < 1000 {
					t.Errorf("%d bytes are held before a minute has passed", held)
				}
				pass(outage - min(outage, 59*time.Second))
				if _, held := group.Held(); !kept && held >= 1000 {
					t.Errorf("%d bytes are held after %v", held, outage)
				}
				b.server.Start()
				if err := <-result; (err == nil) != kept || !kept && codeOf(err) != connector.CodeInterrupted {
					t.Errorf("the query ended with %v", err)
				}
			})
		})
	}
}
