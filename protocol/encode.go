package protocol

import (
	"bytes"
	"encoding/json"
	"sync"
	"unicode/utf8"
)

// AppendJSON appends value as JSON, without escaping <, > and & as encoding/json does by default. A Document and a
// json.RawMessage are appended as they are, once checked to be valid.
func AppendJSON(dst []byte, value any) ([]byte, error) {
	switch v := value.(type) {
	case Document:
		return append(dst, v.Raw()...), nil
	case json.RawMessage:
		return appendDocument(dst, v)
	}
	e := encoders.Get().(*encoder)
	defer e.release()
	if err := e.json.Encode(value); err != nil {
		return dst, err
	}
	return append(dst, bytes.TrimSuffix(e.buffer.Bytes(), []byte("\n"))...), nil
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
