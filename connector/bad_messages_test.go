package connector_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// bad returns messages that mean nothing, or that somebody has spoilt, and what the log says about each; "" for nothing.
func bad() map[string]struct{ text, logged string } {
	return map[string]struct{ text, logged string }{
		"an empty message":                {"", "malformed"},
		"half an object":                  {"{", "malformed"},
		"a missing value":                 {`{"op":"publish","object":{"a":}`, "malformed"},
		"two objects":                     {`{"op":"publish","object":{}}{}`, "malformed"},
		"an array":                        {"[1,2]", "malformed"},
		"a string":                        {`"text"`, "malformed"},
		"null":                            {"null", "malformed"},
		"op as a number":                  {`{"op":5}`, "malformed"},
		"op null":                         {`{"op":null}`, ""}, // a response that says nothing
		"no op and no status":             {`{}`, ""},
		"an unknown op":                   {`{"op":"somethingNew","object":1}`, "somethingNew"},
		"the op of a connector":           {`{"op":"validate","object":"x"}`, "only a connector sends"},
		"status as a string":              {`{"status":"200"}`, "malformed"},
		"status as a fraction":            {`{"status":200.5}`, "malformed"},
		"a status beyond any integer":     {`{"status":99999999999999999999}`, "malformed"},
		"a query without a reply address": {`{"op":"query","object":{}}`, "REPLY_ADDR_HEADER"},
		"arrays 5,000 deep":               {`{"op":"publish","object":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + "}", "malformed"},
		"objects a million deep":          {`{"op":"publish","object":` + strings.Repeat(`{"a":`, 1_000_000), "malformed"},
		"10 MB of nonsense":               {strings.Repeat("x", 10_000_000), "malformed"},
		"10 MB that end too early":        {`{"op":"publish","object":{"pad":"` + strings.Repeat("x", 10_000_000), "malformed"},
		"20 MB":                           {`{"op":"publish","object":{"pad":"` + strings.Repeat("x", 20_000_000) + `"}}`, "larger than MaxInbound"},
		"20 MB of nonsense":               {strings.Repeat("[", 20_000_000), "larger than MaxInbound"},
		"bytes that are no text":          {"\xff\xfe", "malformed"},
	}
}

// onEachBad runs test for each bad message, and then sees whether the source still works and what was logged.
func onEachBad(t *testing.T, test func(b *bench, handlers connector.Handlers, text string)) {
	for name, message := range bad() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := new(record)
				b := setUp(t, nil, connector.Options{Logger: log.notable()})
				handlers := echo()
				handlers.Publish = func(_ context.Context, _ *connector.SourceConnection, m connector.Document) error {
					t.Errorf("%.40s was handled", m)
					return nil
				}
				test(b, handlers, message.text)
				if rows, err := b.source.Query(b.soon(), object{"a": 1}); err != nil || len(rows) != 1 {
					t.Errorf("a query behind it got %v, %v", rows, err)
				}
				synctest.Wait() // a publish is looked at where it would be handled
				if s := b.conn.Stats(); s.Reconnects != 0 || s.Sessions != 1 || s.LastError != "" {
					t.Errorf("stats %+v", s)
				}
				if said := log.String(); !strings.Contains(said, message.logged) || message.logged == "" && strings.Contains(said, "WARN") || len(said) > 2000 {
					t.Errorf("the log does not say %q, or too much: %.2000s", message.logged, said)
				}
			})
		})
	}
}

func TestOneBadMessageDoesNotEndTheLink(t *testing.T) {
	onEachBad(t, func(b *bench, handlers connector.Handlers, text string) {
		b.connect(handlers)
		for range 3 {
			b.must(b.source.SendRaw(text))
		}
	})
}

func TestOneBadMessageDoesNotEndTheHandshake(t *testing.T) {
	for _, before := range []string{protocol.OpValidate, protocol.OpConnectExtension} {
		t.Run("in answer to "+before, func(t *testing.T) {
			onEachBad(t, func(b *bench, handlers connector.Handlers, text string) {
				b.server.Intercept(func(l *vantiqtest.Link, m protocol.Message) bool {
					switch m.(type) {
					case *protocol.Validate, *protocol.ConnectExtension:
						_, validates := m.(*protocol.Validate)
						if validates == (before == protocol.OpValidate) {
							l.Send(text)
						}
					}
					return false
				})
				b.connect(handlers)
			})
		})
	}
}

// What is wrong with one message in an unbroken stream of them is told once.
func TestBadMessagesDoNotFillTheLog(t *testing.T) {
	for name, message := range bad() {
		if len(message.text) > 100_000 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := new(record)
				b := setUp(t, nil, connector.Options{Logger: log.notable()}).connect(echo())
				for range 1000 {
					b.must(b.source.SendRaw(message.text))
				}
				synctest.Wait()
				if lines := strings.Count(log.String(), "\n"); lines > 3 {
					t.Errorf("%d lines were logged: %.1000s", lines, log.String())
				}
			})
		})
	}
}

// texts are what has been mangled on its way through one system or another.
var texts = map[string]string{
	"an integer beyond 2^53":         `{"n":9007199254740993}`,
	"a negative one":                 `{"n":-9223372036854775809}`,
	"a long fraction":                `{"n":0.1000000000000000055511151231257827021181583404541015625}`,
	"trailing zeros":                 `{"n":1.10}`,
	"an exponent beyond any float64": `{"n":-1E+400}`,
	"\\u0000":                        `{"t":"\u0000"}`,
	"an emoji":                       `{"t":"😀"}`,
	"an emoji as escapes":            `{"t":"\ud83d\ude00"}`,
	"a lone surrogate":               `{"t":"\ud800"}`,
	"a closing script tag":           `{"t":"</script>&<b>"}`,
	"an escaped slash":               `{"t":"<\/script>"}`,
	"line separators":                `{"t":"\u2028` + "\u2029" + `"}`,
	"accents":                        `{"é":"ü"}`,
	"an empty key":                   `{"":""}`,
	"nothing in many ways":           `{"a":[[],{}],"b":null,"c":""}`,
}

// changed are the texts that encoding/json changes when a handler unpacks a document and sends what it has got.
var changed = map[string]string{
	"an emoji as escapes": `{"t":"😀"}`,                // means the same
	"a lone surrogate":    `{"t":"` + "\ufffd" + `"}`, // cannot be held by a Go string
	"an escaped slash":    `{"t":"</script>"}`,
	"line separators":     `{"t":"\u2028\u2029"}`,
}

func TestDocumentsGoThroughAnEchoUnchanged(t *testing.T) {
	unpacking := connector.Handlers{
		Publish: func(ctx context.Context, c *connector.SourceConnection, message connector.Document) error {
			members, err := message.Map()
			if err != nil {
				return err
			}
			return c.SendNotification(ctx, members)
		},
		Query: func(ctx context.Context, _ *connector.SourceConnection, q *connector.Query) error {
			members, err := q.Parameters().Map()
			if err != nil {
				return err
			}
			return q.Complete(ctx, members)
		},
	}
	for name, text := range texts {
		through := func(t *testing.T, handlers connector.Handlers, want string) {
			synctest.Test(t, func(t *testing.T) {
				b := setUp(t, json.RawMessage(text), connector.Options{})
				handlers.Connect = func(_ context.Context, _ *connector.SourceConnection, config connector.Document) error {
					if config.String() != text {
						t.Errorf("as a configuration it is %s", config)
					}
					return nil
				}
				b.connect(handlers)
				b.must(b.source.Publish(b.soon(), json.RawMessage(text)))
				event, err := b.source.Notification(b.soon())
				b.must(err)
				rows, err := b.source.Query(b.soon(), json.RawMessage(text))
				b.must(err)
				if event.String() != want || fmt.Sprint(rows) != "["+want+"]" {
					t.Errorf("%s came back as notification %s and rows %v", text, event, rows)
				}
			})
		}
		t.Run(name, func(t *testing.T) { through(t, echo(), text) })
		t.Run(name+", unpacked", func(t *testing.T) {
			want, ok := changed[name]
			if !ok {
				want = text
			}
			through(t, unpacking, want)
		})
	}
}
