package protocol

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/vantiq-go/connectorsdk/internal/jsonscan"
)

// Status codes of query responses. Any status of 300 and up is an error; a query error is sent as 400.
const (
	CodePartial  = 100 // rows, more follow
	CodeComplete = 200 // rows, the last ones
	CodeEmpty    = 204 // no (more) rows
	CodeError    = 400 // a query error
)

// A ReplyAddress routes the responses to their query. It is opaque.
type ReplyAddress string

// Response is a message without an operation: a query's answer from a connector, a bare status from Vantiq.
type Response struct {
	Status       int // 0 if the message had none
	ReplyAddress ReplyAddress
	Body         json.RawMessage // nil if absent or null; after validate it holds live credentials: never log it
}

// Partial reports whether more responses to the same request follow (1xx).
func (r *Response) Partial() bool { return 100 <= r.Status && r.Status < 200 }

// Err returns nil for a status below 300, and what the body says about the failure otherwise.
func (r *Response) Err() *StatusError {
	if r.Status < 300 {
		return nil
	}
	return &StatusError{Status: r.Status, Details: parseDetails(r.Body)}
}

// A StatusError is an error that Vantiq reported.
type StatusError struct {
	Status  int
	Details []Detail // may be empty: a bare status says no more
}

// A Detail is one of the reasons in a StatusError.
type Detail struct {
	Code    string `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
}

// Error returns the status and the server's own words, as far as they can be printed.
func (e *StatusError) Error() string {
	text := "status " + strconv.Itoa(e.Status)
	for i, d := range e.Details {
		separator := "; "
		if i == 0 {
			separator = ": "
		}
		switch {
		case d.Message == "":
			text += separator + d.Code
		case d.Code == "":
			text += separator + d.Message
		default:
			text += separator + d.Message + " (" + d.Code + ")"
		}
	}
	return Printable(text)
}

// reactivationPhrase is how a Vantiq server says that a source is being redeployed: the only refusal with a known text.
const reactivationPhrase = "does not have an associated stream"

// Reactivating reports whether the source is in its reactivation window, the time after a change of its configuration
// in which a connect is refused and soon accepted.
func (e *StatusError) Reactivating() bool {
	for _, d := range e.Details {
		if strings.Contains(d.Message, reactivationPhrase) {
			return true
		}
	}
	return false
}

// Redact returns the error without any occurrence of the secrets in the server's words.
func (e *StatusError) Redact(secrets ...Secret) *StatusError {
	clean := &StatusError{Status: e.Status, Details: make([]Detail, len(e.Details))}
	for i, d := range e.Details {
		for _, s := range secrets {
			d.Code, d.Message = s.Redact(d.Code), s.Redact(d.Message)
		}
		clean.Details[i] = d
	}
	return clean
}

// maxDetails bounds what is kept of an error body: a server may list as many as it likes.
const (
	maxDetails    = 8
	maxDetailText = 2048
)

// parseDetails reads an error body of any shape: a list of objects, a single object, a string, anything else, or nothing.
// However large the body, it holds on to nothing but what it returns.
func parseDetails(body json.RawMessage) []Detail {
	body = bytes.TrimSpace(body)
	if isNull(body) {
		return nil
	}
	if jsonscan.Valid(body) != nil {
		return []Detail{{Message: clip(body)}}
	}
	elements := jsonscan.Elements(body)
	if body[0] != '[' {
		elements = slices.Values([][]byte{body})
	}
	var details []Detail
	for element := range elements {
		if d := parseDetail(element); d != (Detail{}) {
			details = append(details, d)
		}
		if len(details) == maxDetails {
			break
		}
	}
	return details
}

func parseDetail(element []byte) (d Detail) {
	if element[0] != '{' {
		return Detail{Message: words(element)}
	}
	members := 0
	_ = jsonscan.Members(element, func(key, value []byte) (more bool) {
		members++
		switch string(key) {
		case "code":
			d.Code = words(value)
		case "message":
			d.Message = words(value)
		}
		return true
	})
	if d == (Detail{}) && members > 0 {
		d.Message = clip(element)
	}
	return d
}

// words returns the text of a JSON string, nothing for null, and any other value as it stands.
func words(value []byte) string {
	if text, ok := jsonscan.Unquote(value); ok {
		return clip(text)
	}
	if isNull(value) {
		return ""
	}
	return clip(value)
}

func clip(text []byte) string {
	if len(text) <= maxDetailText {
		return string(text)
	}
	return strings.ToValidUTF8(string(text[:maxDetailText]), "") + "…"
}

// AppendStatus appends a bare status, as Vantiq acknowledges a notification.
func AppendStatus(dst []byte, status int) []byte {
	return append(appendStatus(dst, status), '}')
}

// AppendStatusError appends an error status, as Vantiq reports a failure.
func AppendStatusError(dst []byte, e *StatusError) []byte {
	dst = append(appendStatus(dst, e.Status), `,"contentType":"application/json","body":[`...)
	for i, d := range e.Details {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(append(dst, `{"code":`...), d.Code)
		dst = appendString(append(dst, `,"message":`...), d.Message)
		dst = append(dst, `,"params":[]}`...)
	}
	return append(dst, "]}"...)
}

// AppendQueryResponse appends a response to a query. Body, rows as one object or an array of objects, is left out if it is empty.
func AppendQueryResponse(dst []byte, address ReplyAddress, code int, body json.RawMessage) []byte {
	const around = len(`{"status":200,"headers":{"` + headerReplyAddressOut + `":""},"body":}`)
	dst = slices.Grow(dst, around+len(address)+len(body))
	dst = appendStatus(dst, code)
	dst = appendString(append(dst, `,"headers":{"`+headerReplyAddressOut+`":`...), string(address))
	dst = append(dst, '}')
	if len(body) > 0 {
		dst = append(append(dst, `,"body":`...), body...)
	}
	return append(dst, '}')
}

func appendStatus(dst []byte, status int) []byte {
	return strconv.AppendInt(append(dst, `{"status":`...), int64(status), 10)
}
