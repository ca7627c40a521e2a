package connector_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// Which statuses a server sends is beyond a connector's control. Whatever it sends, what was sent arrives in order, the
// counters agree, and once it acknowledges as it should nothing waits any longer.
func TestNoAcknowledgementsMakeAConnectorWaitForEver(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rapid.SyncTest(t, func(t *rapid.T) {
			b := setUp(t, nil, connector.Options{})
			var answered atomic.Int64
			b.source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
			b.connect(connector.Handlers{Query: echo().Query})
			sent, asked, sessions := 0, int64(0), 1
			var got []int
			drop := func(t *rapid.T) {
				b.source.Drop(rapid.SampledFrom([]vantiqtest.Drop{1001, vantiqtest.FIN, vantiqtest.RST}).Draw(t, "how"))
			}
			t.Repeat(map[string]func(*rapid.T){
				"": func(t *rapid.T) {
					synctest.Wait()
					got = append(got, b.received()...)
					s := b.conn.Stats()
					if s.Accepted != s.Acknowledged+s.Refused+uint64(s.Queued) || s.Accepted != uint64(sent) {
						t.Fatalf("%d were sent, stats %+v", sent, s)
					}
					sessions = b.source.Sessions()
				},
				"send": func(t *rapid.T) {
					for range rapid.IntRange(1, 30).Draw(t, "notifications") {
						b.must(b.conn.SendNotification(b.soon(), object{"n": sent}))
						sent++
					}
				},
				"query": func(t *rapid.T) {
					for range rapid.IntRange(1, 10).Draw(t, "queries") {
						if !b.source.Connected() {
							return
						}
						asked++
						go func() {
							if _, err := b.source.Query(context.Background(), nil); err == nil {
								answered.Add(1)
							}
						}()
					}
				},
				"acknowledge": func(t *rapid.T) {
					b.source.SetAcknowledgements(vantiqtest.Acknowledgements{
						None:      rapid.IntRange(0, 3).Draw(t, "none") == 0,
						Twice:     rapid.Bool().Draw(t, "twice"),
						Responses: rapid.Bool().Draw(t, "responses"),
						Withheld:  rapid.Bool().Draw(t, "withheld"),
					})
				},
				"release": func(t *rapid.T) { b.source.ReleaseAcknowledgements(rapid.IntRange(1, 30).Draw(t, "statuses")) },
				"stray": func(t *rapid.T) {
					_ = b.source.SendRaw(rapid.SampledFrom([]string{`{"status":200}`, `{"status":204}`, `{"status":500}`}).Draw(t, "status"))
				},
				"wait": func(t *rapid.T) {
					pass(time.Duration(rapid.IntRange(1, 40_000).Draw(t, "milliseconds")) * time.Millisecond)
				},
				"drop":      drop,
				"reconnect": func(*rapid.T) { b.source.RequireReconnect() },
			})
			b.source.SetAcknowledgements(vantiqtest.Acknowledgements{})
			_ = b.conn.Flush(b.soon()) // an error tells of a refusal, or the counters will
			pass(patience)
			b.session(sessions)
			s := b.conn.Stats()
			got = append(got, b.received()...)
			if err := inOrder(got, sent); err != nil || s.Queued > 0 {
				t.Fatalf("%v; stats %+v", err, s)
			}
			if n := answered.Load(); n != asked || len(b.source.Stray()) > 0 {
				t.Fatalf("%d of %d queries were answered, and %d that were not open", n, asked, len(b.source.Stray()))
			}
		})
	})
}
