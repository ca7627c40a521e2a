package connector

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/vantiq-go/connectorsdk/protocol"
)

// Benchmarks of single steps, beside those of bench_test.go, which go through a socket.

// BenchmarkDispatchPublish takes frames as the reader does, and calls a handler that does nothing.
func BenchmarkDispatchPublish(b *testing.B) {
	for _, size := range []int{200, 2048} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			c, err := New("EchoSource", Options{TargetServer: "http://vantiq.test", AuthToken: "local-token"})
			if err != nil {
				b.Fatal(err)
			}
			handled, all := 0, make(chan struct{})
			c.SetHandlers(Handlers{Publish: func(context.Context, *SourceConnection, Document) error {
				if handled++; handled == b.N {
					close(all)
				}
				return nil
			}})
			ctx, cancel := context.WithCancelCause(context.Background())
			l := &link{ctx: ctx, cancel: cancel, conn: newConn(nil, time.Second)}
			c.options.Group.workers.begin()
			c.in.admit(newSession(ctx, c, l, Document{}))
			frame := protocol.AppendPublish(nil, "EchoSource", documentOf(b, size))
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				c.published(l, frame)
			}
			<-all
			b.StopTimer()
			cancel(nil)
			c.options.Group.workers.end()
			if err := c.Close(context.Background()); err != nil {
				b.Fatal(err)
			}
		})
	}
}

func documentOf(b *testing.B, size int) Document {
	document, err := protocol.NewDocument(map[string]any{"pad": strings.Repeat("x", size-len(`{"pad":""}`))})
	if err != nil {
		b.Fatal(err)
	}
	return document
}

// BenchmarkOutbox takes notifications through the outbox in memory and the count of what is acknowledged, in batches as wide
// as the window.
func BenchmarkOutbox(b *testing.B) {
	queue, acks := &memoryQueue{}, newAcks(1024)
	event, entries, now := json.RawMessage(`{"n":1}`), make([]OutboxEntry, 1024), time.Now()
	acks.window = len(entries)
	b.ReportAllocs()
	for n, sent := 0, uint64(0); n < b.N; n += len(entries) {
		for range entries {
			if _, err := queue.Append(event); err != nil {
				b.Fatal(err)
			}
		}
		if read, err := queue.Read(sent, entries, maxFlightBytes); err != nil || read != len(entries) {
			b.Fatal(read, err)
		}
		for _, e := range entries {
			acks.sentNotification(e.Seq, len(e.Event), false, now)
		}
		taken, outcome := acks.successes(len(entries), now)
		if sent = outcome.through; taken != len(entries) || sent != entries[len(entries)-1].Seq {
			b.Fatal(taken, outcome)
		}
		if err := queue.Remove(sent); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkEncodeNotification is SendNotification without the outbox.
func BenchmarkEncodeNotification(b *testing.B) {
	c, err := New("EchoSource", Options{TargetServer: "http://vantiq.test", AuthToken: "local-token"})
	if err != nil {
		b.Fatal(err)
	}
	type event struct {
		Pad string `json:"pad"`
	}
	for _, size := range []int{200, 2048} {
		document := documentOf(b, size)
		values := map[string]any{
			"Document": document, "Encoded": Encoded(document.Raw()), "RawMessage": document.Raw(),
			"struct": event{strings.Repeat("x", size-len(`{"pad":""}`))},
		}
		for _, kind := range []string{"Document", "Encoded", "RawMessage", "struct"} {
			b.Run(fmt.Sprintf("%s/%d", kind, size), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := c.encodeEvent(values[kind]); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
