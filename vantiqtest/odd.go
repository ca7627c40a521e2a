package vantiqtest

import (
	"errors"
	"fmt"
	"strings"

	"github.com/vantiq-go/connectorsdk/internal/jsonscan"
	"github.com/vantiq-go/connectorsdk/protocol"
)

// What Vantiq does with a message that is not as its description and both of its SDKs have it, nobody outside knows. The
// local Vantiq makes of it what it can, and says what is odd: elsewhere the connector may fail.

// tellOddity tells the observer what is odd about a message, if anything is.
func (l *Link) tellOddity(m protocol.Message, frame []byte) {
	odd := oddity(m, frame, l.Source())
	if odd == "" {
		return
	}
	e := Event{Kind: OddReceived, Err: errors.New(odd)}
	if connect, ok := m.(*protocol.ConnectExtension); ok && l.server.declared(connect.Source) != nil {
		e.Source = connect.Source
	}
	l.server.event(l.eventOf(e))
}

// oddity returns what a connector should have said otherwise in a message, or "". Source is that of the link, or nil.
func oddity(m protocol.Message, frame []byte, source *Source) string {
	var odd []string
	switch m := m.(type) {
	case *protocol.Validate:
		if !names(frame, "system.credentials") {
			odd = append(odd, `validate without the resourceName "system.credentials"`)
		}
	case *protocol.ConnectExtension:
		if !names(frame, "sources") {
			odd = append(odd, `connectExtension without the resourceName "sources"`)
		}
	case *protocol.Notification:
		if !names(frame, "sources") {
			odd = append(odd, `notification without the resourceName "sources"`)
		}
		if m.Source == "" {
			odd = append(odd, "notification without the name of the source as its resourceId")
		} else if source != nil && m.Source != source.name {
			odd = append(odd, fmt.Sprintf("notification for %s on the link of %s", quoted(m.Source), source.name))
		}
		if !isObject(memberOf(frame, "object")) {
			odd = append(odd, "notification whose object is no JSON object")
		}
	case *protocol.Response:
		if missing := missingOfError(m.Body); m.Status >= 300 && missing != "" {
			odd = append(odd, "error answer whose body has no "+missing)
		}
		if 0 < m.Status && m.Status < 300 && m.Status != protocol.CodeEmpty && !areRows(m.Body) {
			odd = append(odd, "answer with a row that is no JSON object")
		}
	}
	return strings.Join(odd, "; ")
}

// names reports whether a message is about a resource.
func names(frame []byte, resource string) bool {
	name, _ := jsonscan.Unquote(memberOf(frame, "resourceName"))
	return string(name) == resource
}

// memberOf returns a member of a message, or nil.
func memberOf(frame []byte, name string) (value []byte) {
	_ = jsonscan.Members(frame, func(key, v []byte) (more bool) {
		if string(key) == name {
			value = v
		}
		return true
	})
	return value
}

func isObject(value []byte) bool { return len(value) > 0 && value[0] == '{' }

// areRows reports whether the body of an answer is nothing, a row, or a list of rows.
func areRows(body []byte) bool {
	if len(body) == 0 || body[0] != '[' {
		return len(body) == 0 || body[0] == '{'
	}
	for row := range jsonscan.Elements(body) {
		if !isObject(row) {
			return false
		}
	}
	return true
}

// missingOfError returns what the body of an error answer lacks: an object has all of it, as both SDKs send it, or a list of
// them, as Vantiq's description has it.
func missingOfError(body []byte) string {
	e, err := protocol.ParseQueryError(body)
	switch {
	case err != nil || e.Code == "" && e.Template == "":
		return "messageCode and messageTemplate"
	case e.Code == "":
		return "messageCode"
	case e.Template == "":
		return "messageTemplate"
	}
	return ""
}

// maxQuoted bounds in bytes what an event says in a connector's words.
const maxQuoted = 100

func quoted(text string) string {
	if len(text) > maxQuoted {
		text = strings.ToValidUTF8(text[:maxQuoted], "") + "…"
	}
	return fmt.Sprintf("%q", protocol.Printable(text))
}
