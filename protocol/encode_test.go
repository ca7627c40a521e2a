package protocol_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/vantiq-go/connectorsdk/protocol"
)

// A connector hands on what others wrote. In a message that Vantiq cannot read it would never be acknowledged, and hold up
// everything behind it.
func TestWhatIsEncodedCanBeReadInAMessage(t *testing.T) {
	nested := func(levels int) json.RawMessage {
		return json.RawMessage(strings.Repeat("[", levels) + strings.Repeat("]", levels))
	}
	decode := func(message []byte) error {
		_, err := new(protocol.Decoder).Decode(message)
		return err
	}
	deepest, err := protocol.AppendJSON(nil, map[string]any{"a": nested(997)})
	if err != nil {
		t.Fatal(err)
	}
	if err := decode(protocol.AppendNotification(nil, "S", deepest)); err != nil {
		t.Errorf("a notification: %v", err)
	}
	if err := decode(protocol.AppendQueryResponse(nil, "r", 200, json.RawMessage("["+string(deepest)+"]"))); err != nil {
		t.Errorf("a row: %v", err)
	}
	for name, value := range map[string]any{
		"a json.RawMessage": nested(999),
		"one in a value":    map[string]any{"a": nested(998)},
	} {
		if text, err := protocol.AppendJSON([]byte("x"), value); err == nil || string(text) != "x" {
			t.Errorf("%s that is nested deeper was encoded as %.20s (%v)", name, text, err)
		}
	}
	many := json.RawMessage("[" + strings.Repeat("[],", 2000) + "{}]")
	if _, err := protocol.AppendJSON(nil, map[string]any{"many": many}); err != nil {
		t.Errorf("brackets that are not nested: %v", err)
	}
}

func TestWhatIsEncodedIsUTF8(t *testing.T) {
	text, err := protocol.AppendJSON(nil, map[string]any{"a": json.RawMessage("\"\xff\"")})
	if want := "{\"a\":\"\uFFFD\"}"; err != nil || string(text) != want {
		t.Errorf("%s (%v), want %s", text, err, want)
	}
}
