package protocol_test

import (
	"encoding/json"
	"runtime"
	"strings"
	"testing"

	"github.com/vantiq-go/connectorsdk/protocol"
)

// allocated returns how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// Each of these bodies was decoded whole, at twenty times its size, before all but a little was thrown away.
func TestAHostileErrorBodyCostsNoMemory(t *testing.T) {
	const million = 1_000_000
	for name, body := range map[string]string{
		"a list of numbers":       "[" + strings.Repeat("1,", million) + "1]",
		"a list of nothing":       "[" + strings.Repeat("null,", million) + "{}]",
		"a list in an object":     `{"code":[` + strings.Repeat("{},", million) + `1]}`,
		"many members":            `{` + strings.Repeat(`"a":{},`, million) + `"b":1}`,
		"a list of empty objects": "[" + strings.Repeat("{},", million) + "{}]",
	} {
		t.Run(name, func(t *testing.T) {
			response := &protocol.Response{Status: 500, Body: json.RawMessage(body)}
			var failed *protocol.StatusError
			if bytes := allocated(func() { failed = response.Err() }); bytes > 1<<20 {
				t.Errorf("%d bytes were allocated for an error body of %d", bytes, len(body))
			}
			if text := failed.Error(); len(text) > 20_000 {
				t.Errorf("the error has %d bytes", len(text))
			}
		})
	}
}

func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"":                       "",
		`ordinary: é 😀 \ "`:      `ordinary: é 😀 \ "`,
		"a\nlevel=ERROR":         "a␊level=ERROR",
		"\x1b[2J\x00\r\t\x7f":    "␛[2J␀␍␉␡",
		`\x1b[2J`:                "␛[2J",
		"\u009b2J \u202e \u2028": "\uFFFD2J \uFFFD \uFFFD",
		"\xff":                   "\uFFFD",
	} {
		if got := protocol.Printable(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
	failed := &protocol.StatusError{Status: 500, Details: []protocol.Detail{{Code: "a\nb", Message: "\x1b[31m"}}}
	if got, want := failed.Error(), "status 500: ␛[31m (a␊b)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
