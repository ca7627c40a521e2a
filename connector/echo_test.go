package connector_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

func TestEchoOverASocketAndInMemory(t *testing.T) {
	exchange := func(t *testing.T, b *bench) {
		b.connect(echo())
		b.must(b.source.Publish(b.soon(), object{"text": "hello"}))
		event, err := b.source.Notification(b.soon())
		b.must(err)
		if event.String() != `{"text":"hello"}` {
			t.Errorf("the notification is %s", event)
		}
		rows, err := b.source.Query(b.soon(), object{"limit": 3})
		b.must(err)
		if fmt.Sprint(rows) != `[{"limit":3}]` {
			t.Errorf("the rows are %v", rows)
		}
		b.must(b.conn.Flush(b.soon()))
		if s := b.conn.Stats(); s.Accepted != 1 || s.Acknowledged != 1 || s.Queued != 0 || s.Publishes != 1 || s.Queries != 1 || s.QueriesOpen != 0 {
			t.Errorf("stats: %+v", s)
		}
		b.must(b.end())
		if state := b.conn.State(); state != connector.Closed {
			t.Errorf("state %v after Run", state)
		}
	}
	t.Run("socket", func(t *testing.T) { exchange(t, setUpOn(t, nil, connector.Options{})) })
	t.Run("memory", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { exchange(t, setUp(t, nil, connector.Options{})) })
	})
	t.Run("text and binary in turn", func(t *testing.T) {
		exchange(t, setUpOn(t, nil, connector.Options{}, vantiqtest.WithFrames(vantiqtest.Text, vantiqtest.Binary)))
	})
	t.Run("TLS", func(t *testing.T) {
		certificates := x509.NewCertPool()
		options := connector.Options{TLS: &tls.Config{RootCAs: certificates}}
		b := setUpOn(t, nil, options, vantiqtest.WithTLS(nil))
		*certificates = *b.server.RootCAs()
		exchange(t, b)
	})
}

// A reader that stops while its handler waits for acknowledgements, which only it could read, is a deadlock. Publishes
// come as fast as TCP takes them, each is echoed, and the acknowledgements are in the same stream.
func TestEchoOfAFloodComesBackWhole(t *testing.T) {
	for _, c := range []struct{ messages, bytes int }{{1_000_000, 70}, {400_000, 150}, {20_000, 10_000}, {3_000, 100_000}} {
		t.Run(fmt.Sprintf("%d of %d bytes", c.messages/floodShare, c.bytes), func(t *testing.T) {
			setUpOn(t, nil, connector.Options{Logger: quiet}).flood(c.messages/floodShare, c.bytes)
		})
	}
}

// However little may wait by number, only bytes count in a flood: SendNotification returned ErrOutboxFull in the handler
// though next to nothing waited.
func TestEchoOfAFloodComesBackWholeThroughTheNarrowestQueues(t *testing.T) {
	setUpOn(t, nil, connector.Options{Logger: quiet, PublishQueue: 1, OutboxMessages: 2, MaxOutstanding: 2}).flood(100_000/floodShare, 50)
}

// flood publishes so many messages of so many bytes as fast as TCP takes them, and waits until their echoes have come,
// all of them and in their order.
func (b *bench) flood(messages, size int) {
	b.t.Helper()
	next, done := 0, make(chan struct{})
	var mu sync.Mutex // for whoever counts when it takes too long
	b.source.HandleNotifications(func(event protocol.Document) {
		mu.Lock()
		defer mu.Unlock()
		if !bytes.HasPrefix(event.Raw(), fmt.Appendf(nil, `{"n":%d,`, next)) || len(event.Raw()) != size {
			b.t.Errorf("notification %d is %.50s, of %d bytes", next, event, len(event.Raw()))
		}
		if next++; next == messages {
			close(done)
		}
	})
	b.connect(echo())
	published := make(chan error, 1)
	go func() {
		published <- func() error {
			pad := strings.Repeat("x", size)
			for n := range messages {
				head := fmt.Sprintf(`{"n":%d,"pad":"`, n)
				if err := b.source.Publish(context.Background(), json.RawMessage(head+pad[len(head)+2:]+`"}`)); err != nil {
					return err
				}
			}
			return nil
		}()
	}()
	select {
	case <-done:
	case <-b.soon().Done():
		mu.Lock()
		defer mu.Unlock()
		b.t.Fatalf("%d of %d came back; %+v", next, messages, b.conn.Stats())
	}
	b.must(<-published)
	if s := b.conn.Stats(); s.PublishErrors != 0 || s.PublishesDropped != 0 || s.Reconnects != 0 {
		b.t.Errorf("stats %+v", s)
	}
}
