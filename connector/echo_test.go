package connector_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"sync"
	"sync/atomic"
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
	const messages = floodMessages
	b := setUpOn(t, nil, connector.Options{Logger: quiet})
	var next atomic.Int64
	var wrong sync.Once
	done := make(chan struct{})
	b.source.HandleNotifications(func(event protocol.Document) {
		var message struct{ N int64 }
		if event.Decode(&message) != nil || message.N != next.Load() {
			wrong.Do(func() { t.Errorf("notification %d is %s", next.Load(), event) })
		}
		if next.Add(1) == messages {
			close(done)
		}
	})
	b.connect(echo())
	go func() {
		for n := range messages {
			if err := b.source.Publish(context.Background(), object{"n": n, "pad": "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	select {
	case <-done:
	case <-b.soon().Done():
		t.Fatalf("%d of %d came back; %+v", next.Load(), messages, b.conn.Stats())
	}
}
