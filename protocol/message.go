package protocol

import (
	"bytes"
	"encoding/json"
)

// A Message is what a frame says: one of [ConfigureExtension], [Publish], [Query] and [ReconnectRequired] from Vantiq,
// [Validate], [Authenticate], [ConnectExtension] and [Notification] from a connector, [Response] from either, or
// [Unknown]. A type switch over pointers to these is the whole dispatch.
type Message interface{ message() }

// ConfigureExtension begins a session: the connect has succeeded, and work may arrive at once.
type ConfigureExtension struct {
	Source    string // often absent
	Config    Document
	HasConfig bool // false is a protocol error: object.config was absent or not an object
}

// Publish is a message for the source. Nobody awaits an answer.
type Publish struct {
	Source  string // often absent
	Message Document
}

// Query asks for rows. It must be answered by responses with its reply address, exactly one of them final.
type Query struct {
	Source       string       // often absent
	ReplyAddress ReplyAddress // without one the query cannot be answered
	Parameters   Document
}

// ReconnectRequired asks the connector to begin again at connectExtension.
type ReconnectRequired struct {
	Source string // often absent
}

// Validate presents an auth token.
type Validate struct{ Token Secret }

// Authenticate presents a user's name and password. The SDK never sends it: such a session may land in any namespace of the user.
type Authenticate struct {
	Username string
	Password Secret
}

// ConnectExtension claims a source.
type ConnectExtension struct {
	Source          string
	ReconnectSecret Secret
}

// Notification is an event from a source.
type Notification struct {
	Source string
	Event  Document
}

// Unknown is an operation that this package does not know. It is to be ignored.
type Unknown struct{ Op string }

func (*ConfigureExtension) message() {}
func (*Publish) message()            {}
func (*Query) message()              {}
func (*ReconnectRequired) message()  {}
func (*Validate) message()           {}
func (*Authenticate) message()       {}
func (*ConnectExtension) message()   {}
func (*Notification) message()       {}
func (*Response) message()           {}
func (*Unknown) message()            {}

// AppendValidate appends the message that presents an auth token.
func AppendValidate(dst []byte, token Secret) []byte {
	dst = append(dst, `{"op":"`+OpValidate+`","resourceName":"`+resourceCredentials+`","object":`...)
	return append(appendString(dst, string(token)), '}')
}

// AppendConnectExtension appends the message that claims a source.
func AppendConnectExtension(dst []byte, source string, secret Secret) []byte {
	dst = appendOperation(dst, OpConnectExtension, source)
	dst = append(dst, `,"parameters":{"`+parameterReconnectSecret+`":`...)
	return append(appendString(dst, string(secret)), "}}"...)
}

// AppendNotification appends a notification of event, which must be a JSON object.
func AppendNotification(dst []byte, source string, event json.RawMessage) []byte {
	return append(append(AppendNotificationPrefix(dst, source), event...), '}')
}

// AppendNotificationPrefix appends what stands before the event in a notification of source; the event and a closing
// brace complete it. It serves a sender that writes the parts without joining them.
func AppendNotificationPrefix(dst []byte, source string) []byte {
	return append(appendOperation(dst, OpNotification, source), `,"object":`...)
}

// AppendConfigureExtension appends the message that begins a session.
func AppendConfigureExtension(dst []byte, source string, config Document) []byte {
	dst = append(appendOperation(dst, OpConfigureExtension, source), `,"object":{"config":`...)
	return append(append(dst, config.Raw()...), "}}"...)
}

// AppendPublish appends a published message.
func AppendPublish(dst []byte, source string, message Document) []byte {
	dst = append(appendOperation(dst, OpPublish, source), `,"object":`...)
	return append(append(dst, message.Raw()...), '}')
}

// AppendQuery appends a query.
func AppendQuery(dst []byte, source string, address ReplyAddress, parameters Document) []byte {
	dst = append(appendOperation(dst, OpQuery, source), `,"messageHeaders":{"`+headerReplyAddressIn+`":`...)
	dst = append(appendString(dst, string(address)), `},"object":`...)
	return append(append(dst, parameters.Raw()...), '}')
}

// AppendReconnectRequired appends the request to connect again.
func AppendReconnectRequired(dst []byte, source string) []byte {
	return append(appendOperation(dst, OpReconnectRequired, source), '}')
}

func appendOperation(dst []byte, op, source string) []byte {
	dst = append(append(dst, `{"op":"`...), op...)
	dst = append(dst, `","resourceName":"`+resourceSources+`","resourceId":`...)
	return appendString(dst, source)
}

func (c *ConfigureExtension) read(config []byte) {
	config = bytes.TrimSpace(config)
	c.HasConfig = len(config) > 0 && config[0] == '{'
	if c.HasConfig {
		c.Config = document(config)
	}
}
