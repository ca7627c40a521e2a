package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/paho"
	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/hooks/auth"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/connectortest"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// queryError returns the error that a query fails with.
func queryError(t *testing.T, source *vantiqtest.Source, parameters any) protocol.QueryError {
	t.Helper()
	rows, err := source.Query(t.Context(), parameters)
	var failed protocol.QueryError
	if !errors.As(err, &failed) {
		t.Fatalf("the query has rows %v (%v)", rows, err)
	}
	return failed
}

func TestAWrongConfigurationTellsEveryPath(t *testing.T) {
	for name, test := range map[string]struct {
		config document
		want   []string
	}{
		"values": {document{
			"general": document{"url": "http://user:hidden@h", "password": "hidden", "certFile": "c", "keepAlive": "1ms", "sessionExpiry": "-1s", "receiveMaximum": 0, "messagesPerEvent": 2, "maxDelay": "0s"},
			"subscriptions": []document{
				{"topic": "a/#/b"}, {"topic": ""}, {"topic": "a+"}, {"topic": "x"}, {"topic": "x"}, {"topic": "$share/g"},
				{"topic": "$share/g/x", "noLocal": true},
			},
			"responseTopic": "r/#",
		}, []string{
			"mqttConfig.general.url: it must not hold a user; put name and password into username and password",
			"mqttConfig.general.username: there is a password without it",
			"mqttConfig.general.certFile: it comes together with keyFile",
			"mqttConfig.general.keepAlive: 1ms is not a whole number of seconds from 1s to 65535s",
			"mqttConfig.general.sessionExpiry: -1s is not from 0s to 4294967295s",
			"mqttConfig.general.receiveMaximum: 0 is not from 1 to 65535",
			"mqttConfig.general.maxDelay: 0s is not positive",
			`mqttConfig.subscriptions[0].topic: "a/#/b" has a wildcard in the wrong place: + takes a whole level, # all levels at the end`,
			"mqttConfig.subscriptions[1].topic: the topic filter is empty",
			`mqttConfig.subscriptions[2].topic: "a+" has a wildcard in the wrong place: + takes a whole level, # all levels at the end`,
			`mqttConfig.subscriptions[4].topic: "x" is there twice, remove one`,
			`mqttConfig.subscriptions[5].topic: the topic filter is empty`,
			"mqttConfig.subscriptions[6].noLocal: MQTT does not have it for a shared subscription",
			`mqttConfig.responseTopic: "r/#" has a wildcard, and a message goes to one topic; leave + and # out`,
		}},
		"shape": {document{
			"general":       document{"password": 4711, "receiveMaximum": "many", "qos": 1},
			"subscriptions": []document{{"qos": 3}, {"topic": "a", "retainHandling": "sometimes"}},
		}, []string{
			"mqttConfig.general.password", "mqttConfig.general.receiveMaximum", "mqttConfig.general.qos",
			"mqttConfig.subscriptions[0].topic", "mqttConfig.subscriptions[0].qos", "mqttConfig.subscriptions[1].retainHandling",
		}},
		"a scheme":      {document{"general": document{"url": "http://h"}}, []string{`mqttConfig.general.url: the scheme "http" is not known; use mqtt, mqtts, ws or wss`}},
		"no host":       {document{"general": document{"url": "broker:1883"}}, []string{"mqttConfig.general.url: it is not a URL; write it like mqtts://broker.example.com:8883"}},
		"TLS without":   {document{"general": document{"url": "mqtt://h", "caFile": "x"}}, []string{"mqttConfig.general.url: caFile, certFile and keyFile are for mqtts:// and wss://"}},
		"no such file":  {document{"general": document{"url": "mqtts://h", "caFile": "/does/not/exist"}}, []string{"mqttConfig.general.caFile: open /does/not/exist: no such file or directory"}},
		"responses too": {document{"subscriptions": []document{{"topic": "a"}}, "responseTopic": "a"}, []string{`mqttConfig.responseTopic: "a" is among the subscriptions, remove it there`}},
	} {
		t.Run(name, func(t *testing.T) {
			_, source := start(t, document{"mqttConfig": test.config}, connectortest.WithoutWaiting())
			if err := source.WaitConnected(t.Context()); err != nil {
				t.Fatal(err)
			}
			failed := notConfigured(t, source)
			for _, want := range test.want {
				if !strings.Contains(failed, want) {
					t.Errorf("nothing about\n%s in\n%s", want, failed)
				}
			}
			if strings.Contains(failed, "hidden") || strings.Contains(failed, "4711") {
				t.Errorf("a secret is told: %s", failed)
			}
		})
	}
}

// notConfigured queries until the Connect handler has failed, and returns what VAIL is told then.
func notConfigured(t *testing.T, source *vantiqtest.Source) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for ctx.Err() == nil {
		failed := queryError(t, source, nil)
		if failed.Code == connector.CodeNotConfigured && failed.Message() != notYet {
			return failed.Message()
		}
	}
	t.Fatal("the Connect handler does not fail")
	return ""
}

const notYet = "the connector has not accepted the source's configuration yet"

func TestAChangedConfigurationChangesWhatDiffers(t *testing.T) {
	broker := newTestBroker(t)
	_, source := start(t, mqttSource(broker.url, nil, subscriptionsTo("a", "b")))
	device := newPeer(t, broker.url)

	source.Reconfigure(mqttSource(broker.url, nil, subscriptionsTo("b", "c")))
	broker.await("SUBSCRIBE c", 1)
	broker.await("UNSUBSCRIBE a", 1)
	for _, topic := range []string{"a", "b", "c"} {
		device.publishText(topic, topic)
	}
	say(t, next(t, source)+next(t, source), textEvent("b")+textEvent("c"))
	say(t, []int{broker.count("CONNECT"), broker.count("SUBSCRIBE b")}, []int{1, 1})

	source.Reconfigure(mqttSource(broker.url, document{"keepAlive": "31s"}, subscriptionsTo("b", "c")))
	broker.await("CONNECT", 2)
	broker.await("DISCONNECT", 1)
	broker.await("SUBSCRIBE c", 2)
	device.publishText("b", "b")
	say(t, next(t, source), textEvent("b"))
	if n := broker.count("CONNECT"); n != 2 {
		t.Errorf("%d connections", n)
	}
}

func (p *peer) publishText(topic, text string) {
	p.t.Helper()
	p.publish(&paho.Publish{Topic: topic, QoS: 1, Payload: []byte(text)})
}

func textEvent(topic string) string {
	return `{"topic":"` + topic + `","payload":"` + topic + `","encoding":"text","qos":1,"retain":false,"properties":{"messageExpiry":86400}}`
}

// A subscription that was taken out of the configuration while the connector was away is one that the broker still knows.
func TestMessagesOfAForgottenSubscriptionAreDropped(t *testing.T) {
	broker := newTestBroker(t)
	t.Run("before", func(t *testing.T) { start(t, mqttSource(broker.url, nil, subscriptionsTo("a", "b"))) })
	device := newPeer(t, broker.url)
	device.publishText("a", "a")
	device.publishText("b", "b")
	_, source := start(t, mqttSource(broker.url, nil, subscriptionsTo("b")))
	say(t, next(t, source), textEvent("b"))
	broker.await("PUBACK", 2) // of both
}

func TestABrokerThatRefusesTellsWhyButNoSecret(t *testing.T) {
	broker := newTestBroker(t, &auth.Hook{})
	var log syncBuffer
	embedded := &embeddedBroker{}
	s := newSource(t.Context(), embedded, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	t.Cleanup(s.close)
	running := connectortest.Start(t, s.handlers(), connectortest.WithoutWaiting(),
		connectortest.WithSource("TestSource", mqttSource(broker.url, document{"username": "u", "password": "hidden"})))
	source := running.Source("TestSource")
	if err := source.WaitConnected(t.Context()); err != nil {
		t.Fatal(err)
	}
	failed := notConfigured(t, source)
	if !strings.Contains(failed, "refuses the connection: Bad User Name or Password") {
		t.Errorf("VAIL is told %s", failed)
	}
	if all := failed + log.String(); strings.Contains(all, "hidden") {
		t.Errorf("the password is told:\n%s", all)
	}
}

// secretive lets everybody in, but not subscribe to "secret".
type secretive struct{ mqtt.HookBase }

func (*secretive) ID() string { return "secretive" }

func (*secretive) Provides(hook byte) bool {
	return hook == mqtt.OnConnectAuthenticate || hook == mqtt.OnACLCheck
}

func (*secretive) OnConnectAuthenticate(*mqtt.Client, packets.Packet) bool { return true }

func (*secretive) OnACLCheck(_ *mqtt.Client, topic string, _ bool) bool { return topic != "secret" }

func TestABrokerRefusesASubscription(t *testing.T) {
	broker := newTestBroker(t, new(secretive))
	_, source := start(t, mqttSource(broker.url, nil, subscriptionsTo("open", "secret")), connectortest.WithoutWaiting())
	if err := source.WaitConnected(t.Context()); err != nil {
		t.Fatal(err)
	}
	if failed := notConfigured(t, source); !strings.Contains(failed, `the broker refuses the subscription to "secret": Not authorized`) {
		t.Errorf("VAIL is told %s", failed)
	}
}

func TestABrokerRefusesAPublish(t *testing.T) {
	broker := newTestBroker(t, new(secretive))
	handled := make(handlerHook, 1)
	_, source := start(t, mqttSource(broker.url, nil), withHook(handled))
	for qos := 1; qos <= 2; qos++ {
		if err := source.Publish(t.Context(), document{"topic": "secret", "payload": 1, "qos": qos}); err != nil {
			t.Fatal(err)
		}
		if err := <-handled; err == nil || !strings.HasPrefix(err.Error(), "the broker refuses the message: ") {
			t.Errorf("QoS %d: %v", qos, err)
		}
	}
}

func TestWebSockets(t *testing.T) {
	broker := newTestBroker(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	_ = listener.Close()
	if err := broker.server.AddListener(listeners.NewWebsocket(listeners.Config{ID: "ws", Address: address})); err != nil {
		t.Fatal(err)
	}
	broker.server.Listeners.Serve("ws", broker.server.EstablishConnection)
	_, source := start(t, mqttSource("ws://"+address+"/mqtt", nil, subscriptionsTo("x")))
	if err := source.Publish(t.Context(), document{"topic": "x", "payload": 1}); err != nil {
		t.Fatal(err)
	}
	say(t, numbers(t, source, 1), []int{1})
}

type syncBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.String()
}
