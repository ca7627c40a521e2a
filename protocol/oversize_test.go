package protocol_test

import (
	"encoding/json"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/vantiq-go/connectorsdk/protocol"
)

func TestScanOversizeFindsWhatARefusalNeeds(t *testing.T) {
	pad := strings.Repeat("x", 1<<20)
	for frame, want := range map[string]protocol.Oversize{
		`{"op":"query","messageHeaders":{"other":{"a":[1]},"REPLY_ADDR_HEADER":"3f2a"},"object":{"pad":"` + pad + `"}}`:                                        {Op: "query", ReplyAddress: "3f2a"},
		`{"object":{"pad":"` + pad + `\"}{","n":[1,{"op":"publish"},"]"]},"flag":true,"n":-1.5 ,"messageHeaders" : {"REPLY_ADDR_HEADER":"3f2a"},"op":"query"}`: {Op: "query", ReplyAddress: "3f2a"},
		`{"op":"publish","object":{"pad":"` + pad + `"}}`: {Op: "publish"},
		`{"status":100,"body":"` + pad + `"}`:             {},
		`{"op":"query","object":{"pad":"` + pad:           {Op: "query"},
		`[` + pad + `]`:                                   {},
		``:                                                {},
		`{"op":"query","messageHeaders":5,"object":{"pad":"` + pad + `"}}`: {Op: "query"},
	} {
		want.Bytes = int64(len(frame))
		got, err := protocol.ScanOversize(iotest.HalfReader(strings.NewReader(frame)))
		if err != nil || got != want {
			t.Errorf("%.60s: %+v, %v; want %+v", frame, got, err, want)
		}
	}
	if _, err := protocol.ScanOversize(iotest.TimeoutReader(strings.NewReader(`{"op":"query","a":"` + pad))); err == nil {
		t.Error("a failing reader is not reported")
	}
}

func FuzzScanOversize(f *testing.F) {
	f.Add([]byte(`{"op":"query","messageHeaders":{"REPLY_ADDR_HEADER":"3f2a"},"object":{"a":[1,"\"",{}]}}`))
	f.Add([]byte(`{"a":1,"b":true}`))
	f.Add([]byte(` {"messageHeaders":{"other":{"a":["]"]},"REPLY_ADDR_HEADER" : "a\"b"} , "n":-1.5,"t":true,"op":"query"} `))
	f.Add([]byte(`{"op":5,"messageHeaders":"x","object":"y"}`))
	f.Add([]byte(`{"op" "query"`))
	f.Add([]byte(`{"messageHeaders":{"REPLY_ADDR_HEADER":7}}`))
	f.Add([]byte(`[{"op":"query"}]`))
	for _, cut := range []string{``, `{`, `{"op`, `{"op"`, `{"op":`, `{"n":{"a"`, `{"n":"x`, `{"n":1`} {
		f.Add([]byte(cut))
	}
	f.Add([]byte(`{"op":"\`))
	f.Fuzz(func(t *testing.T, frame []byte) {
		reader := strings.NewReader(string(frame))
		got, err := protocol.ScanOversize(reader)
		if err != nil {
			t.Fatalf("reading a string failed: %v", err)
		}
		if rest, _ := io.ReadAll(reader); len(rest) > 0 {
			t.Fatalf("%d bytes were not read", len(rest))
		}
		if !json.Valid(frame) || strings.Contains(string(frame), `\`) {
			return
		}
		message, err := new(protocol.Decoder).Decode(frame)
		if query, ok := message.(*protocol.Query); err == nil && ok && len(query.ReplyAddress) < 1000 && strings.Count(string(frame), "messageHeaders") == 1 && strings.Count(string(frame), `"op"`) == 1 {
			if got.Op != "query" || (query.ReplyAddress != got.ReplyAddress && strings.ToValidUTF8(string(frame), "") == string(frame) && strings.Count(string(frame), "REPLY_ADDR_HEADER") == 1) {
				t.Fatalf("found %+v in %q", got, frame)
			}
		}
	})
}
