package connector_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// The benchmarks set a connector of this SDK beside a hand-written gorilla loop that decodes no JSON and writes once per
// message. Both talk to the same local Vantiq in this process over a loopback socket; what counts is their ratio.

// rawLink does the handshake by hand and returns the WebSocket behind it.
func rawLink(b *testing.B, server *vantiqtest.Server) *websocket.Conn {
	b.Helper()
	url, err := protocol.TargetURL(server.URL())
	if err != nil {
		b.Fatal(err)
	}
	ws, response, err := websocket.DefaultDialer.Dial(url, http.Header{})
	if err != nil {
		b.Fatal(err)
	}
	_ = response.Body.Close()
	for _, message := range [][]byte{
		protocol.AppendValidate(nil, protocol.Secret(server.Token())),
		protocol.AppendConnectExtension(nil, "EchoSource", "secret"),
	} {
		if err := ws.WriteMessage(websocket.TextMessage, message); err != nil {
			b.Fatal(err)
		}
		if _, _, err := ws.ReadMessage(); err != nil {
			b.Fatal(err)
		}
	}
	b.Cleanup(func() { _ = ws.Close() })
	return ws
}

func benchServer(b *testing.B) (*vantiqtest.Server, *vantiqtest.Source) {
	server := vantiqtest.NewServer()
	b.Cleanup(server.Close)
	return server, server.Source("EchoSource", nil)
}

func benchConnector(b *testing.B, server *vantiqtest.Server, handlers connector.Handlers) *connector.SourceConnection {
	b.Helper()
	conn, err := connector.New("EchoSource", connector.Options{TargetServer: server.URL(), AuthToken: protocol.Secret(server.Token())})
	if err != nil {
		b.Fatal(err)
	}
	conn.SetHandlers(handlers)
	ended := make(chan error, 1)
	go func() { ended <- conn.Run(context.Background()) }()
	b.Cleanup(func() {
		if err := conn.Close(context.Background()); err != nil {
			b.Error(err)
		}
		<-ended
	})
	if err := conn.WaitConnected(b.Context()); err != nil {
		b.Fatal(err)
	}
	return conn
}

func payload(size int) object { return object{"pad": strings.Repeat("x", size-len(`{"pad":""}`))} }

func BenchmarkPublish(b *testing.B) {
	for _, size := range []int{200, 2048} {
		message, err := protocol.NewDocument(payload(size))
		if err != nil {
			b.Fatal(err)
		}
		feed := func(b *testing.B, source *vantiqtest.Source, done <-chan struct{}) {
			b.ReportAllocs()
			for b.Loop() {
				if err := source.Publish(context.Background(), message); err != nil {
					b.Fatal(err)
				}
			}
			if err := source.Publish(context.Background(), object{"end": true}); err != nil {
				b.Fatal(err)
			}
			<-done
		}
		b.Run(fmt.Sprintf("raw/%d", size), func(b *testing.B) {
			server, source := benchServer(b)
			ws, done := rawLink(b, server), make(chan struct{})
			go func() {
				defer close(done)
				for {
					if _, frame, err := ws.ReadMessage(); err != nil || bytes.Contains(frame, []byte(`"end"`)) {
						return
					}
				}
			}()
			feed(b, source, done)
		})
		b.Run(fmt.Sprintf("sdk/%d", size), func(b *testing.B) {
			server, source := benchServer(b)
			done := make(chan struct{})
			benchConnector(b, server, connector.Handlers{Publish: func(_ context.Context, _ *connector.SourceConnection, message connector.Document) error {
				if len(message.Raw()) < 20 {
					close(done)
				}
				return nil
			}})
			feed(b, source, done)
		})
	}
}

func BenchmarkQuery(b *testing.B) {
	for _, outstanding := range []int{1, 64} {
		ask := func(b *testing.B, source *vantiqtest.Source) {
			b.ReportAllocs()
			var left atomic.Int64
			var all sync.WaitGroup
			left.Store(int64(b.N))
			for range outstanding {
				all.Go(func() {
					for left.Add(-1) >= 0 {
						if _, err := source.Query(context.Background(), nil); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			all.Wait()
		}
		b.Run(fmt.Sprintf("raw/%d", outstanding), func(b *testing.B) {
			server, source := benchServer(b)
			ws := rawLink(b, server)
			go func() {
				for {
					_, frame, err := ws.ReadMessage()
					if err != nil {
						return
					}
					_, rest, _ := bytes.Cut(frame, []byte(`"REPLY_ADDR_HEADER":"`))
					address, _, _ := bytes.Cut(rest, []byte(`"`))
					answer := fmt.Appendf(nil, `{"status":200,"headers":{"X-Reply-Address":"%s"},"body":{"a":1}}`, address)
					if ws.WriteMessage(websocket.TextMessage, answer) != nil {
						return
					}
				}
			}()
			ask(b, source)
		})
		b.Run(fmt.Sprintf("sdk/%d", outstanding), func(b *testing.B) {
			server, source := benchServer(b)
			benchConnector(b, server, onQuery(func(ctx context.Context, _ *connector.SourceConnection, q *connector.Query) error {
				return q.Complete(ctx, json.RawMessage(`{"a":1}`))
			}))
			ask(b, source)
		})
	}
}

func BenchmarkNotification(b *testing.B) {
	type event struct {
		Pad string `json:"pad"`
	}
	for _, size := range []int{200, 2048} {
		text, err := json.Marshal(payload(size))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("raw/%d", size), func(b *testing.B) {
			server, source := benchServer(b)
			source.HandleNotifications(func(protocol.Document) {})
			ws, done := rawLink(b, server), make(chan struct{})
			go func() {
				defer close(done)
				for n := 0; n < b.N; n++ {
					if _, _, err := ws.ReadMessage(); err != nil {
						return
					}
				}
			}()
			frame := protocol.AppendNotification(nil, "EchoSource", text)
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				if err := ws.WriteMessage(websocket.TextMessage, frame); err != nil {
					b.Fatal(err)
				}
			}
			<-done
		})
		send := func(b *testing.B, value any) {
			server, source := benchServer(b)
			source.HandleNotifications(func(protocol.Document) {})
			conn := benchConnector(b, server, connector.Handlers{})
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				if err := conn.SendNotification(context.Background(), value); err != nil {
					b.Fatal(err)
				}
			}
			if err := conn.Flush(context.Background()); err != nil {
				b.Fatal(err)
			}
		}
		b.Run(fmt.Sprintf("sdk-encoded/%d", size), func(b *testing.B) { send(b, json.RawMessage(text)) })
		b.Run(fmt.Sprintf("sdk-struct/%d", size), func(b *testing.B) { send(b, event{strings.Repeat("x", size-10)}) })
	}
}
