package connector_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// frameLimit is MaxInbound of a fuzzed link: small, so that the fuzzer gets beyond it.
const frameLimit = 2048

// A meaning is what a frame must do to a connector in session, as encoding/json reads it.
type meaning struct {
	publish   string // the message
	ask       string // the reply address
	restart   bool   // a new session on the same link
	breakLink bool   // a protocol error: a new link
	unknown   bool   // too large or too deep to say
}

func meaningOf(frame string) (m meaning) {
	if len(frame) > frameLimit || strings.Count(frame, "[")+strings.Count(frame, "{") > 500 {
		return meaning{unknown: true}
	}
	members := membersOf(json.RawMessage(strings.ToValidUTF8(frame, "\uFFFD")))
	object := members["object"]
	switch textOf(members["op"]) {
	case protocol.OpPublish:
		if m.publish = string(object); m.publish == "" || m.publish == "null" {
			m.publish = "{}"
		}
	case protocol.OpQuery:
		m.ask = textOf(membersOf(members["messageHeaders"])["REPLY_ADDR_HEADER"])
	case protocol.OpConfigureExtension:
		m.restart = membersOf(membersOf(object)["config"]) != nil
		m.breakLink = !m.restart
	case protocol.OpReconnectRequired:
		m.restart = true
	}
	return m
}

// membersOf returns nil for what is not an object.
func membersOf(text json.RawMessage) (members map[string]json.RawMessage) {
	if json.Unmarshal(text, &members) != nil {
		return nil
	}
	return members
}

func textOf(value json.RawMessage) (text string) {
	_ = json.Unmarshal(value, &text)
	return text
}

// FuzzFrames sends frames, one per line, to a connector in session: each does what it says and nothing else, and
// afterwards the connector works.
func FuzzFrames(f *testing.F) {
	for _, seed := range []string{
		`{"op":"publish","object":{"n":1}}` + "\n" + `{"object":[1,"x"],"op":"publish","resourceId":"other"}` + "\n" + `{"op":"publish"}`,
		`{"op":"query","messageHeaders":{"REPLY_ADDR_HEADER":"a"},"object":{"n":1}}` + "\n" + `{"op":"query","messageHeaders":{"REPLY_ADDR_HEADER":"a"},"object":7}`,
		`{"op":"query"}` + "\n" + `{"op":"query","messageHeaders":[]}` + "\n" + `{"op":"query","messageHeaders":{"REPLY_ADDR_HEADER":5}}`,
		`{"op":"configureExtension","object":{"config":{"a":1}}}`, `{"op":"configureExtension","object":{"config":[]}}`, `{"op":"configureExtension"}`,
		`{"op":"reconnectRequired"}` + "\n" + `{"op":"publish","object":{}}`, `{"op":"reconnectRequired"}` + "\n" + `{"op":"configureExtension"}`,
		`{"status":200}` + "\n" + `{"status":100}` + "\n" + `{"status":500,"body":[{"code":"c","message":"m"}]}` + "\n" + `{"status":404,"body":"x"}`,
		`{"status":"200"}` + "\n" + `{"status":2e2}` + "\n" + `{"op":null,"status":null}` + "\n" + `{}`,
		"\n{\n[1,2]\nnull\n" + `"text"` + "\n\xff\xfe" + "\n" + `{"op":5}` + "\n" + `{"op":"publish","object":{"a":}}`,
		`{"op":"validate","object":"t"}` + "\n" + `{"op":"authenticate"}` + "\n" + `{"op":"connectExtension"}` + "\n" + `{"op":"notification"}` + "\n" + `{"op":"new"}`,
		`{"op":"publish","object":{"pad":"` + strings.Repeat("x", frameLimit) + `"}}`,
		`{"op":"query","messageHeaders":{"REPLY_ADDR_HEADER":"b"},"object":{"pad":"` + strings.Repeat("x", frameLimit) + `"}}`,
		`{"op":"publish","object":` + strings.Repeat("[", 1200) + `}`,
		`{"op":"p\u0075blish","object":{"\u0000":"\ud800","n":9007199254740993}}`, "{\"op\":\"publish\",\"object\":\"\xff\"}",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		frames := strings.Split(text, "\n")
		if len(frames) > 20 {
			t.Skip()
		}
		synctest.Test(t, func(t *testing.T) {
			b := setUp(t, nil, connector.Options{Logger: quiet, MaxInbound: frameLimit})
			var published journal
			answered := map[protocol.ReplyAddress]int{}
			b.server.Intercept(func(_ *vantiqtest.Link, m protocol.Message) bool {
				if r, ok := m.(*protocol.Response); ok && !r.Partial() {
					answered[r.ReplyAddress]++ // read when all is quiet
				}
				return false
			})
			b.connect(connector.Handlers{
				Publish: func(_ context.Context, _ *connector.SourceConnection, message connector.Document) error {
					published.add(message.String())
					return nil
				},
				Query: echo().Query,
			})
			for _, frame := range frames {
				b.mean(frame, &published, answered)
			}
			if rows, err := b.source.Query(b.soon(), object{"last": true}); err != nil || len(rows) != 1 {
				t.Errorf("afterwards, a query got %v, %v", rows, err)
			}
			b.must(b.conn.SendNotification(b.soon(), object{"last": true}))
			b.must(b.conn.Flush(b.soon()))
		})
	})
}

// mean sends a frame and compares what happens with what it means.
func (b *bench) mean(frame string, published *journal, answered map[protocol.ReplyAddress]int) {
	b.t.Helper()
	m, before, messages := meaningOf(frame), b.conn.Stats(), published.all()
	address := protocol.ReplyAddress(m.ask)
	finals := answered[address]
	b.must(b.source.SendRaw(frame))
	synctest.Wait()
	b.must(b.conn.WaitConnected(b.soon()))
	synctest.Wait()
	s := b.conn.Stats()
	if m.publish != "" {
		messages = append(messages, m.publish)
	}
	if got := published.all(); !m.unknown && !slices.Equal(got, messages) {
		b.t.Errorf("%q: published %q, want %q", frame, got, messages)
	}
	if m.ask != "" && answered[address] != finals+1 {
		b.t.Errorf("%q was answered %d times", frame, answered[address]-finals)
	}
	if broken := s.Reconnects > before.Reconnects; broken != m.breakLink {
		b.t.Errorf("%q: the link was replaced: %t; %s", frame, broken, s.LastError)
	}
	if restarted := s.Sessions > before.Sessions; restarted != (m.restart || m.breakLink) {
		b.t.Errorf("%q: a new session: %t; %s", frame, restarted, s.LastError)
	}
}
