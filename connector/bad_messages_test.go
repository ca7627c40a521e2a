package connector_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/vantiq-go/connectorsdk/connector"
)

func TestOneBadMessageDoesNotEndTheLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{MaxInbound: 1 << 20}).connect(echo())
		for _, frame := range []string{
			"", "{", "[1,2]", `"text"`, "null", `{"op":"publish","object":{"a":}`, `{"op":5}`, `{"op":null}`, `{"status":"200"}`, `{"op":"somethingNew","object":1}`,
			`{"op":"validate","object":"x"}`, `{"op":"publish","object":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + "}",
			`{"op":"publish","object":{"pad":"` + strings.Repeat("x", 3<<20) + `"}}`, `{"status":500,"body":[{"code":"c","message":"m"}]}`, "\xff\xfe",
		} {
			b.must(b.source.SendRaw(frame))
		}
		_, err := b.source.Query(b.soon(), object{"pad": strings.Repeat("x", 3<<20)})
		if e := queryError(t, err); e.Code != connector.CodeTooLarge {
			t.Error(e)
		}
		if rows, err := b.source.Query(b.soon(), object{"a": 1}); err != nil || len(rows) != 1 {
			t.Errorf("%v, %v", rows, err)
		}
		if s := b.conn.Stats(); s.Reconnects != 0 {
			t.Errorf("reconnects: %s", s.LastError)
		}
	})
}

func TestDocumentsGoThroughAnEchoUnchanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{}).connect(echo())
		for _, text := range []string{
			`{"n":9007199254740993,"x":1.10,"e":-1E+400}`, `{"t":"\u0000 😀 </script> \u2028 é"}`, `{"s":"\ud800"}`, `{"a":[[],{}],"b":null}`, `{"":""}`,
		} {
			b.must(b.source.SendRaw(`{"op":"publish","object":` + text + `}`))
			event, err := b.source.Notification(b.soon())
			if err != nil || event.String() != text {
				t.Errorf("%s came back as %s, %v", text, event, err)
			}
		}
	})
}
