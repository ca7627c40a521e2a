package protocol

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/vantiq-go/connectorsdk/internal/jsonscan"
)

// A Decoder turns the frames of one peer into messages. The zero value is ready. It belongs to one goroutine, and a
// message it returns is valid until its next call; the documents, bodies and strings in it are copies that stay valid
// for ever. Decoding a publish allocates its document and nothing else.
type Decoder struct {
	configureExtension ConfigureExtension
	publish            Publish
	query              Query
	notification       Notification
	response           Response

	source string // the last one seen: a link has one, so it need not be allocated for each message
}

// IsPublish reports whether a frame is a publish, as far as its beginning tells: it reads no further than the operation. A
// reader that must not fall behind leaves the rest to [DecodePublish], where there is time for it. Of several operations the
// first one counts here, and such a frame is an error there.
func IsPublish(frame []byte) bool {
	var e envelope
	_ = jsonscan.Members(frame, func(key, value []byte) (more bool) {
		return e.take(key, value) && e.op == nil
	})
	op, _ := jsonscan.Unquote(e.op)
	return string(op) == OpPublish
}

// DecodePublish returns the message of a frame that is a publish, as Decode does, but as a part of the frame: nobody may write
// to that afterwards.
func DecodePublish(frame []byte) (message Document, err error) {
	frame = validUTF8(frame)
	var e envelope
	if err := jsonscan.Members(frame, e.take); err != nil {
		return Document{}, fmt.Errorf("protocol: %w", err)
	}
	if op, _ := jsonscan.Unquote(e.op); string(op) != OpPublish {
		return Document{}, errors.New("protocol: op is not always publish")
	}
	if isNull(e.object) {
		return Document{}, nil
	}
	if len(frame) > 2*len(e.object)+roomyFrame {
		return document(e.object), nil // whoever keeps it must not keep a frame that is much larger
	}
	return Document{slices.Clip(e.object)}, nil
}

// roomyFrame is how many bytes an ordinary frame has around a small object.
const roomyFrame = 1024

func validUTF8(text []byte) []byte {
	if utf8.Valid(text) {
		return text
	}
	return bytes.ToValidUTF8(text, []byte("\uFFFD"))
}

// Decode reads one frame. The whole frame is checked to be one valid JSON object; bytes that are not UTF-8 are replaced
// by U+FFFD. An error describes the frame without quoting it.
func (d *Decoder) Decode(frame []byte) (Message, error) {
	frame = validUTF8(frame)
	var e envelope
	if err := jsonscan.Members(frame, e.take); err != nil {
		return nil, fmt.Errorf("protocol: %w", err)
	}
	if isNull(e.op) {
		return d.decodeResponse(&e)
	}
	op, ok := jsonscan.Unquote(e.op)
	if !ok {
		return nil, fmt.Errorf("protocol: op is %s, not a string", kindOf(e.op))
	}
	switch string(op) {
	case OpPublish:
		d.publish = Publish{d.sourceOf(&e), document(e.object)}
		return &d.publish, nil
	case OpQuery:
		address := member(e.messageHeaders, headerReplyAddressIn)
		d.query = Query{d.sourceOf(&e), ReplyAddress(text(address)), document(e.object)}
		return &d.query, nil
	case OpNotification:
		d.notification = Notification{d.sourceOf(&e), document(e.object)}
		return &d.notification, nil
	case OpConfigureExtension:
		d.configureExtension = ConfigureExtension{Source: d.sourceOf(&e)}
		d.configureExtension.read(member(e.object, "config"))
		return &d.configureExtension, nil
	case OpReconnectRequired:
		return &ReconnectRequired{d.sourceOf(&e)}, nil
	case OpValidate:
		return &Validate{Secret(text(e.object))}, nil
	case OpAuthenticate:
		return &Authenticate{text(member(e.object, "username")), Secret(text(member(e.object, "password")))}, nil
	case OpConnectExtension:
		return &ConnectExtension{d.sourceOf(&e), Secret(text(member(e.parameters, parameterReconnectSecret)))}, nil
	}
	return &Unknown{string(op)}, nil
}

func (d *Decoder) decodeResponse(e *envelope) (Message, error) {
	d.response = Response{}
	if !isNull(e.status) {
		status, err := strconv.Atoi(string(e.status))
		if err != nil {
			return nil, fmt.Errorf("protocol: status is %s, not an integer", kindOf(e.status))
		}
		d.response.Status = status
	}
	if !isNull(e.headers) {
		d.response.ReplyAddress = ReplyAddress(text(member(e.headers, headerReplyAddressOut)))
	}
	if !isNull(e.body) {
		d.response.Body = bytes.Clone(e.body)
	}
	return &d.response, nil
}

func (d *Decoder) sourceOf(e *envelope) string {
	name, _ := jsonscan.Unquote(e.resourceID)
	if string(name) != d.source {
		d.source = string(name)
	}
	return d.source
}

// An envelope holds the members of a message that matter, as slices of the frame.
type envelope struct {
	op, resourceID, object, messageHeaders, parameters []byte // of an operation
	status, headers, body                              []byte // of a response
}

// take is called with each member; of members with the same name the last one counts, as everywhere in JSON.
func (e *envelope) take(key, value []byte) (more bool) {
	switch string(key) {
	case "op":
		e.op = value
	case "resourceId":
		e.resourceID = value
	case "object":
		e.object = value
	case "messageHeaders":
		e.messageHeaders = value
	case "parameters":
		e.parameters = value
	case "status":
		e.status = value
	case "headers":
		e.headers = value
	case "body":
		e.body = value
	}
	return true
}

// member returns the value of a member, or nil if object has none of that name or is not an object.
func member(object []byte, name string) (value []byte) {
	_ = jsonscan.Members(object, func(key, v []byte) (more bool) {
		if string(key) == name {
			value = v
		}
		return true
	})
	return value
}

// text returns the text of a JSON string, or "" for any other value.
func text(value []byte) string {
	s, _ := jsonscan.Unquote(value)
	return string(s)
}
