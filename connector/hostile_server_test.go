package connector_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// Here a server attacks that has accepted the connector: its memory, its time and its log.

// Statuses were kept whole, and 64 events may wait while nobody attends to them.
func TestWhatNobodyAttendsToIsBounded(t *testing.T) {
	large := strings.Repeat("x", 2<<20)
	for name, attack := range map[string]func(b *bench){
		"statuses while the source waits to be claimed again": func(b *bench) {
			b.source.Refuse(-1, &protocol.StatusError{Status: 404})
			b.server.Intercept(func(l *vantiqtest.Link, m protocol.Message) bool {
				if _, ok := m.(*protocol.ConnectExtension); ok {
					for n := range 60 {
						l.Send(fmt.Sprintf(`{"status":%d,"body":["%s"]}`, 300+n, large))
					}
				}
				return false
			})
			b.run(echo())
		},
		"configurations while Close runs": func(b *bench) {
			release := make(chan struct{})
			b.connect(connector.Handlers{Close: func(context.Context, *connector.SourceConnection, error) error {
				<-release
				return nil
			}})
			b.t.Cleanup(func() { close(release) })
			for n := range 60 {
				// The link may have ended by now.
				_ = b.source.SendRaw(fmt.Sprintf(`{"op":"configureExtension","object":{"config":{"n":%d,"text":"%s"}}}`, n, large))
				synctest.Wait() // lest the server holds them
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := setUp(t, nil, connector.Options{Logger: quiet})
				before := held()
				attack(b)
				synctest.Wait()
				if after := held(); after-before > 64<<20 {
					t.Errorf("%d MiB are held", (after-before)>>20)
				}
			})
		})
	}
}

// The end of the statuses behind an error was awaited however many came.
func TestErrorStatusesWithoutEndAreNotCollected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{Logger: quiet})
		b.source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
		b.connect(echo())
		b.must(b.conn.SendNotification(b.soon(), object{"n": 1}))
		synctest.Wait()
		before := held()
		status := `{"status":500,"body":[{"message":"` + strings.Repeat("x", 2000) + `"}]}`
		for range 50_000 {
			b.must(b.source.SendRaw(status))
		}
		synctest.Wait()
		if after := held(); after-before > 32<<20 {
			t.Errorf("%d MiB are held", (after-before)>>20)
		}
		b.source.SetAcknowledgements(vantiqtest.Acknowledgements{})
		b.must(b.conn.Flush(b.soon()))
	})
}

// A server that acknowledges one response, and then none, made the list of what it had still to acknowledge ever longer.
func TestResponsesThatAreNeverAcknowledgedAreNotRememberedForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &record{}
		b := setUp(t, nil, connector.Options{Logger: log.logger()}).connect(connector.Handlers{})
		ask := func(n int) {
			for i := range n {
				b.must(b.source.SendRaw(fmt.Sprintf(`{"op":"query","messageHeaders":{"REPLY_ADDR_HEADER":"%d"}}`, i)))
			}
			synctest.Wait()
		}
		ask(1)
		b.must(b.source.SendRaw(`{"status":200}`))
		ask(20_000)
		pass(time.Minute)
		if s := b.conn.Stats(); s.Reconnects != 1 || !strings.Contains(s.LastError, "stopped acknowledging") {
			t.Errorf("stats %+v", s)
		}
		if !strings.Contains(log.String(), "acknowledges query responses") {
			t.Error("nothing was learned")
		}
	})
}

// Refusals were queued without end for a server that asks and does not read.
func TestRefusedQueriesOfAServerThatDoesNotReadAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const queries = 80_000
		group := connector.NewGroup(1)
		b := setUp(t, nil, connector.Options{Logger: quiet, Group: group}).connect(connector.Handlers{})
		refused := 0
		b.server.Intercept(func(_ *vantiqtest.Link, m protocol.Message) bool {
			if _, ok := m.(*protocol.Response); ok {
				refused++
			}
			return false
		})
		link := b.source.Link()
		link.HoldReads(true)
		pad := strings.Repeat("x", 800)
		for n := range queries {
			b.must(b.source.SendRaw(fmt.Sprintf(`{"op":"query","messageHeaders":{"REPLY_ADDR_HEADER":"%s%d"}}`, pad, n)))
		}
		synctest.Wait()
		if _, incoming := group.Held(); incoming > 33<<20 {
			t.Errorf("%d MiB of refusals wait", incoming>>20)
		}
		link.HoldReads(false)
		synctest.Wait()
		if s := b.conn.Stats(); s.Reconnects != 0 || s.QueriesOpen != 0 || refused != queries {
			t.Errorf("of %d queries %d were refused, stats %+v", queries, refused, s)
		}
		if _, incoming := group.Held(); incoming != 0 {
			t.Errorf("%d bytes are still held", incoming)
		}
	})
}

// What a running query holds, and one that is answered later, did not count, nor did a reply address.
func TestOpenQueriesCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		group := connector.NewGroup(1)
		group.LimitIncoming(10 << 20)
		b := setUp(t, nil, connector.Options{Logger: quiet, Group: group, MaxQueries: 2, QueryTimeout: time.Second})
		b.connect(onQuery(func(context.Context, *connector.SourceConnection, *connector.Query) error {
			return connector.ErrAnswerLater
		}))
		ask := func(n int, pad string) {
			b.must(b.source.SendRaw(fmt.Sprintf(`{"op":"query","messageHeaders":{"REPLY_ADDR_HEADER":"%d"},"object":{"pad":"%s"}}`, n, pad)))
		}
		for n := range 10_000 {
			ask(n, "")
		}
		synctest.Wait()
		open := b.conn.Stats().QueriesOpen // the others came too fast
		if _, incoming := group.Held(); open < 1000 || incoming < int64(open)*500 {
			t.Errorf("%d bytes are held for %d open queries", incoming, open)
		}
		pass(2 * time.Second)
		for n := range 40 {
			ask(n, strings.Repeat("x", 1_000_000))
		}
		synctest.Wait()
		if s := b.conn.Stats(); s.QueriesOpen != 10 {
			t.Errorf("%d queries of 1 MB are open", s.QueriesOpen)
		}
		pass(2 * time.Second)
		if _, incoming := group.Held(); incoming != 0 {
			t.Errorf("%d bytes are still held", incoming)
		}
	})
}

// A server can send bad messages as fast as the network carries them, and each cost a line.
func TestAServerCannotFloodTheLog(t *testing.T) {
	query := func(address string) string {
		return `{"op":"query","messageHeaders":{"REPLY_ADDR_HEADER":"` + address + `"}}`
	}
	for name, message := range map[string]func(n int) string{
		"malformed":                       func(n int) string { return strings.Repeat("{", n%100) },
		"malformed in different ways":     func(n int) string { return fmt.Sprintf(`{"op":%d}`, n) },
		"of a connector":                  func(int) string { return `{"op":"validate"}` },
		"unknown":                         func(n int) string { return fmt.Sprintf(`{"op":"%d"}`, n) },
		"queries without a reply address": func(int) string { return `{"op":"query"}` },
		"queries with a huge one":         func(int) string { return query(strings.Repeat("a", 2000)) },
		"queries with the same one":       func(int) string { return query("a") },
		"errors":                          func(n int) string { return fmt.Sprintf(`{"status":500,"body":"%d"}`, n) },
		"too large":                       func(n int) string { return `{"op":"publish","object":"` + strings.Repeat("x", 4000+n) + `"}` },
		"publishes nobody wants":          func(int) string { return `{"op":"publish"}` },
		"reconnectRequired":               func(int) string { return `{"op":"reconnectRequired"}` },
		"configurations":                  func(int) string { return `{"op":"configureExtension","object":{"config":{}}}` },
		"configurations without one":      func(int) string { return `{"op":"configureExtension"}` },
		"statuses":                        func(n int) string { return fmt.Sprintf(`{"status":%d}`, 200+n%2) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := &record{}
				b := setUp(t, nil, connector.Options{Logger: log.notable(), MaxInbound: 4000})
				b.connect(onQuery(func(ctx context.Context, _ *connector.SourceConnection, _ *connector.Query) error {
					<-ctx.Done()
					return ctx.Err()
				}))
				for n := range 2000 {
					_ = b.source.SendRaw(message(n)) // the link may have ended by now
				}
				pass(time.Minute)
				if lines := strings.Count(log.String(), "\n"); lines > 100 {
					t.Errorf("%d lines, the last of them %s", lines, log.String()[len(log.String())-300:])
				}
			})
		})
	}
}

// Each configuration begins a session, and with it what a Connect handler opens: a server that sent one after the other
// made them follow as fast as the handlers returned.
func TestSessionsThatVantiqBeginsArePaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{Logger: quiet})
		began, connects := time.Now(), []time.Time{}
		b.run(connector.Handlers{Connect: func(context.Context, *connector.SourceConnection, connector.Document) error {
			connects = append(connects, time.Now())
			if len(connects) < 2000 {
				_ = b.source.SendRaw(`{"op":"configureExtension","object":{"config":{}}}`)
			}
			return nil
		}})
		pass(10 * time.Minute)
		synctest.Wait()
		perMinute := rates(began, connects)
		if perMinute[0] > 61 || perMinute[len(perMinute)-1] > 10 {
			t.Errorf("sessions per minute: %v", perMinute)
		}
	})
}
