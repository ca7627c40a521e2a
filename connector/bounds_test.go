package connector_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// What was dropped while it was in flight had opened the window, and hidden that the server had stopped acknowledging.
func TestDropOldestKeepsTheWindowAndTheWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{Logger: quiet, OutboxMessages: 10, OutboxFull: connector.DropOldest}).connect(echo())
		b.must(b.conn.SendNotification(b.soon(), object{"n": -1}))
		b.must(b.conn.Flush(b.soon()))
		b.source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
		for n := range 600 {
			b.must(b.conn.SendNotification(b.soon(), object{"n": n}))
			pass(100 * time.Millisecond)
		}
		s := b.conn.Stats()
		if s.Reconnects < 3 {
			t.Errorf("a server that is silent for a minute was left only %d times", s.Reconnects)
		}
		if most := 5 * (s.Reconnects + 2); s.Sent+s.Resent > most {
			t.Errorf("%d were sent without an acknowledgement over %d links with a window of 5", s.Sent+s.Resent, s.Reconnects+1)
		}
		b.source.SetAcknowledgements(vantiqtest.Acknowledgements{})
		b.must(b.conn.Flush(b.soon()))
		if s := b.conn.Stats(); s.Queued != 0 || s.Acknowledged+s.Dropped != s.Accepted {
			t.Errorf("stats %+v", s)
		}
	})
}

// A flood was entered for any sender that waited, and never ended without acknowledgements.
func TestABackgroundSenderDoesNotLiftTheBoundsOfABusyHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{Logger: quiet, PublishQueue: 2, OutboxMessages: 10})
		b.source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
		b.connect(connector.Handlers{Publish: func(context.Context, *connector.SourceConnection, connector.Document) error {
			pass(10 * time.Millisecond)
			return nil
		}})
		go func() {
			for b.source.Publish(context.Background(), object{"pad": strings.Repeat("x", 10_000)}) == nil {
			}
		}()
		ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
		defer cancel()
		sent := 0
		for ; b.conn.SendNotification(ctx, object{"n": sent}) == nil; sent++ {
		}
		if sent != 10 {
			t.Errorf("%d notifications were accepted into an outbox of 10", sent)
		}
		if ctx.Err() == nil {
			t.Error("SendNotification gave up before its ctx ended")
		}
		b.server.Close()
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

func TestDecodeConfigLeavesVantiqsOwnMemberAlone(t *testing.T) {
	type plain struct {
		A int `json:"a"`
	}
	type curious struct {
		A      int            `json:"a"`
		Vantiq map[string]any `json:"vantiq"`
	}
	config := document(t, `{"a":"1","vantiq":{"packageRows":"true"}}`)
	if got, err := connector.DecodeConfig[plain](config); err != nil || got.A != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := connector.DecodeConfig[curious](config); err != nil || got.Vantiq["packageRows"] != "true" {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := connector.DecodeConfig[*pollConfig](document(t, `{"general":{"host":"::1","port":1,"tls":false},"polls":[]}`)); err == nil {
		t.Error("Validate of a pointer type is not called")
	}
}
