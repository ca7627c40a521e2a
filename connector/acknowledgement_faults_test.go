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

// acknowledgeLate makes the source acknowledge each notification of the present session so much later, and the next
// session's again at once.
func (b *bench) acknowledgeLate(late time.Duration) {
	session := b.source.Sessions()
	b.source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
	b.server.Intercept(func(_ *vantiqtest.Link, m protocol.Message) bool {
		_, ok := m.(*protocol.Notification)
		switch {
		case ok && b.source.Sessions() == session:
			time.AfterFunc(late, func() {
				if b.source.Sessions() == session {
					b.source.ReleaseAcknowledgements(1)
				}
			})
		case ok:
			b.source.SetAcknowledgements(vantiqtest.Acknowledgements{})
		}
		return false
	})
}

// onEvery lets do see each n-th notification instead of the server.
func (b *bench) onEvery(n int, do func(l *vantiqtest.Link, m protocol.Message)) {
	count := 0
	b.server.Intercept(func(l *vantiqtest.Link, m protocol.Message) bool {
		if _, ok := m.(*protocol.Notification); !ok {
			return false
		}
		if count++; count%n > 0 {
			return false
		}
		do(l, m)
		return true
	})
}

// However the server acknowledges: nothing blocks for ever, no counter falls below zero, all that was not refused
// arrives in order, and errors are told.
func TestHoweverNotificationsAreAcknowledged(t *testing.T) {
	const (
		messages = 400
		refusal  = `{"status":400,"body":[{"code":"bad","message":"no good"}]}`
	)
	for name, c := range map[string]struct {
		strike  func(b *bench)
		links   int // that are replaced, and only then something is sent again
		refused int
		told    string // what the log says
	}{
		"as they should be": {strike: func(*bench) {}},
		"none at all": {strike: func(b *bench) {
			b.source.SetAcknowledgements(vantiqtest.Acknowledgements{None: true})
		}, told: "does not acknowledge"},
		"none any more": {strike: func(b *bench) {
			var once sync.Once
			b.onEvery(messages/2, func(l *vantiqtest.Link, m protocol.Message) {
				once.Do(func() {
					b.source.SetAcknowledgements(vantiqtest.Acknowledgements{None: true})
					go func() {
						if b.source.WaitSession(b.soon(), 2) == nil {
							b.source.SetAcknowledgements(vantiqtest.Acknowledgements{})
						}
					}()
				})
				l.Handle(m)
			})
		}, links: 1, told: "stopped acknowledging"},
		"late":               {strike: func(b *bench) { b.acknowledgeLate(9 * time.Second) }},
		"late from then on":  {strike: func(b *bench) { b.must(b.acknowledged()); b.acknowledgeLate(9 * time.Second) }},
		"too late at first":  {strike: func(b *bench) { b.acknowledgeLate(25 * time.Second) }, told: "does not acknowledge"},
		"too late":           {strike: func(b *bench) { b.must(b.acknowledged()); b.acknowledgeLate(25 * time.Second) }, links: 1, told: "stopped acknowledging"},
		"doubled":            {strike: func(b *bench) { b.source.SetAcknowledgements(vantiqtest.Acknowledgements{Twice: true}) }},
		"each tenth refused": {strike: func(b *bench) { b.onEvery(10, func(l *vantiqtest.Link, _ protocol.Message) { l.Send(refusal) }) }, refused: messages / 10, told: "no good"},
		"all refused":        {strike: func(b *bench) { b.onEvery(1, func(l *vantiqtest.Link, _ protocol.Message) { l.Send(refusal) }) }, refused: messages, told: "no good"},
		"errors that belong to none between": {strike: func(b *bench) {
			b.onEvery(10, func(l *vantiqtest.Link, m protocol.Message) {
				l.Handle(m)
				l.Send(refusal)
			})
		}, told: "no good"},
		"doubled with errors between": {strike: func(b *bench) {
			b.source.SetAcknowledgements(vantiqtest.Acknowledgements{Twice: true})
			b.onEvery(10, func(l *vantiqtest.Link, m protocol.Message) {
				l.Handle(m)
				l.Send(refusal)
			})
		}, told: "no good"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := new(record)
				var refused atomic.Int64
				b := setUp(t, nil, connector.Options{
					OutboxMessages: 50, MaxOutstanding: 40, // so that senders wait
					Logger: log.notable(),
					Hooks:  []connector.Hook{refusals(func(json.RawMessage, *connector.StatusError) { refused.Add(1) })},
				}).connect(echo())
				c.strike(b)
				for n := range messages {
					b.must(b.conn.SendNotification(b.soon(), object{"n": n}))
					if s := b.conn.Stats(); s.Queued < 0 || s.Queued > 50 || s.Window > 40 || s.Acknowledged+s.Refused > s.Accepted {
						t.Fatalf("after %d: stats %+v", n, s)
					}
				}
				ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
				defer cancel()
				err := b.conn.Flush(ctx)
				if err != nil && !errors.Is(err, connector.ErrRefused) {
					t.Error(err)
				}
				synctest.Wait()
				s := b.conn.Stats()
				if s.Queued != 0 || s.Acknowledged+s.Refused != s.Accepted || int(s.Reconnects) != c.links || (s.Resent > 0) != (c.links > 0) {
					t.Errorf("stats %+v", s)
				}
				if refused.Load() != int64(c.refused) || int(s.Refused) != c.refused {
					t.Errorf("%d refusals were told, %d counted, want %d", refused.Load(), s.Refused, c.refused)
				}
				if said := log.String(); !strings.Contains(said, c.told) || c.told == "" && strings.Contains(said, "WARN") {
					t.Errorf("the log does not say %q, or too much:\n%s", c.told, said)
				}
				if err := whole(b.received(), messages, c.refused); err != nil {
					t.Errorf("%v; stats %+v", err, s)
				}
				pass(time.Hour) // whatever comes late
				if now := b.conn.Stats(); now.Acknowledged != s.Acknowledged || now.Reconnects != s.Reconnects || now.Queued != 0 {
					t.Errorf("an hour later: stats %+v", now)
				}
			})
		})
	}
}

// acknowledged sends a notification that is not among those that are counted, and waits for its acknowledgement.
func (b *bench) acknowledged() error {
	if err := b.conn.SendNotification(b.soon(), object{"n": -1}); err != nil {
		return err
	}
	defer b.source.Notifications()
	return b.conn.Flush(b.soon())
}

// whole reports whether numbers are 0 to n-1 but for so many that are missing, in order but for those that come again.
func whole(numbers []int, n, missing int) error {
	if missing == 0 {
		return inOrder(numbers, n)
	}
	last := -1
	for _, number := range numbers {
		if number <= last {
			return fmt.Errorf("%d came behind %d", number, last)
		}
		last = number
	}
	if len(numbers) != n-missing {
		return fmt.Errorf("%d of %d came", len(numbers), n-missing)
	}
	return nil
}
