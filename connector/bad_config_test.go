package connector_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// A configureExtension without a configuration breaks the protocol: no handler sees it, and the connector connects anew,
// with backoff, until it gets one.
func TestAConfigureExtensionWithoutConfig(t *testing.T) {
	for name, text := range map[string]string{
		"no object":     `{"op":"configureExtension","resourceId":"EchoSource"}`,
		"object null":   `{"op":"configureExtension","object":null}`,
		"object a list": `{"op":"configureExtension","object":[{"config":{}}]}`,
		"no config":     `{"op":"configureExtension","object":{"other":{}}}`,
		"config null":   `{"op":"configureExtension","object":{"config":null}}`,
	} {
		newBench := func(t *testing.T, log *record) *bench {
			return setUp(t, object{"a": 1}, connector.Options{Logger: log.notable()})
		}
		check := func(b *bench, log *record) {
			if s := b.conn.Stats(); !strings.Contains(s.LastError, "configureExtension without object.config") {
				b.t.Errorf("stats %+v", s)
			}
			if n := strings.Count(log.String(), "configureExtension without object.config"); n != 1 {
				b.t.Errorf("it was logged %d times: %s", n, log)
			}
		}
		t.Run(name+", at first", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := new(record)
				j, b := &journal{}, newBench(t, log)
				b.server.Inject(vantiqtest.Fault{Op: protocol.OpConnectExtension, Times: 5, Answer: text})
				began := time.Now()
				b.connect(journaled(j, false))
				if took := time.Since(began); took < 2*time.Second || took > 30*time.Second {
					t.Errorf("the sixth attempt came after %v", took)
				}
				expect(t, j.all(), `connect {"a":1}`)
				check(b, log)
			})
		})
		t.Run(name+", in a session", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := new(record)
				j, b := &journal{}, newBench(t, log)
				b.connect(journaled(j, false))
				b.must(b.source.SendRaw(text))
				b.session(2)
				b.must(b.end())
				expect(t, j.all(), `connect {"a":1}`, "close lost", `connect {"a":1}`, "close for good")
				check(b, log)
			})
		})
	}
}

// A second configuration begins a new session, whatever the first one is just then doing.
func TestASecondConfigurationBeginsANewSession(t *testing.T) {
	const second = `{"op":"configureExtension","object":{"config":{"a":2}}}`
	t.Run("while Connect runs", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			j, b := &journal{}, setUp(t, object{"a": 1}, connector.Options{})
			handlers := journaled(j, false)
			connect := handlers.Connect
			handlers.Connect = func(ctx context.Context, c *connector.SourceConnection, config connector.Document) error {
				select {
				case <-time.After(time.Second):
				case <-ctx.Done():
					j.add("connect is told to end")
					return ctx.Err()
				}
				return connect(ctx, c, config)
			}
			b.run(handlers)
			b.must(b.source.WaitSession(b.soon(), 1))
			b.must(b.source.SendRaw(second))
			b.must(b.conn.WaitConnected(b.soon()))
			b.must(b.end())
			expect(t, j.all(), "connect is told to end", `connect {"a":2}`, "close for good")
		})
	})
	t.Run("with a query running", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			j, b := &journal{}, setUp(t, object{"a": 1}, connector.Options{})
			handlers := journaled(j, false)
			handlers.Query = func(ctx context.Context, _ *connector.SourceConnection, q *connector.Query) error {
				pass(time.Second)
				j.add("the query ends")
				return q.Complete(ctx, q.Parameters())
			}
			b.connect(handlers)
			answered := make(chan error, 1)
			go func() {
				_, err := b.source.Query(b.soon(), nil)
				answered <- err
			}()
			synctest.Wait()
			b.must(b.source.SendRaw(second))
			b.must(<-answered)
			b.must(b.conn.WaitConnected(b.soon()))
			b.must(b.end())
			expect(t, j.all(), `connect {"a":1}`, "the query ends", "close to reconnect", `connect {"a":2}`, "close for good")
			if len(b.server.Dials()) != 1 {
				t.Errorf("%d links", len(b.server.Dials()))
			}
		})
	})
	t.Run("three times in a row", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			j, b := &journal{}, setUp(t, object{"a": 1}, connector.Options{})
			b.connect(journaled(j, true))
			for range 3 {
				b.must(b.source.SendRaw(second))
			}
			b.must(b.source.Publish(b.soon(), object{"n": 1}))
			pass(10 * time.Second) // the second and third are taken up at a pace
			b.must(b.end())
			got := strings.Join(j.all(), ", ")
			if !strings.HasSuffix(got, `connect {"a":2}, publish {"n":1}, close for good`) || len(b.server.Dials()) != 1 {
				t.Errorf("%d links, %s", len(b.server.Dials()), got)
			}
		})
	})
}
