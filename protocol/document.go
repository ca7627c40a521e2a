package protocol

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
)

// A Document is a JSON object kept as it was received: a source configuration, a published message, a query's
// parameters. It is an immutable value that stays valid for ever, may be shared by goroutines and is marshalled as
// itself. The zero Document is the empty object {}.
//
// What no Go string can hold, an escaped half of a surrogate pair like \ud800, survives in the Document; in what Decode and
// Map return it is U+FFFD.
//
// The message of a publish may keep the frame that it came in, which is up to a kilobyte more than twice as long.
//
// Vantiq sends objects; should it ever send another JSON value, the Document holds that, and Map reports it.
type Document struct {
	text []byte // valid JSON, never written to; nil means {}
}

// NewDocument returns value as a Document. It returns an error if value cannot be marshalled or is not a JSON object.
func NewDocument(value any) (Document, error) {
	text, err := AppendJSON(nil, value)
	if err != nil {
		return Document{}, err
	}
	if len(text) == 0 || text[0] != '{' {
		return Document{}, fmt.Errorf("protocol: a document must be a JSON object, %T is marshalled as %s", value, kindOf(text))
	}
	return Document{text}, nil
}

// Decode unmarshals the document into v as [json.Unmarshal] does; a number that lands in an any becomes a float64.
func (d Document) Decode(v any) error { return json.Unmarshal(d.Raw(), v) }

// Map returns a fresh map of the document's members, for the caller to keep. Numbers are [json.Number] and keep every digit.
func (d Document) Map() (map[string]any, error) {
	members := map[string]any{}
	decoder := json.NewDecoder(bytes.NewReader(d.Raw()))
	decoder.UseNumber()
	if err := decoder.Decode(&members); err != nil {
		return nil, err
	}
	if members == nil {
		return nil, errors.New("protocol: the document is null, not an object")
	}
	return members, nil
}

// Raw returns the document's text. The caller must not write to it.
func (d Document) Raw() json.RawMessage {
	if d.text == nil {
		return json.RawMessage("{}")
	}
	return json.RawMessage(d.text)
}

// String returns the document's text.
func (d Document) String() string { return string(d.Raw()) }

// Equal reports whether both documents hold the same value: spacing and the order of members do not count, but every
// digit of a number does, and so does how it is written (1 is not 1.0).
func (d Document) Equal(other Document) bool {
	if bytes.Equal(d.Raw(), other.Raw()) {
		return true
	}
	mine, err := decodeExactly(d.Raw())
	if err != nil {
		return false
	}
	theirs, err := decodeExactly(other.Raw())
	return err == nil && reflect.DeepEqual(mine, theirs)
}

// MarshalJSON returns the document as it is.
func (d Document) MarshalJSON() ([]byte, error) { return d.Raw(), nil }

// UnmarshalJSON keeps a copy of text.
func (d *Document) UnmarshalJSON(text []byte) error {
	d.text = bytes.Clone(text)
	return nil
}

func decodeExactly(text []byte) (value any, err error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	err = decoder.Decode(&value)
	return value, err
}

// document returns a Document of its own for a value found in a frame; absent and null mean {}.
func document(value []byte) Document {
	if isNull(value) {
		return Document{}
	}
	return Document{bytes.Clone(value)}
}

func isNull(value []byte) bool { return len(value) == 0 || value[0] == 'n' }

// kindOf names the kind of a JSON value, for error texts.
func kindOf(text []byte) string {
	if len(text) == 0 {
		return "nothing"
	}
	switch text[0] {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return "a number"
}
