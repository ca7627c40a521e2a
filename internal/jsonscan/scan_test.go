package jsonscan_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/vantiq-go/connectorsdk/internal/jsonscan"
)

func TestSyntaxErrorSaysWhereAndWhat(t *testing.T) {
	for text, want := range map[string]string{
		``:               "at byte 0: it ends too early",
		`{"a":tru}`:      `at byte 8: unexpected '}'; did you mean true?`,
		`{"a":01}`:       "at byte 6: unexpected '1'; a comma or a closing brace",
		`{"a":1,}`:       `at byte 7: unexpected '}'; a key in double quotes`,
		`{"a":1}{}`:      "at byte 7: unexpected '{'; only one JSON value",
		`{"a":"x` + "\n": "at byte 7: unexpected '\\n'; a control character must be escaped",
		`{"a":"\x"}`:     "at byte 7: unexpected 'x'; no such escape",
		`{"a":"\u12"}`:   "at byte 10: unexpected '\"'; four hexadecimal digits",
		`[1,2`:           "at byte 4: it ends too early; a comma or a closing bracket",
		`-`:              "at byte 1: it ends too early; a digit",
		`"abc`:           "at byte 4: it ends too early; a string must be closed",
	} {
		err := jsonscan.Valid([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Valid(%q) = %v, want an error with %q", text, err, want)
		}
	}
}

func TestDepthIsLimited(t *testing.T) {
	deep := strings.Repeat("[", jsonscan.MaxDepth) + strings.Repeat("]", jsonscan.MaxDepth)
	if err := jsonscan.Valid([]byte(deep)); err != nil {
		t.Errorf("%d levels: %v", jsonscan.MaxDepth, err)
	}
	var syntax *jsonscan.SyntaxError
	if err := jsonscan.Valid([]byte("[" + deep + "]")); !errors.As(err, &syntax) {
		t.Errorf("one level more: %v, want a SyntaxError", err)
	}
	hostile := bytes.Repeat([]byte(`{"a":`), 5_000_000)
	if err := jsonscan.Valid(hostile); !errors.As(err, &syntax) {
		t.Errorf("5 million levels: %v, want a SyntaxError", err)
	}
}

func TestElementsStopsWhenAsked(t *testing.T) {
	var got []string
	for element := range jsonscan.Elements([]byte(` [ {"a":[1,2]} , "x,y" , 3 ] `)) {
		got = append(got, string(element))
		if len(got) == 2 {
			break
		}
	}
	if strings.Join(got, "|") != `{"a":[1,2]}|"x,y"` {
		t.Errorf("got %q", got)
	}
}

// Strings are read eight bytes at a time: every byte must mean the same at every place, and next to every other.
func TestEveryByteEverywhereInAString(t *testing.T) {
	for length := range 18 {
		for _, around := range []byte{'a', 0x20, 0x7f, 0x80, 0xff} {
			for place := range length {
				for b := range 256 {
					text := append(append([]byte{'"'}, bytes.Repeat([]byte{around}, length)...), '"')
					text[1+place] = byte(b)
					if got, want := jsonscan.Valid(text) == nil, json.Valid(text); got != want {
						t.Fatalf("%q is valid: %v, want %v", text, got, want)
					}
				}
			}
		}
	}
}

// FuzzAgainstEncodingJSON holds the scanner to encoding/json: the same texts are valid, the same members are found.
func FuzzAgainstEncodingJSON(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"op":"publish","object":{"a":[1,-2.5e+7,"x\u00e9\n"]}}`, `{"a":1,"a":2}`, `{"\u0061":null}`, ` [ true , false ] `,
		`{"a":01}`, `{"a":1,}`, `{"a" 1}`, `{"a":"` + "\x01" + `"}`, `{"a":"\ud800"}`, `"\"`, `[1}`, `nul`, `-0.0`, `1e`, `{"a":{}}x`,
		`[]`, `[[1],{"b":[2]},"x,]",null ]`, `[1 2]`, `{"a":1 "b"}`, `{1:2}`, `"\u00e9\/"`, `"\u12"`, `"\x"`, `-`, `1.`, `1e+`, `tru`, `fals`, `"a`, `"\`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		err := jsonscan.Valid(text)
		if err != nil && strings.Contains(err.Error(), "nested deeper") {
			return
		}
		if valid := json.Valid(text); valid != (err == nil) {
			t.Fatalf("encoding/json says valid=%v, the scanner says %v: %q", valid, err, text)
		}
		text = bytes.ToValidUTF8(text, []byte("?"))
		compareElements(t, text)
		if err == nil {
			compareUnquoted(t, bytes.TrimSpace(text))
		}
		var want map[string]json.RawMessage
		if json.Unmarshal(text, &want) != nil || want == nil {
			return
		}
		got := map[string]json.RawMessage{}
		if err := jsonscan.Members(text, func(key, value []byte) bool {
			got[string(key)] = value
			return true
		}); err != nil {
			t.Fatalf("Members: %v: %q", err, text)
		}
		if len(got) != len(want) {
			t.Fatalf("found %d members, want %d: %q", len(got), len(want), text)
		}
		for key, value := range want {
			if !bytes.Equal(got[key], value) {
				t.Fatalf("member %q is %q, want %q", key, got[key], value)
			}
		}
	})
}

// compareElements holds Elements to encoding/json.
func compareElements(t *testing.T, text []byte) {
	t.Helper()
	var want []json.RawMessage
	if json.Unmarshal(text, &want) != nil {
		return // Elements takes only what is valid
	}
	var got []json.RawMessage
	for element := range jsonscan.Elements(text) {
		got = append(got, element)
	}
	if !slices.EqualFunc(got, want, func(a, b json.RawMessage) bool { return bytes.Equal(a, b) }) {
		t.Fatalf("found the elements %q, want %q: %q", got, want, text)
	}
}

// compareUnquoted holds Unquote to encoding/json. The value is valid.
func compareUnquoted(t *testing.T, value []byte) {
	t.Helper()
	var want string
	isString := json.Unmarshal(value, &want) == nil && value[0] == '"'
	if got, ok := jsonscan.Unquote(value); ok != isString || ok && string(got) != want {
		t.Fatalf("%q is unquoted as %q, %t, want %q, %t", value, got, ok, want, isString)
	}
}
