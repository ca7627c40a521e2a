package main

import (
	"strings"
	"testing"

	"github.com/eclipse/paho.golang/paho"

	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// ask queries, and returns the payload of the response.
func ask(t *testing.T, source *vantiqtest.Source, payload string) string {
	t.Helper()
	rows, err := source.Query(t.Context(), document{"topic": "ask", "payload": payload})
	var response message
	if err == nil && len(rows) == 1 {
		err = rows[0].Decode(&response)
	}
	if err != nil || len(rows) != 1 {
		t.Errorf("rows %v (%v)", rows, err)
	}
	return string(response.Payload)
}

// Two requests are answered in the other order, after a response that nobody has asked for, and one of them twice.
func TestAQueryIsARequest(t *testing.T) {
	broker := newTestBroker(t)
	_, source := start(t, mqttSource(broker.url, nil, document{"responseTopic": "r"}))
	device := newPeer(t, broker.url, "ask")
	respond := func(request *paho.Publish, payload string, correlation []byte) {
		device.publish(&paho.Publish{Topic: request.Properties.ResponseTopic, QoS: 1, Payload: []byte(payload),
			Properties: &paho.PublishProperties{CorrelationData: correlation}})
	}
	answers := make(chan string)
	for _, payload := range []string{"one", "two"} {
		go func() { answers <- payload + ask(t, source, payload) }()
	}
	first, second := device.next(), device.next()
	respond(first, "unasked", []byte("unasked"))
	for _, request := range []*paho.Publish{second, first, first} {
		respond(request, "to "+string(request.Payload), request.Properties.CorrelationData)
	}
	got := []string{<-answers, <-answers}
	if all := strings.Join(got, " "); !strings.Contains(all, `one"to one"`) || !strings.Contains(all, `two"to two"`) {
		t.Errorf("answers %q", got)
	}
	if events := source.Notifications(); len(events) > 0 {
		t.Errorf("responses became events: %v", events)
	}
}

func TestAQueryThatFailsTellsWhy(t *testing.T) {
	broker := newTestBroker(t)
	_, source := start(t, mqttSource(broker.url, nil, document{"responseTopic": "r"}))
	newPeer(t, broker.url, "silent")
	for name, test := range map[string]struct {
		parameters document
		want       protocol.QueryError
	}{
		"no response": {document{"topic": "silent", "payload": 1, "timeout": "50ms"},
			protocol.QueryError{Code: "mqtt.noResponse", Template: "no response to silent within 50ms"}},
		"a wildcard": {document{"topic": "#", "payload": 1},
			protocol.QueryError{Code: "mqtt.badRequest", Template: `topic: "#" has a wildcard, and a message goes to one topic; leave + and # out`}},
		"no duration": {document{"topic": "silent", "payload": 1, "timeout": "soon"},
			protocol.QueryError{Code: "mqtt.badRequest", Template: `timeout: "soon" is not a duration; write it like 10s`}},
	} {
		t.Run(name, func(t *testing.T) {
			if failed := queryError(t, source, test.parameters); failed.Code != test.want.Code || failed.Message() != test.want.Template {
				t.Errorf("%v", failed)
			}
		})
	}
	source.Reconfigure(mqttSource(broker.url, nil))
	broker.await("UNSUBSCRIBE r", 1)
	if failed := queryError(t, source, document{"topic": "silent", "payload": 1}); failed.Code != "mqtt.noResponseTopic" {
		t.Errorf("%v", failed)
	}
}
