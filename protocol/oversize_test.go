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

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"op":"publish","resourceId":"S","object":{"text":"hello"}}`, `{"op":"query","messageHeaders":{"REPLY_ADDR_HEADER":"a"},"object":null}`,
		`{"status":401,"body":[{"code":"c","message":"m"}]}`, `{"op":"configureExtension","object":{"config":{}}}`, `{"op":null,"status":null}`, `[]`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		message, err := new(protocol.Decoder).Decode(frame)
		var members map[string]json.RawMessage
		reference := json.Unmarshal([]byte(strings.ToValidUTF8(string(frame), "\uFFFD")), &members)
		if (reference != nil || members == nil) && err == nil {
			t.Fatalf("decoded %T from what encoding/json refuses: %q", message, frame)
		}
		if err != nil {
			return
		}
		switch m := message.(type) {
		case *protocol.Publish:
			if !json.Valid(m.Message.Raw()) {
				t.Fatalf("an invalid document from %q", frame)
			}
		case *protocol.Response:
			_ = m.Err()
			if err := m.Err(); err != nil {
				_ = err.Error()
			}
			_, _ = protocol.ParseQueryError(m.Body)
		}
	})
}
