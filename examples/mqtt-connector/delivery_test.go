package main

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/paho"

	"github.com/vantiq-go/connectorsdk/connectorset"
	"github.com/vantiq-go/connectorsdk/connectortest"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// count publishes the numbers from one to another to the topic "in".
func (p *peer) count(qos byte, from, to int) {
	p.t.Helper()
	for n := from; n <= to; n++ {
		p.publish(&paho.Publish{Topic: "in", QoS: qos, Payload: []byte(strconv.Itoa(n))})
	}
}

func TestAMessageIsAcknowledgedWhenVantiqHasAcknowledgedIt(t *testing.T) {
	for qos, acknowledgement := range map[byte]string{1: "PUBACK", 2: "PUBREC"} {
		t.Run(acknowledgement, func(t *testing.T) {
			broker := newTestBroker(t)
			_, source := start(t, mqttSource(broker.url, document{"keepAlive": "2s"}, subscriptionsTo("in")))
			source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
			device := newPeer(t, broker.url)
			device.count(qos, 1, 3)
			say(t, numbers(t, source, 3), []int{1, 2, 3})
			broker.settle()
			say(t, broker.count(acknowledgement), 0)
			source.ReleaseAcknowledgements(2)
			broker.await(acknowledgement, 2)
			broker.settle()
			say(t, broker.count(acknowledgement), 2)
			source.ReleaseAcknowledgements(1)
			broker.await(acknowledgement, 3)
		})
	}
}

// What is acknowledged when the broker's connection has been replaced belongs to the old one. On the new one it would
// acknowledge a message for the second time, or another one.
func TestAnAcknowledgementDoesNotCrossToTheNextConnection(t *testing.T) {
	broker := newTestBroker(t)
	_, source := start(t, mqttSource(broker.url, document{"keepAlive": "2s"}, subscriptionsTo("in")))
	source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
	device := newPeer(t, broker.url)
	device.count(1, 1, 1)
	say(t, numbers(t, source, 1), []int{1})
	broker.cut()
	broker.await("CONNECT", 2)
	say(t, numbers(t, source, 1), []int{1}) // again
	source.ReleaseAcknowledgements(1)       // of the first
	device.count(1, 2, 2)
	say(t, numbers(t, source, 1), []int{2})
	broker.settle()
	say(t, broker.count("PUBACK"), 0)
	source.ReleaseAcknowledgements(-1)
	broker.await("PUBACK", 2)
	broker.settle()
	say(t, broker.count("PUBACK"), 2)
}

func TestALossOfVantiqDoesNotTouchTheBroker(t *testing.T) {
	broker := newTestBroker(t)
	running, source := start(t, mqttSource(broker.url, nil, subscriptionsTo("in")))
	device := newPeer(t, broker.url)
	for n := 1; n <= 3; n++ {
		source.Drop(vantiqtest.RST)
		device.count(1, n, n)
		if err := source.WaitSession(t.Context(), n+1); err != nil {
			t.Fatal(err)
		}
		say(t, numbers(t, source, 1), []int{n})
		if err := running.Connection("TestSource").Flush(t.Context()); err != nil { // or it may come again
			t.Fatal(err)
		}
	}
	broker.await("PUBACK", 3)
	say(t, []int{broker.count("CONNECT"), broker.count("SUBSCRIBE in")}, []int{1, 1})
}

// While Vantiq takes nothing, messages of QoS 0 are dropped, those of QoS 1 stay with the broker, and the connection goes on
// answering.
func TestMessagesWithoutAnAssuranceAreDroppedWhenVantiqIsAway(t *testing.T) {
	broker := newTestBroker(t)
	small := connectortest.WithConfig(func(c *connectorset.Config) { c.OutboxMessages = 5 })
	dropping := make(told, 1000)
	_, source := startLogging(t, dropping, mqttSource(broker.url, document{"receiveMaximum": 10}, subscriptionsTo("in", "late")), small)
	source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
	device := newPeer(t, broker.url)
	device.count(0, 1, 1000)
	device.publish(&paho.Publish{Topic: "late", QoS: 1, Payload: []byte("0")})
	dropping.await(t, "messages of QoS 0 are dropped")
	source.SetAcknowledgements(vantiqtest.Acknowledgements{})
	last, arrived := 0, 0
	for {
		n := numbers(t, source, 1)[0]
		if n == 0 {
			break
		}
		if n <= last {
			t.Errorf("%d after %d", n, last)
		}
		last = n
		arrived++
	}
	broker.await("PUBACK", 1)
	if broker.count("CONNECT") != 1 || arrived == 1000 {
		t.Errorf("%d connections, %d messages arrived", broker.count("CONNECT"), arrived)
	}
}

// told is a log whose lines a test waits for.
type told chan string

func (l told) Write(line []byte) (int, error) {
	select {
	case l <- string(line):
	default: // nobody waits for so many
	}
	return len(line), nil
}

func (l told) await(t *testing.T, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		select {
		case line := <-l:
			if strings.Contains(line, text) {
				return
			}
		case <-ctx.Done():
			t.Fatalf("the log did not say %q", text)
		}
	}
}

func TestMessagesShareAnEvent(t *testing.T) {
	broker := newTestBroker(t)
	_, source := start(t, mqttSource(broker.url, document{"messagesPerEvent": 3, "maxDelay": "50ms", "keepAlive": "2s"}, subscriptionsTo("in")))
	device := newPeer(t, broker.url)
	source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
	device.count(1, 1, 4)
	large := bytes.Repeat([]byte("x"), 300_000) // fits into no event
	device.publish(&paho.Publish{Topic: "in", QoS: 1, Payload: large})
	device.publish(&paho.Publish{Topic: "in", QoS: 1, Payload: []byte("6")})

	var got []string
	events := 0
	for len(got) < 6 {
		event, err := source.Notification(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var e messages
		if err := event.Decode(&e); err != nil || len(e.Messages) == 0 || len(e.Messages) > 3 {
			t.Fatalf("event %v (%v)", event, err)
		}
		for _, m := range e.Messages {
			if m.Error != "" {
				m.Payload = []byte("too large")
			}
			got = append(got, string(m.Payload))
		}
		events++
	}
	say(t, got, []string{"1", "2", "3", "4", "too large", "6"})
	if events > 4 {
		t.Errorf("%d events", events)
	}
	broker.settle()
	say(t, broker.count("PUBACK"), 0)
	source.ReleaseAcknowledgements(1)
	broker.await("PUBACK", 3)
	source.ReleaseAcknowledgements(-1)
	broker.await("PUBACK", 6)
}

// What Vantiq refuses would be refused again, and hold up all that follows.
func TestAMessageThatVantiqRefusesIsNotTriedAgain(t *testing.T) {
	broker := newTestBroker(t)
	_, source := start(t, mqttSource(broker.url, nil, subscriptionsTo("in")))
	source.Inject(vantiqtest.Fault{Op: "notification", Answer: `{"status":400,"body":[{"code":"no","message":"not this one"}]}`})
	device := newPeer(t, broker.url)
	device.count(1, 1, 2)
	say(t, numbers(t, source, 1), []int{2})
	broker.await("PUBACK", 2)
}

func TestAConnectorThatEndsLeavesNothingAcknowledgedBehind(t *testing.T) {
	broker := newTestBroker(t)
	config := mqttSource(broker.url, nil, subscriptionsTo("in"))
	device := newPeer(t, broker.url)
	t.Run("first", func(t *testing.T) {
		_, source := start(t, config)
		device.count(1, 1, 5)
		say(t, numbers(t, source, 5), []int{1, 2, 3, 4, 5})
	})
	broker.await("PUBACK", 5)
	device.count(1, 6, 6)
	_, source := start(t, config)
	say(t, numbers(t, source, 1), []int{6})
}

// Two connectors with the same clientId take the connection from each other, and neither may do so all the time.
func TestAConnectionThatIsTakenAwayComesBackSlowly(t *testing.T) {
	broker := newTestBroker(t)
	config := mqttSource(broker.url, document{"clientId": connectorID})
	start(t, config)
	began := time.Now()
	start(t, config)
	broker.await("CONNECT", 6)
	if took := time.Since(began); took < 400*time.Millisecond {
		t.Errorf("4 reconnects in %v", took)
	}
}

// While one subscription waits for its answer, another of a session that has ended gives up: the next session begins only
// then, and its acknowledgements may be what the broker waits for.
func TestASessionThatHasEndedDoesNotWaitForASubscription(t *testing.T) {
	b := &broker{asking: make(chan struct{}, 1)}
	b.asking <- struct{}{}
	ctx, end := context.WithCancel(t.Context())
	subscribed := make(chan error)
	go func() { subscribed <- b.subscribe(ctx) }()
	end()
	select {
	case err := <-subscribed:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(patience / 2):
		t.Fatal("it waits")
	}
}

// A message that is too large for an event leaves no more behind than what Vantiq is told instead.
func TestMessagesThatWaitForVantiqAreHeldOnce(t *testing.T) {
	broker := newTestBroker(t)
	running, source := start(t, mqttSource(broker.url, nil, subscriptionsTo("in")))
	source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
	device := newPeer(t, broker.url)
	connection := running.Connection("TestSource")
	const messages, size = 40, 512 << 10
	before := heap()
	for n := range uint64(messages) {
		device.publish(&paho.Publish{Topic: "in", QoS: 0, Payload: bytes.Repeat([]byte("x"), size)})
		for connection.Stats().Accepted <= n {
			runtime.Gosched()
		}
	}
	if grown := heap() - before; grown > messages*size/2 {
		t.Errorf("%d messages of %d bytes, which became events of a few, hold %d bytes", messages, size, grown)
	}
	source.SetAcknowledgements(vantiqtest.Acknowledgements{})
}

// heap returns how many bytes are in use.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // for what pools hold
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
