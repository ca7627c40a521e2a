package connector_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// The reader had stopped because the publish queue was full, while the handler waited in Flush for an acknowledgement
// that only the reader could have read.
func TestFlushInAPublishHandlerDoesNotDeadlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{Logger: quiet, PublishQueue: 8})
		const messages = 200
		handled, done := 0, make(chan struct{})
		b.connect(connector.Handlers{Publish: func(ctx context.Context, c *connector.SourceConnection, message connector.Document) error {
			if handled++; handled == messages {
				defer close(done)
			}
			if err := c.SendNotification(ctx, message); err != nil {
				return err
			}
			return c.Flush(ctx)
		}})
		published := make(chan error, 1)
		go func() { published <- b.publishAll(messages) }()
		select {
		case <-done:
		case <-b.soon().Done():
			t.Fatalf("not all were handled: %+v", b.conn.Stats())
		}
		b.must(<-published)
		if err := inOrder(b.received(), messages); err != nil {
			t.Error(err)
		}
		if s := b.conn.Stats(); s.PublishErrors != 0 || s.Reconnects != 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

// publishAll publishes messages with an n from 0 on.
func (b *bench) publishAll(messages int) error {
	for n := range messages {
		if err := b.source.Publish(context.Background(), object{"n": n}); err != nil {
			return err
		}
	}
	return nil
}

// {} used to count as the acknowledgement of a notification.
func TestAMessageWithoutStatusAcknowledgesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{}).connect(echo())
		b.source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
		for n := range 2 {
			b.must(b.conn.SendNotification(b.soon(), object{"n": n}))
		}
		synctest.Wait()
		for _, text := range []string{`{}`, `{"op":null}`, `{"op":null,"more":1}`, `{"status":null}`, `{"status":0}`, `{"status":100}`} {
			b.must(b.source.SendRaw(text))
			synctest.Wait()
			if s := b.conn.Stats(); s.Acknowledged != 0 || s.Refused != 0 || s.Queued != 2 {
				t.Errorf("after %s: stats %+v", text, s)
			}
		}
		b.source.SetAcknowledgements(vantiqtest.Acknowledgements{})
		b.must(b.conn.Flush(b.soon()))
		if s := b.conn.Stats(); s.Acknowledged != 2 || s.Reconnects != 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

// Without pings nothing proves that a server which does not acknowledge is there, so time must: but not while its
// acknowledgement waits unread behind messages for a slow handler.
func TestAnUnreadAcknowledgementIsNotAMissingOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{PingInterval: -1, PublishQueue: 2})
		b.connect(connector.Handlers{Publish: func(ctx context.Context, _ *connector.SourceConnection, _ connector.Document) error {
			select {
			case <-time.After(100 * time.Second):
			case <-ctx.Done():
			}
			return nil
		}})
		b.must(b.publishAll(6))
		synctest.Wait()
		b.must(b.conn.SendNotification(b.soon(), object{"n": 0}))
		pass(50 * time.Second)
		if s := b.conn.Stats(); s.Acknowledged != 0 || s.Queued != 1 {
			t.Errorf("a notification counts as delivered whose status has not been read: stats %+v", s)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
		defer cancel()
		b.must(b.conn.Flush(ctx))
		b.source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
		b.must(b.conn.SendNotification(b.soon(), object{"n": 1}))
		pass(5 * time.Second)
		if s := b.conn.Stats(); s.Queued != 1 || s.Reconnects != 0 {
			t.Errorf("acknowledgements are no longer awaited: stats %+v", s)
		}
	})
}

// What was kept because its acknowledgement might have been a response's was not sent again unless something else was.
func TestWhatOnlyAResponseHadAcknowledgedIsSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{})
		b.source.SetAcknowledgements(vantiqtest.Acknowledgements{Responses: true, Withheld: true})
		b.connect(echo())
		for range 2 {
			_, err := b.source.Query(b.soon(), nil)
			b.must(err)
		}
		b.source.Inject(vantiqtest.Fault{Op: protocol.OpNotification, Ignore: true}) // lost with the link
		b.must(b.conn.SendNotification(b.soon(), object{"n": 0}))
		synctest.Wait()
		b.source.ReleaseAcknowledgements(2) // one for each response; the first looks like the notification's
		synctest.Wait()
		b.source.Drop(vantiqtest.FIN)
		b.session(2)
		if _, err := b.source.Notification(b.soon()); err != nil {
			t.Errorf("it is not sent again on the new link: %v; %+v", err, b.conn.Stats())
		}
	})
}

// Of what was to be sent again to be sure, the part that the link had not taken yet was forgotten when a full outbox dropped
// something, though it was not what was dropped.
func TestDroppingLeavesAloneWhatIsSentAgainToBeSure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{MaxOutstanding: 20, OutboxMessages: 20, OutboxFull: connector.DropOldest})
		b.connect(echo())
		const first = 15 // widens the window to 20
		for n := range first {
			b.must(b.conn.SendNotification(b.soon(), object{"n": n}))
		}
		b.must(b.conn.Flush(b.soon()))
		b.source.SetAcknowledgements(vantiqtest.Acknowledgements{Responses: true, Withheld: true})
		const suspect = 20
		for range suspect + 1 {
			_, err := b.source.Query(b.soon(), nil)
			b.must(err)
		}
		b.source.Inject(vantiqtest.Fault{Op: protocol.OpNotification, Ignore: true, Times: suspect}) // lost with the link
		for n := range suspect {
			b.must(b.conn.SendNotification(b.soon(), object{"n": first + n, "pad": strings.Repeat("x", 30<<10)}))
		}
		synctest.Wait()
		b.source.ReleaseAcknowledgements(suspect + 1) // one for each response; all but the last look like a notification's
		synctest.Wait()
		b.server.Intercept(func(l *vantiqtest.Link, m protocol.Message) bool {
			_, claims := m.(*protocol.ConnectExtension)
			if claims {
				l.Handle(m)
				l.HoldReads(true) // nothing more is read: the writer is stuck with its first batch
			}
			return claims
		})
		b.source.Drop(vantiqtest.FIN)
		b.session(2)
		synctest.Wait()
		for n := range suspect + 5 {
			b.must(b.conn.SendNotification(b.soon(), object{"n": first + suspect + n}))
		}
		if s := b.conn.Stats(); s.Dropped != 5 {
			t.Errorf("stats %+v", s)
		}
		b.source.Link().HoldReads(false)
		b.source.SetAcknowledgements(vantiqtest.Acknowledgements{Responses: true})
		b.must(b.conn.Flush(b.soon()))
		if got := b.received(); !slices.Contains(got, first+suspect-1) {
			t.Errorf("%d, which was not dropped, has not come: %v", first+suspect-1, got)
		} else if err := inOrder(got[:first+suspect], first+suspect); err != nil {
			t.Errorf("%v: %v", err, got)
		}
	})
}

// What only a response had acknowledged was taken for dropped, and not sent again, when something behind it was dropped.
func TestDroppingOneLeavesTheDoubtAboutThoseBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{OutboxMessages: 1, OutboxFull: connector.DropOldest})
		b.source.SetAcknowledgements(vantiqtest.Acknowledgements{Responses: true, Withheld: true})
		b.connect(echo())
		for range 4 {
			_, err := b.source.Query(b.soon(), nil)
			b.must(err)
		}
		b.source.Inject(vantiqtest.Fault{Op: protocol.OpNotification, Ignore: true, Times: 3}) // lost with the link
		b.must(b.conn.SendNotification(b.soon(), object{"n": 0}))
		synctest.Wait()
		b.source.ReleaseAcknowledgements(1) // a response's, which looks like the notification's
		synctest.Wait()
		b.must(b.conn.SendNotification(b.soon(), object{"n": 1})) // is dropped
		synctest.Wait()
		b.must(b.conn.SendNotification(b.soon(), object{"n": 2}))
		synctest.Wait()
		b.source.ReleaseAcknowledgements(3) // the last one teaches
		synctest.Wait()
		b.source.SetAcknowledgements(vantiqtest.Acknowledgements{Responses: true})
		b.source.Drop(vantiqtest.FIN)
		b.session(2)
		synctest.Wait()
		if got, s := b.received(), b.conn.Stats(); !slices.Contains(got, 0) || !slices.Contains(got, 2) || s.Dropped != 1 {
			t.Errorf("received %v, stats %+v", got, s)
		}
	})
}

// A single status too many made the connector wait for ever for acknowledgements of responses: it replaced every link.
func TestAStrayStatusCostsAtMostOneLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{Logger: quiet}).connect(echo())
		_, err := b.source.Query(b.soon(), nil)
		b.must(err)
		b.must(b.source.SendRaw(`{"status":200}`))
		synctest.Wait()
		const rounds = 10
		for n := range rounds {
			_, err := b.source.Query(b.soon(), nil)
			b.must(err)
			b.must(b.conn.SendNotification(b.soon(), object{"n": n}))
			pass(40 * time.Second)
		}
		b.must(b.conn.Flush(b.soon()))
		if err := inOrder(b.received(), rounds); err != nil {
			t.Error(err)
		}
		if s := b.conn.Stats(); s.Reconnects > 1 || s.Acknowledged != rounds || s.Queued != 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

// Each status was an event for a goroutine that attends to none while it waits, and 64 of them ended the link.
func TestAThousandStatusesBeforeTheConfigurationDoNotEndTheLink(t *testing.T) {
	for _, statuses := range []int{12, 64, 200, 1000} {
		t.Run(fmt.Sprint(statuses), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := setUp(t, nil, connector.Options{Logger: quiet})
				b.server.Inject(vantiqtest.Fault{Op: protocol.OpConnectExtension, Statuses: statuses})
				b.connect(echo())
				if s := b.conn.Stats(); s.Reconnects != 0 || s.LastError != "" {
					t.Errorf("stats %+v", s)
				}
			})
		})
	}
}

func TestStatusesBehindARefusalDoNotEndTheLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{Logger: quiet})
		var once sync.Once
		b.server.Intercept(func(l *vantiqtest.Link, m protocol.Message) (handled bool) {
			if _, ok := m.(*protocol.ConnectExtension); !ok {
				return false
			}
			once.Do(func() {
				l.Send(`{"status":404,"body":[{"code":"x","message":"no such source"}]}`)
				for range 100 {
					l.Send(`{"status":200}`)
				}
				handled = true
			})
			return handled
		})
		b.connect(echo())
		if dials := len(b.server.Dials()); dials != 1 {
			t.Errorf("%d links; %s", dials, b.conn.Stats().LastError)
		}
	})
}

// Acknowledgements that came before a publish for which there is no room count at once.
func TestAcknowledgementsBeforeAPublishWithoutRoomCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		b := setUp(t, nil, connector.Options{Logger: quiet, PublishQueue: 1})
		b.connect(connector.Handlers{Publish: waitFor(release)})
		b.must(b.publishAll(3)) // one is handled, one waits, one waits for room
		synctest.Wait()
		b.must(b.conn.SendNotification(b.soon(), object{}))
		synctest.Wait() // its acknowledgement is not read
		b.must(b.publishAll(1))
		synctest.Wait()
		release <- struct{}{}
		synctest.Wait()
		if s := b.conn.Stats(); s.Acknowledged != 1 {
			t.Errorf("stats %+v", s)
		}
		close(release)
		synctest.Wait()
	})
}
