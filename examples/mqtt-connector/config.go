package main

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/vantiq-go/connectorsdk/protocol"
)

// config is the configuration that a source has in Vantiq. Everything in it is optional.
type config struct {
	MQTT mqttConfig `json:"mqttConfig,omitempty"`
}

type mqttConfig struct {
	General       brokerSettings `json:"general,omitempty"`
	Subscriptions []subscription `json:"subscriptions,omitempty" jsonschema:"the topics whose messages become events"`
	ResponseTopic string         `json:"responseTopic,omitempty" jsonschema:"where the responses to queries arrive, a topic of this source's own; without it there are no queries"`
}

// brokerSettings are those whose change takes a new connection to the broker. They are compared with ==.
type brokerSettings struct {
	URL            string          `json:"url,omitempty" jsonschema:"mqtt://, mqtts://, ws:// or wss://, host and port; without it, a broker inside the connector, for trying things out"`
	ClientID       string          `json:"clientId,omitempty" jsonschema:"the name under which the broker remembers this source, which nobody else may use; default: vantiq- and the source's name"`
	Username       string          `json:"username,omitempty" jsonschema:"for the broker"`
	Password       protocol.Secret `json:"password,omitempty" jsonschema:"for the broker"`
	CAFile         string          `json:"caFile,omitempty" jsonschema:"PEM file with the authorities to trust instead of the system's"`
	CertFile       string          `json:"certFile,omitempty" jsonschema:"PEM file with the certificate to show to the broker"`
	KeyFile        string          `json:"keyFile,omitempty" jsonschema:"PEM file with its key"`
	KeepAlive      time.Duration   `json:"keepAlive" default:"30s" jsonschema:"a silent connection is checked this often; whole seconds"`
	SessionExpiry  time.Duration   `json:"sessionExpiry" default:"24h" jsonschema:"how long the broker keeps messages while the connector is away"`
	ReceiveMaximum int             `json:"receiveMaximum" default:"256" jsonschema:"how many messages of QoS 1 and 2 may be on their way to Vantiq; the broker holds back the rest"`

	MessagesPerEvent int           `json:"messagesPerEvent" default:"1" jsonschema:"so many messages go into an event, at most; with more than 1 an event has a list of them, messages"`
	MaxDelay         time.Duration `json:"maxDelay" default:"100ms" jsonschema:"the longest that a message waits for others of its event"`
}

// A subscription is a topic filter whose messages become events.
type subscription struct {
	Topic             string `json:"topic" jsonschema:"a topic, or several by the wildcards + and #"`
	QoS               int    `json:"qos" default:"1" enum:"0, 1, 2" jsonschema:"messages come with this quality of service, or with the lower one that they were published with"`
	NoLocal           bool   `json:"noLocal,omitempty" jsonschema:"leave out what this source has published itself"`
	RetainAsPublished bool   `json:"retainAsPublished,omitempty" jsonschema:"retain tells how a message was published, and not whether it was stored before"`
	RetainHandling    string `json:"retainHandling" default:"always" enum:"always, new, never" jsonschema:"whether stored messages come at a subscription: always, if the broker does not know it yet, or never"`
}

// retainHandlings are MQTT's numbers for them.
var retainHandlings = map[string]byte{"always": 0, "new": 1, "never": 2}

// Validate implements what DecodeConfig looks for.
func (c config) Validate() error {
	problems := c.MQTT.General.problems("mqttConfig.general")
	seen := map[string]bool{}
	for i, s := range c.MQTT.Subscriptions {
		path := fmt.Sprintf("mqttConfig.subscriptions[%d]", i)
		problems = append(problems, s.problems(path)...)
		if seen[s.Topic] {
			problems = append(problems, fmt.Errorf("%s.topic: %q is there twice, remove one", path, s.Topic))
		}
		seen[s.Topic] = true
	}
	if topic := c.MQTT.ResponseTopic; topic != "" {
		if err := checkTopic(topic); err != nil {
			problems = append(problems, fmt.Errorf("mqttConfig.responseTopic: %w", err))
		}
		if seen[topic] {
			problems = append(problems, fmt.Errorf("mqttConfig.responseTopic: %q is among the subscriptions, remove it there", topic))
		}
	}
	return errors.Join(problems...)
}

func (b brokerSettings) problems(path string) (problems []error) {
	report := func(member, format string, args ...any) {
		problems = append(problems, fmt.Errorf("%s.%s: %w", path, member, fmt.Errorf(format, args...)))
	}
	address, err := url.Parse(b.URL)
	switch {
	case b.URL == "":
	case err != nil || address.Hostname() == "":
		report("url", "it is not a URL; write it like mqtts://broker.example.com:8883")
	case address.User != nil:
		report("url", "it must not hold a user; put name and password into username and password")
	case defaultPorts[address.Scheme] == "":
		report("url", "the scheme %q is not known; use mqtt, mqtts, ws or wss", address.Scheme)
	case !b.encrypted() && cmp.Or(b.CAFile, b.CertFile, b.KeyFile) != "":
		report("url", "caFile, certFile and keyFile are for mqtts:// and wss://")
	}
	if b.Username == "" && b.Password != "" {
		report("username", "there is a password without it")
	}
	if (b.CertFile == "") != (b.KeyFile == "") {
		report("certFile", "it comes together with keyFile")
	}
	if b.KeepAlive < time.Second || b.KeepAlive > 65535*time.Second || b.KeepAlive%time.Second != 0 {
		report("keepAlive", "%s is not a whole number of seconds from 1s to 65535s", b.KeepAlive)
	}
	if b.SessionExpiry < 0 || b.SessionExpiry >= 1<<32*time.Second {
		report("sessionExpiry", "%s is not from 0s to 4294967295s", b.SessionExpiry)
	}
	if b.ReceiveMaximum < 1 || b.ReceiveMaximum > 65535 {
		report("receiveMaximum", "%d is not from 1 to 65535", b.ReceiveMaximum)
	}
	if b.MessagesPerEvent < 1 {
		report("messagesPerEvent", "%d is less than 1", b.MessagesPerEvent)
	}
	if b.MessagesPerEvent > 1 && b.MaxDelay <= 0 {
		report("maxDelay", "%s is not positive", b.MaxDelay)
	}
	return problems
}

func (s subscription) problems(path string) (problems []error) {
	if err := checkFilter(s.Topic); err != nil {
		problems = append(problems, fmt.Errorf("%s.topic: %w", path, err))
	}
	if s.NoLocal && strings.HasPrefix(s.Topic, sharePrefix) {
		problems = append(problems, fmt.Errorf("%s.noLocal: MQTT does not have it for a shared subscription", path))
	}
	return problems
}

// defaultPorts are those of the schemes; the library that dials knows those of ws and wss itself.
var defaultPorts = map[string]string{"mqtt": "1883", "mqtts": "8883", "ws": "80", "wss": "443"}

func (b brokerSettings) encrypted() bool {
	return strings.HasPrefix(b.URL, "mqtts:") || strings.HasPrefix(b.URL, "wss:")
}

// address returns the URL with a port.
func (b brokerSettings) address() (*url.URL, error) {
	address, err := url.Parse(b.URL)
	if err == nil && address.Port() == "" {
		address.Host += ":" + defaultPorts[address.Scheme]
	}
	return address, err
}
