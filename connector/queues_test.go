package connector_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// waitFor returns a Publish handler that waits, whatever its context says.
func waitFor(release <-chan struct{}) func(context.Context, *connector.SourceConnection, connector.Document) error {
	return func(context.Context, *connector.SourceConnection, connector.Document) error {
		<-release
		return nil
	}
}

// padded returns a message of so many bytes, all told.
func padded(size int) json.RawMessage {
	return json.RawMessage(`{"pad":"` + strings.Repeat("x", size-len(`{"pad":""}`)) + `"}`)
}

// overhead is what a message that waits costs beside its frame.
const overhead = 64

// ofNoUse is what Vantiq writes into a publish beside what matters to a connector.
const ofNoUse = len(`,"contentType":"application/json","messageHeaders":{},"address":"0b1e6a6e-8c1f-4f0e-9d3a-5f0c2a9c1e7d"`)

// waits returns what a published message that waits costs.
func waits(message json.RawMessage) int {
	var document protocol.Document
	_ = document.UnmarshalJSON(message)
	return len(protocol.AppendPublish(nil, "EchoSource", document)) + ofNoUse + overhead
}

// Published messages wait for their handler up to 1,024 or 16 MiB. Then the reader stops, so that TCP holds the server back.
func TestAFullPublishQueueHoldsTheServerBack(t *testing.T) {
	for _, c := range []struct{ size, waiting int }{
		{20, 1024},
		{100_000, (16 << 20) / waits(padded(100_000))},
	} {
		t.Run(fmt.Sprint(c.size, " bytes"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				group, release := connector.NewGroup(1), make(chan struct{})
				b := setUp(t, nil, connector.Options{Logger: quiet, Group: group})
				handlers := echo()
				handlers.Publish = waitFor(release)
				b.connect(handlers)
				message, sent := padded(c.size), 0
				ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
				defer cancel()
				var err error
				for ; err == nil; sent++ {
					err = b.source.Publish(ctx, message)
				}
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Fatalf("after %d messages: %v", sent, err)
				}
				synctest.Wait()
				if _, held := group.Held(); held != int64(c.waiting*waits(message)) {
					t.Errorf("%d bytes wait, %d messages of %d bytes were due", held, c.waiting, c.size)
				}
				close(release)
				synctest.Wait()
				if s := b.conn.Stats(); int(s.Publishes) != sent-1 || s.PublishesDropped != 0 || s.Reconnects != 0 {
					t.Errorf("%d were sent, stats %+v", sent-1, s)
				}
			})
		})
	}
}

// What the reader has in its hand, waiting for room, was received as well: it is not lost with the link.
func TestAMessageThatWaitsForRoomOutlivesItsLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		b := setUp(t, nil, connector.Options{PublishQueue: 1})
		b.connectSlow(release)
		b.holdUp()
		synctest.Wait()
		b.source.Drop(vantiqtest.RST)
		b.must(b.conn.SendNotification(b.soon(), object{})) // the writer notices: the reader does not read
		synctest.Wait()
		if b.conn.State() == connector.Connected {
			t.Error("the loss of the link was not noticed")
		}
		close(release)
		b.session(2)
		synctest.Wait()
		if s := b.conn.Stats(); s.Publishes != 3 || s.PublishesDropped != 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

// Until the first Connect the reader must not stop: nobody knows how long that takes. What comes on top is dropped, the
// newest first, and counted, and the log says so once.
func TestBeforeTheFirstConnectTheNewestIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, release := &record{}, make(chan struct{})
		b := setUp(t, nil, connector.Options{Logger: log.logger()})
		var handled []int
		b.run(connector.Handlers{
			Connect: func(context.Context, *connector.SourceConnection, connector.Document) error {
				<-release
				return nil
			},
			Publish: func(_ context.Context, _ *connector.SourceConnection, message connector.Document) error {
				var m struct{ N int }
				err := message.Decode(&m)
				handled = append(handled, m.N)
				return err
			},
		})
		b.must(b.source.WaitSession(b.soon(), 1))
		b.must(b.publishAll(5000))
		_, err := b.source.Query(b.soon(), nil) // behind them in the stream
		if e := queryError(t, err); e.Code != connector.CodeNoHandler {
			t.Error(e)
		}
		pass(time.Hour)
		close(release)
		b.must(b.conn.WaitConnected(b.soon()))
		synctest.Wait()
		if err := inOrder(handled, 1024); err != nil {
			t.Error(err)
		}
		if s := b.conn.Stats(); s.PublishesDropped != 5000-1024 || s.Reconnects != 0 {
			t.Errorf("stats %+v", s)
		}
		if n := strings.Count(log.String(), "a published message is dropped"); n != 1 {
			t.Errorf("the log says so %d times", n)
		}
	})
}

// Of the queries that come at once, 64 run, 1,024 wait, and the others are answered at once.
func TestHowManyQueriesRunAndWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{Logger: quiet})
		var running, fine, busy atomic.Int64
		release := make(chan struct{})
		b.connect(onQuery(func(ctx context.Context, _ *connector.SourceConnection, q *connector.Query) error {
			running.Add(1)
			<-release
			return q.Empty(ctx)
		}))
		var all sync.WaitGroup
		for range 64 + 1024 + 100 {
			all.Go(func() {
				switch _, err := b.source.Query(context.Background(), nil); {
				case err == nil:
					fine.Add(1)
				case codeOf(err) == connector.CodeBusy:
					busy.Add(1)
				}
			})
		}
		synctest.Wait()
		if running.Load() != 64 || busy.Load() != 100 {
			t.Errorf("%d run, %d are told that the connector is busy", running.Load(), busy.Load())
		}
		close(release)
		all.Wait()
		if fine.Load() != 64+1024 {
			t.Errorf("%d were answered", fine.Load())
		}
	})
}

// No handler runs on the reader, and statuses wait for none: with every handler stuck, acknowledgements still count.
func TestStatusesAreReadWhateverHandlersDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		b := setUp(t, nil, connector.Options{Logger: quiet})
		stuck := func() error {
			<-release
			return nil
		}
		handlers := connector.Handlers{
			Publish: waitFor(release),
			Query:   func(context.Context, *connector.SourceConnection, *connector.Query) error { return stuck() },
			Connect: func(context.Context, *connector.SourceConnection, connector.Document) error { return stuck() },
		}
		flush := func(when string) {
			t.Helper()
			began := time.Now()
			for n := range 100 {
				b.must(b.conn.SendNotification(b.soon(), object{"n": n}))
			}
			if err := b.conn.Flush(b.soon()); err != nil || time.Since(began) > 0 {
				t.Errorf("%s: %v after %v", when, err, time.Since(began))
			}
		}
		b.run(handlers)
		b.must(b.source.WaitSession(b.soon(), 1))
		flush("while Connect runs")
		release <- struct{}{}
		b.must(b.conn.WaitConnected(b.soon()))
		b.must(b.publishAll(100))
		for range 100 {
			go b.source.Query(b.soon(), nil) //nolint:errcheck // it is answered when the handlers go on
		}
		synctest.Wait()
		flush("while Publish and Query run")
		close(release)
		synctest.Wait()
	})
}

// While a Publish handler waits for room in the outbox, the reader reads on: the acknowledgements are behind the messages.
// That has a bound as well, at which SendNotification gives up.
func TestAHandlerThatWaitsForRoomGivesUpWhenNoMoreCanBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		group := connector.NewGroup(1)
		b := setUp(t, nil, connector.Options{Logger: quiet, Group: group, OutboxMessages: 4})
		b.source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
		b.source.HandleNotifications(func(protocol.Document) {})
		large := padded(250_000)
		gaveUp := make(chan error, 1)
		b.connect(connector.Handlers{Publish: func(ctx context.Context, c *connector.SourceConnection, _ connector.Document) error {
			err := c.SendNotification(ctx, large)
			if err != nil {
				select {
				case gaveUp <- err:
				default:
				}
			}
			return err
		}})
		go func() {
			for b.source.Publish(context.Background(), large) == nil {
			}
		}()
		if err := <-gaveUp; !errors.Is(err, connector.ErrOutboxFull) {
			t.Errorf("SendNotification returned %v", err)
		}
		if out, in := group.Held(); in < 79<<20 || in > 81<<20 || out > 64<<20 {
			t.Errorf("%d MiB of notifications and %d MiB of messages were held then", out>>20, in>>20)
		}
		b.server.Close()
	})
}

// A message of 16 MiB is read, one byte more is not.
func TestTheLargestMessageThatIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &record{}
		b := setUp(t, nil, connector.Options{Logger: log.logger()})
		var got atomic.Int64
		b.connect(connector.Handlers{Publish: func(_ context.Context, _ *connector.SourceConnection, message connector.Document) error {
			got.Store(int64(len(message.Raw())))
			return nil
		}})
		frame := func(size int) string {
			const head = `{"op":"publish","object":`
			return head + string(padded(size-len(head)-1)) + "}"
		}
		b.must(b.source.SendRaw(frame(16 << 20)))
		synctest.Wait()
		if got.Load() < 16<<20-100 {
			t.Errorf("a message of 16 MiB came with %d bytes", got.Load())
		}
		b.must(b.source.SendRaw(frame(16<<20 + 1)))
		b.must(b.source.SendRaw(`{"op":"publish","object":`))
		b.must(b.source.Publish(b.soon(), object{}))
		synctest.Wait()
		if s := b.conn.Stats(); s.Publishes != 2 || s.Reconnects != 0 || got.Load() != 2 {
			t.Errorf("stats %+v", s)
		}
		for _, want := range []string{"larger than MaxInbound", "a malformed message was skipped"} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("the log does not say %q", want)
			}
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

// A thousand queries and a thousand publishes come at once, to slow handlers. With the default limits all queries have
// their turn; with smaller ones those beyond are told so at once. Publishes keep their order, and whoever pings is answered.
func TestAThousandQueriesAndPublishesAtOnce(t *testing.T) {
	for name, c := range map[string]struct {
		options             connector.Options
		running, fine, busy int
	}{
		"default limits": {options: connector.Options{}, running: 64, fine: 1000},
		"smaller limits": {options: connector.Options{MaxQueries: 10, MaxWaitingQueries: 100}, running: 10, fine: 110, busy: 890},
		"one at a time":  {options: connector.Options{MaxQueries: 1, QueryTimeout: time.Hour}, running: 1, fine: 1000},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := setUp(t, nil, c.options)
				var running, most, next, fine, busy atomic.Int64
				b.connect(connector.Handlers{
					Query: func(ctx context.Context, _ *connector.SourceConnection, q *connector.Query) error {
						most.Store(max(most.Load(), running.Add(1)))
						defer running.Add(-1)
						pass(time.Second)
						return q.Complete(ctx, q.Parameters())
					},
					Publish: func(_ context.Context, _ *connector.SourceConnection, message connector.Document) error {
						if want := fmt.Sprintf(`{"n":%d}`, next.Add(1)-1); message.String() != want {
							t.Errorf("%s came where %s was due", message, want)
						}
						pass(10 * time.Millisecond)
						return nil
					},
				})
				var all sync.WaitGroup
				for n := range 1000 {
					all.Go(func() {
						switch rows, err := b.source.Query(context.Background(), object{"n": n}); {
						case err == nil && fmt.Sprint(rows) == fmt.Sprintf(`[{"n":%d}]`, n):
							fine.Add(1)
						case codeOf(err) == connector.CodeBusy:
							busy.Add(1)
						default:
							t.Errorf("query %d: %v, %v", n, rows, err)
						}
					})
					b.must(b.source.Publish(b.soon(), object{"n": n}))
				}
				synctest.Wait()
				if running.Load() != int64(c.running) || busy.Load() != int64(c.busy) {
					t.Errorf("%d run and %d were told that the connector is busy, want %d and %d", running.Load(), busy.Load(), c.running, c.busy)
				}
				for range 5 {
					began := time.Now()
					b.must(b.source.Link().Ping(b.soon()))
					if took := time.Since(began); took > 0 {
						t.Errorf("a ping was answered after %v", took)
					}
					pass(time.Second)
				}
				all.Wait()
				synctest.Wait()
				if most.Load() != int64(c.running) || fine.Load() != int64(c.fine) {
					t.Errorf("%d at once, %d answered; want %d and %d", most.Load(), fine.Load(), c.running, c.fine)
				}
				s := b.conn.Stats()
				if s.Publishes != 1000 || s.PublishesDropped != 0 || s.QueriesOpen != 0 || s.Reconnects != 0 || len(b.source.Stray()) > 0 {
					t.Errorf("%d stray answers, stats %+v", len(b.source.Stray()), s)
				}
			})
		})
	}
}

// A small message in the outbox must not hold the large frame that it came in: the outbox counts its seven bytes only.
func TestASmallMessageDoesNotHoldALargeFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{Logger: quiet})
		b.source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
		b.source.HandleNotifications(func(protocol.Document) {})
		b.connect(echo())
		before := held()
		frame := `{"op":"publish","object":{"a":1},"messageHeaders":{"pad":"` + strings.Repeat("x", 1<<20) + `"}}`
		const messages = 100
		for range messages {
			b.must(b.source.SendRaw(frame))
			synctest.Wait()
		}
		if s := b.conn.Stats(); s.Publishes != messages || s.Queued != messages {
			t.Fatalf("stats %+v", s)
		}
		if grown := held() - before; grown > 16<<20 {
			t.Errorf("%d notifications of 7 bytes hold %d MiB", messages, grown>>20)
		}
		b.server.Close()
	})
}

// A handler that makes steady progress must not keep the reader from a ping for long.
func TestAPingBehindAFullQueueIsAnsweredWhenThereIsRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{Logger: quiet})
		b.connect(connector.Handlers{Publish: func(context.Context, *connector.SourceConnection, connector.Document) error {
			pass(10 * time.Millisecond)
			return nil
		}})
		b.must(b.publishAll(1 + 1024 + 1)) // one is handled, 1,024 wait, one waits for room
		began := time.Now()
		b.must(b.source.Link().Ping(b.soon()))
		if took := time.Since(began); took > 100*time.Millisecond {
			t.Errorf("a ping was answered after %v, though there was room after 10 ms", took)
		}
		b.server.Close()
	})
}
