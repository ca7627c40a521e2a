package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/eclipse/paho.golang/paho"
)

func TestMessagesBecomeEvents(t *testing.T) {
	broker := newTestBroker(t)
	_, source := start(t, mqttSource(broker.url, nil, subscriptionsTo("in/+")))
	device := newPeer(t, broker.url)
	expiry := uint32(60)
	for name, test := range map[string]struct {
		message *paho.Publish
		want    string // behind the topic
	}{
		"an object, with all its digits": {
			&paho.Publish{QoS: 1, Payload: []byte(`{"n": 9007199254740993}`)},
			`"payload":{"n":9007199254740993},"encoding":"json","qos":1,"retain":false`,
		},
		"a number": {
			&paho.Publish{QoS: 2, Payload: []byte(`23.50`)},
			`"payload":23.50,"encoding":"json","qos":2,"retain":false`,
		},
		"null": {
			&paho.Publish{Payload: []byte(`null`)},
			`"payload":null,"encoding":"json","qos":0,"retain":false`,
		},
		"text": {
			&paho.Publish{Payload: []byte("wärm <&\x00")},
			`"payload":"wärm <&\u0000","encoding":"text","qos":0,"retain":false`,
		},
		"nothing": {
			&paho.Publish{},
			`"payload":"","encoding":"text","qos":0,"retain":false`,
		},
		"bytes": {
			&paho.Publish{Payload: []byte{0xff, 0, 1}},
			`"payload":"/wAB","encoding":"base64","qos":0,"retain":false`,
		},
		"JSON that is not UTF-8": {
			&paho.Publish{Payload: []byte("\"\xff\"")},
			`"payload":"Iv8i","encoding":"base64","qos":0,"retain":false`,
		},
		"properties, in their order": {
			&paho.Publish{Payload: []byte("x"), Properties: &paho.PublishProperties{
				ContentType: "text/plain", ResponseTopic: "r", CorrelationData: []byte{1, 2}, MessageExpiry: &expiry,
				User: paho.UserProperties{{Key: "b", Value: "1"}, {Key: "a", Value: "2"}, {Key: "b", Value: "3"}},
			}},
			`"payload":"x","encoding":"text","qos":0,"retain":false,"properties":{"contentType":"text/plain","responseTopic":"r",` +
				`"correlationData":"AQI=","messageExpiry":60,"user":[{"name":"b","value":"1"},{"name":"a","value":"2"},{"name":"b","value":"3"}]}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			test.message.Topic = "in/x"
			device.publish(test.message)
			got := strings.Replace(next(t, source), `,"properties":{"messageExpiry":86400}`, "", 1) // this broker's own limit
			if want := `{"topic":"in/x",` + test.want + `}`; got != want {
				t.Errorf("event\n%s, want\n%s", got, want)
			}
		})
	}
}

func TestPublishes(t *testing.T) {
	broker := newTestBroker(t)
	_, source := start(t, mqttSource(broker.url, nil))
	device := newPeer(t, broker.url, "out/#")
	for name, test := range map[string]struct {
		message, want string
	}{
		"an object goes as JSON":   {`{"topic":"out/x","payload":{"n":9007199254740993}}`, `out/x 1 false {"n":9007199254740993}`},
		"text goes as it is":       {`{"topic":"out/x","payload":"on","qos":0}`, `out/x 0 false on`},
		"text can go as JSON":      {`{"topic":"out/x","payload":"on","encoding":"json"}`, `out/x 1 false "on"`},
		"base64 goes as its bytes": {`{"topic":"out/x","payload":"/wAB","encoding":"base64","qos":2}`, "out/x 2 false \xff\x00\x01"},
		"null is a value":          {`{"topic":"out/x","payload":null}`, `out/x 1 false null`},
		"an empty payload":         {`{"topic":"out/x","payload":"","retain":true}`, `out/x 1 true `},
		"properties": {
			`{"topic":"out/x","payload":1,"properties":{"contentType":"c","responseTopic":"r","correlationData":"AQI=","messageExpiry":60,` +
				`"user":[{"name":"b","value":"1"},{"name":"a","value":"2"}]}}`,
			"out/x 1 false 1 c r \x01\x02 60 [{b 1} {a 2}]",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if err := source.SendRaw(`{"op":"publish","object":` + test.message + `}`); err != nil {
				t.Fatal(err)
			}
			m := device.next()
			got := fmt.Sprint(m.Topic, " ", m.QoS, " ", m.Retain, " ", string(m.Payload))
			if p := m.Properties; p.ContentType != "" {
				got += fmt.Sprintf(" %s %s %s %d %v", p.ContentType, p.ResponseTopic, p.CorrelationData, *p.MessageExpiry, p.User)
			}
			if got != test.want {
				t.Errorf("published %q, want %q", got, test.want)
			}
		})
	}
}

func TestAnEventCanBePublishedAsItIs(t *testing.T) {
	broker := newTestBroker(t)
	_, source := start(t, mqttSource(broker.url, nil, document{"subscriptions": []document{{"topic": "x", "noLocal": true}}}))
	device := newPeer(t, broker.url)
	for _, payload := range []string{`{"a":1}`, `"quoted"`, `plain`, "\xff", ``} {
		device.publish(&paho.Publish{Topic: "x", QoS: 1, Payload: []byte(payload), Properties: &paho.PublishProperties{ContentType: "c"}})
		first := next(t, source)
		if _, err := device.Subscribe(t.Context(), &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{{Topic: "x", QoS: 1}}}); err != nil {
			t.Fatal(err)
		}
		if err := source.SendRaw(`{"op":"publish","object":` + first + `}`); err != nil {
			t.Fatal(err)
		}
		if again := device.next(); string(again.Payload) != payload || again.Properties.ContentType != "c" {
			t.Errorf("%q became %q", payload, again.Payload)
		}
		if _, err := device.Unsubscribe(t.Context(), &paho.Unsubscribe{Topics: []string{"x"}}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPublishIsRefused(t *testing.T) {
	broker := newTestBroker(t)
	handled := make(handlerHook, 1)
	_, source := start(t, mqttSource(broker.url, nil), withHook(handled))
	for message, want := range map[string]string{
		`{"payload":1}`:                                                "topic: the topic is empty",
		`{"topic":"","payload":1}`:                                     "topic: the topic is empty",
		`{"topic":"a/+","payload":1}`:                                  `topic: "a/+" has a wildcard, and a message goes to one topic; leave + and # out`,
		`{"topic":"#","payload":1}`:                                    `topic: "#" has a wildcard, and a message goes to one topic; leave + and # out`,
		`{"topic":"a\u0000b","payload":1}`:                             `topic: "a\x00b" is not UTF-8 text without null characters, of at most 65535 bytes`,
		`{"topic":"a","qos":3,"payload":1}`:                            "qos: 3 is not 0, 1 or 2",
		`{"topic":"a"}`:                                                `payload: it is missing; "" stands for an empty one`,
		`{"topic":"a","payload":"x","encoding":"hex"}`:                 `encoding: "hex" is not json, text or base64`,
		`{"topic":"a","payload":1,"encoding":"text"}`:                  "payload: with the encoding text it has to be a text",
		`{"topic":"a","payload":"?","encoding":"base64"}`:              "payload: it is not base64: illegal base64 data at input byte 0",
		`{"topic":"a","payload":1,"properties":{"responseTopic":"+"}}`: `properties.responseTopic: "+" has a wildcard, and a message goes to one topic; leave + and # out`,
	} {
		if err := source.SendRaw(`{"op":"publish","object":` + message + `}`); err != nil {
			t.Fatal(err)
		}
		if err := <-handled; err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", message, err, want)
		}
	}
	if n := broker.count("PUBLISH"); n > 0 {
		t.Errorf("%d of them were published", n)
	}
}

func TestAMessageThatIsNoEventIsToldWithoutItsPayload(t *testing.T) {
	broker := newTestBroker(t)
	_, source := start(t, mqttSource(broker.url, nil, subscriptionsTo("in")))
	device := newPeer(t, broker.url)
	for _, payload := range []string{strings.Repeat("x", 300_000), strings.Repeat("[", 2000) + strings.Repeat("]", 2000)} {
		device.publish(&paho.Publish{Topic: "in", QoS: 1, Payload: []byte(payload)})
		want := fmt.Sprintf(`{"topic":"in","qos":1,"retain":false,"error":"the message, with a payload of %d bytes, does not fit into an event"}`, len(payload))
		if event := next(t, source); event != want {
			t.Errorf("event %s", event)
		}
	}
	device.publish(&paho.Publish{Topic: "in", QoS: 1, Payload: make([]byte, 2<<20)}) // which the broker keeps to itself
	device.count(1, 3, 3)
	say(t, numbers(t, source, 1), []int{3})
	broker.await("PUBACK", 3)
}

func TestTopics(t *testing.T) {
	for _, test := range []struct {
		filter, topic string
		want          bool
	}{
		{"a/b", "a/b", true}, {"a/b", "a/c", false}, {"a/b", "a", false}, {"a/b", "a/b/c", false},
		{"a/+", "a/b", true}, {"a/+", "a/", true}, {"a/+", "a", false}, {"a/+", "a/b/c", false}, {"+/+", "/b", true},
		{"a/#", "a", true}, {"a/#", "a/b/c", true}, {"a/#", "ab", false}, {"#", "a/b", true}, {"a/+/c", "a/b/c", true},
		{"#", "$SYS/x", false}, {"+/x", "$SYS/x", false}, {"$SYS/#", "$SYS/x", true},
		{"$share/g/a/#", "a/b", true}, {"$share/g/a/#", "b", false},
	} {
		if got := matches(test.filter, test.topic); got != test.want {
			t.Errorf("%s matches %s: %v", test.filter, test.topic, got)
		}
	}
}
