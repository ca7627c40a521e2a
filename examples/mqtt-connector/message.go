package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/eclipse/paho.golang/paho"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/protocol"
)

// A message is what VAIL sees of an MQTT message, in either direction: an event can be published as it is.
type message struct {
	Topic      string          `json:"topic"`
	Payload    json.RawMessage `json:"payload,omitempty"`
	Encoding   string          `json:"encoding,omitempty"` // of the payload; see encodings
	QoS        byte            `json:"qos"`
	Retain     bool            `json:"retain"`
	Properties *properties     `json:"properties,omitempty"`
	Error      string          `json:"error,omitempty"` // why there is no payload
}

// Encodings: how a payload, which is bytes, stands in a message.
const (
	encodingJSON   = "json"   // as the JSON value that it is
	encodingText   = "text"   // as text
	encodingBase64 = "base64" // as base64, because it is neither
)

// properties are those of MQTT 5.
type properties struct {
	ContentType     string         `json:"contentType,omitempty"`
	ResponseTopic   string         `json:"responseTopic,omitempty"`
	CorrelationData []byte         `json:"correlationData,omitempty"` // base64
	MessageExpiry   *uint32        `json:"messageExpiry,omitempty"`   // seconds
	User            []userProperty `json:"user,omitempty"`            // in order; a name may come several times
}

type userProperty struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// received returns a message from the broker as VAIL gets it.
func received(p *paho.Publish) message {
	m := message{Topic: p.Topic, QoS: p.QoS, Retain: p.Retain}
	switch {
	case !utf8.Valid(p.Payload):
		m.Encoding, m.Payload = encodingBase64, quoted(base64.StdEncoding.EncodeToString(p.Payload))
	case json.Valid(p.Payload):
		m.Encoding, m.Payload = encodingJSON, p.Payload
	default:
		m.Encoding, m.Payload = encodingText, quoted(string(p.Payload))
	}
	all := properties{
		ContentType:     p.Properties.ContentType,
		ResponseTopic:   p.Properties.ResponseTopic,
		CorrelationData: p.Properties.CorrelationData,
		MessageExpiry:   p.Properties.MessageExpiry,
	}
	for _, user := range p.Properties.User {
		all.User = append(all.User, userProperty{Name: user.Key, Value: user.Value})
	}
	if all.ContentType != "" || all.ResponseTopic != "" || all.CorrelationData != nil || all.MessageExpiry != nil || all.User != nil {
		m.Properties = &all
	}
	return m
}

// unfit returns what VAIL gets in place of a message that cannot be an event: one that is too large, or nested too deeply.
func unfit(p *paho.Publish) message {
	return message{Topic: p.Topic, QoS: p.QoS, Retain: p.Retain,
		Error: fmt.Sprintf("the message, with a payload of %d bytes, does not fit into an event", len(p.Payload))}
}

// An event of several messages. Of one message it is the message.
type messages struct {
	Messages []message `json:"messages"`
}

// eventOf returns what Vantiq gets of some deliveries.
func (b *broker) eventOf(batch []paho.PublishReceived, as func(*paho.Publish) message) any {
	if b.settings.MessagesPerEvent == 1 {
		return as(batch[0].Packet)
	}
	var event messages
	for _, p := range batch {
		event.Messages = append(event.Messages, as(p.Packet))
	}
	return event
}

// parseMessage reads what VAIL publishes, or requests by a query.
func parseMessage(document connector.Document) (*paho.Publish, error) {
	m := message{QoS: 1}
	if err := document.Decode(&m); err != nil {
		return nil, err
	}
	if err := checkTopic(m.Topic); err != nil {
		return nil, fmt.Errorf("topic: %w", err)
	}
	if m.QoS > 2 {
		return nil, fmt.Errorf("qos: %d is not 0, 1 or 2", m.QoS)
	}
	payload, err := m.bytes()
	if err != nil {
		return nil, err
	}
	p := &paho.Publish{Topic: m.Topic, Payload: payload, QoS: m.QoS, Retain: m.Retain, Properties: &paho.PublishProperties{}}
	if m.Properties != nil {
		p.Properties = m.Properties.paho()
	}
	if p.Properties.ResponseTopic != "" {
		if err := checkTopic(p.Properties.ResponseTopic); err != nil {
			return nil, fmt.Errorf("properties.responseTopic: %w", err)
		}
	}
	return p, nil
}

// bytes returns the payload as it goes to the broker. Text goes as it is, everything else as JSON, if the encoding does not
// say otherwise.
func (m message) bytes() ([]byte, error) {
	if m.Payload == nil {
		return nil, errors.New(`payload: it is missing; "" stands for an empty one`)
	}
	var text string
	isText := json.Unmarshal(m.Payload, &text) == nil && m.Payload[0] == '"'
	switch {
	case m.Encoding == encodingJSON || m.Encoding == "" && !isText:
		return m.Payload, nil
	case m.Encoding != "" && m.Encoding != encodingText && m.Encoding != encodingBase64:
		return nil, fmt.Errorf("encoding: %q is not json, text or base64", m.Encoding)
	case !isText:
		return nil, fmt.Errorf("payload: with the encoding %s it has to be a text", m.Encoding)
	case m.Encoding == encodingBase64:
		data, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, fmt.Errorf("payload: it is not base64: %w", err)
		}
		return data, nil
	}
	return []byte(text), nil
}

func (p properties) paho() *paho.PublishProperties {
	all := &paho.PublishProperties{
		ContentType:     p.ContentType,
		ResponseTopic:   p.ResponseTopic,
		CorrelationData: p.CorrelationData,
		MessageExpiry:   p.MessageExpiry,
	}
	for _, user := range p.User {
		all.User.Add(user.Name, user.Value)
	}
	return all
}

// quoted returns text as a JSON string.
func quoted(text string) json.RawMessage {
	quoted, _ := protocol.AppendJSON(nil, text) // which no text makes fail
	return quoted
}
