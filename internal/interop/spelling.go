package interop

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf16"
)

// dumps spells JSON as Python's json.dumps does: a blank after colons and commas, and nothing but printable ASCII.
func dumps(text string) []byte {
	return respell(text, " ", func(dst []byte, r rune) []byte {
		switch {
		case r > 0xFFFF:
			high, low := utf16.EncodeRune(r)
			return fmt.Appendf(dst, `\u%04x\u%04x`, high, low)
		case r < ' ' || r > '~':
			return fmt.Appendf(dst, `\u%04x`, r)
		}
		return append(dst, byte(r))
	})
}

// jackson spells a value as Jackson does for the types used here: without blanks, and with no more escapes than JSON demands.
func jackson(value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("interop: %v", err))
	}
	return respell(string(text), "", func(dst []byte, r rune) []byte {
		if r < ' ' {
			return fmt.Appendf(dst, `\u%04X`, r)
		}
		return append(dst, string(r)...)
	})
}

// shortEscapes are the same in both.
var shortEscapes = map[rune]string{'"': `\"`, '\\': `\\`, '\n': `\n`, '\r': `\r`, '\t': `\t`, '\b': `\b`, '\f': `\f`}

// respell writes JSON with a separator after colons and commas, and its strings anew. Numbers stay as they are.
func respell(text, separator string, appendRune func(dst []byte, r rune) []byte) []byte {
	var compact bytes.Buffer
	if err := json.Compact(&compact, []byte(text)); err != nil {
		panic(fmt.Sprintf("interop: %v in %s", err, text))
	}
	var out []byte
	for rest := compact.String(); rest != ""; {
		length := 1
		switch rest[0] {
		case '"':
			length = stringLength(rest)
			var value string
			_ = json.Unmarshal([]byte(rest[:length]), &value) // Compact has checked it
			out = append(out, '"')
			for _, r := range value {
				if short := shortEscapes[r]; short != "" {
					out = append(out, short...)
				} else {
					out = appendRune(out, r)
				}
			}
			out = append(out, '"')
		case ':', ',':
			out = append(append(out, rest[0]), separator...)
		default:
			out = append(out, rest[0])
		}
		rest = rest[length:]
	}
	return out
}

// stringLength returns the length of the JSON string with which text begins.
func stringLength(text string) int {
	for i := 1; ; i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
}

// quote returns text as a JSON string.
func quote(text string) string {
	quoted, _ := json.Marshal(text) // a string always can
	return string(quoted)
}
