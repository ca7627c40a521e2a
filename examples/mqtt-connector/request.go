package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/eclipse/paho.golang/paho"

	"github.com/vantiq-go/connectorsdk/connector"
)

// noMatchingSubscribers is MQTT's reason code for a message that nobody gets.
const noMatchingSubscribers = 0x10

// isResponse reports whether a message has come to the response topic, and gives it to the query that waits for it. One that
// is late, or unasked for, is dropped.
func (b *broker) isResponse(p *paho.Publish) bool {
	if p.Topic != b.config.Load().ResponseTopic {
		return false
	}
	if response, waits := b.waiting.LoadAndDelete(string(p.Properties.CorrelationData)); waits {
		response.(chan *paho.Publish) <- p // which has room for one
	}
	return true
}

// parseRequest reads a query: a message as it may be published, and how long to wait for the response.
func parseRequest(document connector.Document) (*paho.Publish, time.Duration, error) {
	p, err := parseMessage(document)
	if err != nil {
		return nil, 0, err
	}
	parameters := struct {
		Timeout string `json:"timeout"`
	}{"10s"}
	if err := document.Decode(&parameters); err != nil {
		return nil, 0, err
	}
	patience, err := time.ParseDuration(parameters.Timeout)
	if err != nil {
		return nil, 0, fmt.Errorf("timeout: %q is not a duration; write it like 10s", parameters.Timeout)
	}
	return p, patience, nil
}

// request publishes a message and waits for the response.
func (b *broker) request(ctx context.Context, p *paho.Publish, patience time.Duration) (*paho.Publish, error) {
	p.Properties.ResponseTopic = b.config.Load().ResponseTopic
	if p.Properties.ResponseTopic == "" {
		return nil, connector.QueryError{Code: "mqtt.noResponseTopic", Template: "set mqttConfig.responseTopic in the source's configuration: a topic where the responses to its queries arrive"}
	}
	correlation, response := rand.Text(), make(chan *paho.Publish, 1)
	p.Properties.CorrelationData = []byte(correlation)
	b.waiting.Store(correlation, response)
	defer b.waiting.Delete(correlation)

	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	reply, err := b.publish(limited, p)
	switch {
	case err != nil:
		return nil, err
	case reply.ReasonCode == noMatchingSubscribers:
		return nil, connector.QueryError{Code: "mqtt.nobodyListens", Template: "nobody has subscribed to {0}", Parameters: []any{p.Topic}}
	}
	select {
	case message := <-response:
		return message, nil
	case <-limited.Done():
		return nil, connector.QueryError{Code: "mqtt.noResponse", Template: "no response to {0} within {1}", Parameters: []any{p.Topic, patience.String()}}
	}
}
