package protocol

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sync"
	"unicode/utf8"

	"github.com/vantiq-go/connectorsdk/internal/jsonscan"
)

// AppendJSON appends value as JSON, without escaping <, > and & as encoding/json does by default. A Document and an
// [Encoded] are appended as they are, a json.RawMessage once checked to be valid. Bytes that are not UTF-8 are replaced by
// U+FFFD, and what is nested deeper than 998 levels is an error: within a message nobody could read it.
func AppendJSON(dst []byte, value any) ([]byte, error) {
	switch v := value.(type) {
	case Document:
		return appendShallow(dst, v.Raw())
	case Encoded:
		if len(v) == 0 {
			return dst, errNothing
		}
		return append(dst, v...), nil
	case json.RawMessage:
		return appendValid(dst, v)
	}
	e := encoders.Get().(*encoder)
	defer e.release()
	if err := e.json.Encode(value); err != nil {
		return dst, err
	}
	text := bytes.TrimSuffix(e.buffer.Bytes(), []byte("\n"))
	return appendShallow(dst, validUTF8(text)) // what is not may be in a json.RawMessage somewhere inside of value
}

// appendValid appends text without the space around it, if it is one JSON value.
func appendValid(dst, text []byte) ([]byte, error) {
	if err := jsonscan.ValidBelow(levelsAround, text); err != nil {
		if jsonscan.Valid(text) == nil {
			err = errTooDeep
		}
		return dst, err
	}
	return append(dst, validUTF8(bytes.TrimSpace(text))...), nil
}

func appendShallow(dst, text []byte) ([]byte, error) {
	if err := checkDepth(text); err != nil {
		return dst, err
	}
	return append(dst, text...), nil
}

// levelsAround is how deep a row stands in a response: in the message, in the array. An event stands less deep.
const levelsAround = 2

// deepest is how deep a value may be nested.
const deepest = jsonscan.MaxDepth - levelsAround

var errTooDeep = fmt.Errorf("nested deeper than %d levels", deepest)

// checkDepth returns an error if valid JSON is nested too deep for a message.
func checkDepth(text []byte) error {
	if bytes.Count(text, []byte("["))+bytes.Count(text, []byte("{")) <= deepest { // then it cannot be
		return nil
	}
	if jsonscan.ValidBelow(levelsAround, text) != nil {
		return errTooDeep
	}
	return nil
}

// An encoder is pooled because a json.Encoder and its buffer would otherwise be made anew for every message.
type encoder struct {
	buffer bytes.Buffer
	json   *json.Encoder
}

var encoders = sync.Pool{New: func() any {
	e := &encoder{}
	e.json = json.NewEncoder(&e.buffer)
	e.json.SetEscapeHTML(false)
	return e
}}

// maxPooledBuffer keeps one large message from pinning its memory for ever.
const maxPooledBuffer = 64 << 10

func (e *encoder) release() {
	if e.buffer.Cap() > maxPooledBuffer {
		return
	}
	e.buffer.Reset()
	encoders.Put(e)
}

// appendString appends text as a JSON string.
func appendString(dst []byte, text string) []byte {
	for i := range len(text) {
		if b := text[i]; b < 0x20 || b == '"' || b == '\\' || b == 0x7f || b >= utf8.RuneSelf {
			quoted, _ := AppendJSON(dst, text) // a string always can
			return quoted
		}
	}
	dst = append(dst, '"')
	dst = append(dst, text...)
	return append(dst, '"')
}
