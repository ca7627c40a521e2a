package vantiqtest_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"unicode/utf8"

	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// FuzzFrames sends frames, one per line, to the server from a connector in session: notifications are acknowledged and
// kept, in their order, and whatever else comes, the link stays and the server does its work.
func FuzzFrames(f *testing.F) {
	for _, seed := range []string{
		`{"op":"notification","object":{"n":1}}` + "\n" + `{"object":[1],"op":"notification","resourceId":"other"}` + "\n" + `{"op":"notification"}`,
		`{"status":200,"headers":{"X-Reply-Address":"a"},"body":[{"n":1},5]}` + "\n" + `{"status":100,"headers":{},"body":"x"}` + "\n" + `{"status":400,"body":{"messageCode":"c"}}`,
		`{"op":"validate","object":"wrong"}` + "\n" + `{"op":"validate","object":"local-token"}` + "\n" + `{"op":"authenticate","object":{"username":"u","password":"p"}}`,
		`{"op":"connectExtension","resourceId":"EchoSource","parameters":{"reconnectSecret":"s"}}`, `{"op":"connectExtension","resourceId":"Other"}` + "\n" + `{"op":"connectExtension","resourceId":"Unheard"}`,
		`{"op":"publish"}` + "\n" + `{"op":"query","messageHeaders":{"REPLY_ADDR_HEADER":"a"}}` + "\n" + `{"op":"configureExtension"}` + "\n" + `{"op":"reconnectRequired"}` + "\n" + `{"op":"new"}`,
		"\n{\n[1,2]\nnull\n\xff\n" + `{"op":5}` + "\n" + `{"status":"200"}` + "\n{}", `{"op":"notification","object":{"pad":"` + strings.Repeat("x", 4096) + `"}}`,
	} {
		f.Add(seed)
	}
	const maxMessage = 2048
	f.Fuzz(func(t *testing.T, text string) {
		frames := strings.Split(text, "\n")
		if len(frames) > 20 || !utf8.ValidString(text) && strings.Contains(text, "notification") || strings.Count(text, "{")+strings.Count(text, "[") > 900 {
			t.Skip()
		}
		synctest.Test(t, func(t *testing.T) {
			network := vantiqtest.NewNetwork()
			server := start(t, vantiqtest.WithNetwork(network), vantiqtest.WithMaxMessage(maxMessage))
			source := server.Source("EchoSource", nil)
			server.Source("Other", nil)
			c := connected(t, server, network, "EchoSource", "s")
			var want []string
			for _, frame := range frames {
				if event, ok := eventOf(frame); ok && len(frame) <= maxMessage {
					want = append(want, event)
				}
				c.send([]byte(frame))
			}
			c.notify("EchoSource", `{"last":true}`)
			want = append(want, `{"last":true}`)
			for _, text := range want {
				if got, err := source.Notification(within(t)); err != nil || got.String() != text {
					t.Fatalf("%q came as %q, %v", text, got, err)
				}
			}
			synctest.Wait()
			if !source.Connected() || len(source.Notifications()) > 0 {
				t.Errorf("connected: %t, and more notifications than were sent", source.Connected())
			}
			if err := source.Publish(within(t), map[string]int{"n": 1}); err != nil {
				t.Error(err)
			}
			for acknowledged := 0; ; { // whatever else was answered
				_, frame, err := c.read()
				if err != nil {
					t.Fatal(err)
				}
				m, err := new(protocol.Decoder).Decode(frame)
				if err != nil {
					t.Fatalf("the server sent %q: %v", frame, err)
				}
				if r, ok := m.(*protocol.Response); ok && r.Status == 200 && r.Body == nil {
					acknowledged++
				}
				if _, ok := m.(*protocol.Publish); !ok {
					continue
				}
				if acknowledged != len(want) {
					t.Errorf("%d of %d notifications were acknowledged", acknowledged, len(want))
				}
				return
			}
		})
	})
}

// eventOf returns the event of a notification, as encoding/json reads it.
func eventOf(frame string) (event string, ok bool) {
	var members map[string]json.RawMessage
	var op string
	if json.Unmarshal([]byte(frame), &members) != nil || json.Unmarshal(members["op"], &op) != nil || op != protocol.OpNotification {
		return "", false
	}
	if event = string(members["object"]); event == "" || event == "null" {
		return "{}", true
	}
	return event, true
}
