package connector_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// Every message of a session comes as text and as binary: in turn, whichever is first.
func TestTextAndBinaryMessagesAreTreatedAlike(t *testing.T) {
	for name, kinds := range map[string][]vantiqtest.FrameKind{
		"text":                  {vantiqtest.Text},
		"binary":                {vantiqtest.Binary},
		"in turn, text first":   {vantiqtest.Text, vantiqtest.Binary},
		"in turn, binary first": {vantiqtest.Binary, vantiqtest.Text},
		"two by two":            {vantiqtest.Text, vantiqtest.Text, vantiqtest.Binary, vantiqtest.Binary},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const rounds = 8
				j := &journal{}
				b := setUp(t, object{"a": 1}, connector.Options{}, vantiqtest.WithFrames(kinds...))
				handlers := journaled(j, false)
				handlers.Publish, handlers.Query = echo().Publish, echo().Query
				b.source.Reactivating(2)
				b.connect(handlers)
				for range rounds {
					b.must(b.publishAll(1))
					if rows, err := b.source.Query(b.soon(), object{"q": 1}); err != nil || len(rows) != 1 || rows[0].String() != `{"q":1}` {
						t.Errorf("the query returned %v, %v", rows, err)
					}
				}
				b.must(b.conn.Flush(b.soon()))
				b.source.Reconfigure(object{"a": 2})
				b.session(2)
				b.must(b.end())
				expect(t, j.all(), `connect {"a":1}`, "close to reconnect", `connect {"a":2}`, "close for good")
				if s := b.conn.Stats(); s.Acknowledged != rounds || s.Publishes != rounds || s.Queries != rounds || s.Reconnects != 0 {
					t.Errorf("stats %+v", s)
				}
			})
		})
	}
}

// What a server may leave out or write as null is not needed. The first is what Python's own test server sends.
func TestAServerThatSaysTheLeastIsUnderstood(t *testing.T) {
	type script struct{ validated, configured, published, queried, reconnect string }
	for name, says := range map[string]script{
		"no resourceId": {
			validated:  `{"status":200}`,
			configured: `{"op":"configureExtension","resourceName":"sources","object":{"config":{"a":1}}}`,
			published:  `{"op":"publish","resourceName":"sources","object":{"n":1}}`,
			queried:    `{"op":"query","resourceName":"sources","messageHeaders":{"REPLY_ADDR_HEADER":"address"},"object":{"q":1}}`,
			reconnect:  `{"op":"reconnectRequired","resourceName":"sources"}`,
		},
		"nothing but what counts": {
			validated:  `{"status":200}`,
			configured: `{"op":"configureExtension","object":{"config":{"a":1}}}`,
			published:  `{"op":"publish","object":{"n":1}}`,
			queried:    `{"op":"query","messageHeaders":{"REPLY_ADDR_HEADER":"address"},"object":{"q":1}}`,
			reconnect:  `{"op":"reconnectRequired"}`,
		},
		"null for all else": {
			validated:  `{"op":null,"status":200,"headers":null,"body":null,"contentType":null}`,
			configured: `{"op":"configureExtension","resourceName":null,"resourceId":null,"messageHeaders":null,"parameters":null,"object":{"config":{"a":1}}}`,
			published:  `{"op":"publish","resourceName":null,"resourceId":null,"messageHeaders":null,"parameters":null,"object":{"n":1}}`,
			queried:    `{"op":"query","resourceName":null,"resourceId":null,"messageHeaders":{"REPLY_ADDR_HEADER":"address"},"parameters":null,"object":{"q":1}}`,
			reconnect:  `{"op":"reconnectRequired","resourceName":null,"resourceId":null,"object":null}`,
		},
		"more than is known": {
			validated:  `{"status":200,"body":{"anonymous":false,"userInfo":{"accessToken":"t"}},"more":[1,{"x":2}]}`,
			configured: `{"op":"configureExtension","resourceName":"sources","resourceId":"EchoSource","more":{"op":"publish"},"object":{"more":1,"config":{"a":1}}}`,
			published:  `{"op":"publish","resourceName":"sources","resourceId":"EchoSource","sessionId":null,"isExternal":false,"more":[[]],"object":{"n":1}}`,
			queried:    `{"op":"query","resourceName":"sources","resourceId":"EchoSource","messageHeaders":{"MORE":1,"REPLY_ADDR_HEADER":"address"},"locale":"de","object":{"q":1}}`,
			reconnect:  `{"op":"reconnectRequired","resourceName":"sources","resourceId":"EchoSource","more":true}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := &journal{}
				b := setUp(t, nil, connector.Options{})
				b.server.Intercept(func(l *vantiqtest.Link, m protocol.Message) bool {
					switch m := m.(type) {
					case *protocol.Validate:
						l.Send(says.validated)
					case *protocol.ConnectExtension:
						l.Send(says.configured)
						l.Send(says.published)
					case *protocol.Notification:
						j.add("notified " + m.Event.String())
						l.Send(`{"status":200}`)
						l.Send(says.queried)
					case *protocol.Response:
						j.add("answered " + string(m.ReplyAddress) + " " + string(m.Body))
						l.Send(says.reconnect)
					}
					return true
				})
				handlers := journaled(j, false)
				handlers.Publish, handlers.Query = echo().Publish, echo().Query
				b.run(handlers)
				session := []string{`connect {"a":1}`, `notified {"n":1}`, `answered address {"q":1}`, "close to reconnect"}
				pass(1500 * time.Millisecond) // the second session begins a second after the first
				expect(t, j.all(), append(session, session...)...)
				if s := b.conn.Stats(); s.Reconnects != 0 || s.LastError != "" {
					t.Errorf("stats %+v", s)
				}
			})
		})
	}
}
