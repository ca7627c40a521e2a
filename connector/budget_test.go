package connector_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// blindWithDropOldest connects to a server that does not acknowledge, and waits until the connector knows that.
func blindWithDropOldest(t *testing.T, group *connector.Group) *bench {
	t.Helper()
	b := setUp(t, nil, connector.Options{Logger: quiet, OutboxMessages: 20, OutboxFull: connector.DropOldest, Group: group})
	b.source.SetAcknowledgements(vantiqtest.Acknowledgements{None: true})
	b.connect(echo())
	b.must(b.conn.SendNotification(b.soon(), object{"n": -1}))
	b.must(b.conn.Flush(b.soon()))
	return b
}

// balanced checks that each notification was delivered or dropped, and that no room is taken for it any more.
func (b *bench) balanced(group *connector.Group) {
	b.t.Helper()
	b.must(b.conn.Flush(b.soon()))
	out, in := group.Held()
	if s := b.conn.Stats(); s.Queued != 0 || out != 0 || in != 0 || s.Acknowledged+s.Dropped != s.Accepted {
		b.t.Errorf("the group holds %d and %d bytes, stats %+v", out, in, s)
	}
}

// What was dropped while it was being written was given back twice, and the outbox then took ever more.
func TestWhatIsDroppedWhileItIsWrittenIsReleasedOnce(t *testing.T) {
	pad := strings.Repeat("x", 100_000)
	t.Run("to a peer that does not read", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			group := connector.NewGroup(1)
			b := blindWithDropOldest(t, group)
			link := b.source.Link()
			link.HoldReads(true)
			for n := range 35 {
				b.must(b.conn.SendNotification(b.soon(), object{"n": n, "pad": pad}))
				if n < 3 {
					synctest.Wait()
				}
			}
			link.HoldReads(false)
			b.balanced(group)
			if s := b.conn.Stats(); s.Dropped == 0 || s.Reconnects != 0 {
				t.Errorf("stats %+v", s)
			}
		})
	})
	t.Run("in a batch", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			group := connector.NewGroup(1)
			b := blindWithDropOldest(t, group)
			link := b.source.Link()
			link.HoldReads(true)
			for n := range 20 {
				b.must(b.conn.SendNotification(b.soon(), object{"n": n, "pad": pad}))
				if n < 2 {
					synctest.Wait()
				}
			}
			readOn := b.source.Inject(vantiqtest.Fault{Op: protocol.OpNotification, Delay: 3 * time.Second, Times: -1})
			link.HoldReads(false)
			pass(10 * time.Second)
			for b.conn.Stats().Queued < 20 {
				b.must(b.conn.SendNotification(b.soon(), object{"pad": pad}))
			}
			for range 4 {
				b.must(b.conn.SendNotification(b.soon(), object{"pad": pad}))
			}
			readOn()
			b.balanced(group)
			if s := b.conn.Stats(); s.Dropped == 0 || s.Reconnects != 0 {
				t.Errorf("stats %+v", s)
			}
		})
	})
}

// A source that waited for room in the group was woken only by itself.
func TestRoomThatAnotherSourceGivesBackIsUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		group := connector.NewGroup(2)
		group.LimitOutgoing(10_000)
		one := setUp(t, nil, connector.Options{Group: group})
		other := setUp(t, nil, connector.Options{Group: group}) // never runs: what it has stays
		defer func() {
			if err := other.conn.Close(context.Background()); err != nil && !strings.Contains(err.Error(), "not delivered") {
				t.Error(err)
			}
		}()
		one.source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
		one.connect(echo())
		large := object{"pad": strings.Repeat("x", 4000)}
		for range 2 {
			one.must(one.conn.SendNotification(one.soon(), large))
		}
		other.must(other.conn.SendNotification(other.soon(), object{"n": 1}))
		sent := make(chan error, 1)
		go func() { sent <- other.conn.SendNotification(other.soon(), large) }()
		synctest.Wait()
		if s := other.conn.Stats(); s.Accepted != 1 {
			t.Errorf("%d accepted, though the group is full", s.Accepted)
		}
		began := time.Now()
		one.source.ReleaseAcknowledgements(-1)
		if err := <-sent; err != nil || time.Since(began) > time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

// Queries that still waited when the connection ended kept their part of the budget that all sources share.
func TestQueriesThatNeverRanGiveTheirRoomBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		group := connector.NewGroup(1)
		b := setUp(t, nil, connector.Options{Logger: quiet, MaxQueries: 1, Group: group})
		b.connect(onQuery(func(ctx context.Context, _ *connector.SourceConnection, _ *connector.Query) error {
			<-ctx.Done()
			return ctx.Err()
		}))
		for range 5 {
			go b.source.Query(b.soon(), object{"pad": strings.Repeat("x", 1000)}) //nolint:errcheck // there is nobody to answer them
		}
		synctest.Wait()
		if _, in := group.Held(); in < 4000 {
			t.Errorf("%d bytes are held for four queries of 1,000 each", in)
		}
		b.server.Inject(vantiqtest.Fault{Op: protocol.OpValidate, Answer: `{"status":401}`})
		b.source.Drop(vantiqtest.FIN)
		if err := b.endsWithin(patience); err == nil {
			t.Error("Run returned nil")
		}
		if out, in := group.Held(); out != 0 || in != 0 {
			t.Errorf("the group still holds %d and %d bytes", out, in)
		}
	})
}

// Answers were held for as long as there was no session, and with them the memory of all sources.
func TestAnswersWithoutASessionGiveTheirMemoryBack(t *testing.T) {
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
		b.must(q.Complete(context.Background(), []object{{"pad": strings.Repeat("x", 100_000)}}))
		if _, incoming := group.Held(); incoming < 100_000 {
			t.Errorf("%d bytes are held", incoming)
		}
		pass(2 * time.Minute)
		if _, incoming := group.Held(); incoming > 1000 {
			t.Errorf("%d bytes are still held after two minutes", incoming)
		}
		b.server.Start()
		if e := queryError(t, <-result); e.Code != connector.CodeInterrupted {
			t.Error(e)
		}
	})
}
