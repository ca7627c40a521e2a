package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	"go.uber.org/goleak"

	"github.com/vantiq-go/connectorsdk/connectorset"
	"github.com/vantiq-go/connectorsdk/connectortest"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type document = map[string]any

// A testBroker is a broker in this process that tells what the connector says to it.
type testBroker struct {
	mqtt.HookBase
	t      *testing.T
	server *mqtt.Server
	url    string

	mu      sync.Mutex
	changed chan struct{} // closed and replaced when something is said
	said    []string      // by the connector, like "SUBSCRIBE a/#"
}

func newTestBroker(t *testing.T, hooks ...mqtt.Hook) *testBroker {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &testBroker{t: t, url: "mqtt://" + listener.Addr().String(), changed: make(chan struct{})}
	b.server = mqtt.New(&mqtt.Options{InlineClient: true, Logger: slog.New(slog.DiscardHandler)})
	if hooks == nil {
		hooks = []mqtt.Hook{new(auth.AllowHook)}
	}
	for _, hook := range append(hooks, b) {
		if err := b.server.AddHook(hook, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.server.AddListener(listeners.NewNet("test", listener)); err != nil {
		t.Fatal(err)
	}
	if err := b.server.Serve(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.server.Close() })
	return b
}

// connectorID is the client identifier of the connector in tests.
const connectorID = "vantiq-TestSource"

func (b *testBroker) ID() string { return "test" }

func (b *testBroker) Provides(hook byte) bool { return hook == mqtt.OnPacketRead }

func (b *testBroker) OnPacketRead(client *mqtt.Client, p packets.Packet) (packets.Packet, error) {
	if client.ID != connectorID && p.Connect.ClientIdentifier != connectorID {
		return p, nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch p.FixedHeader.Type {
	case packets.Subscribe:
		for _, filter := range p.Filters {
			b.said = append(b.said, "SUBSCRIBE "+filter.Filter)
		}
	case packets.Unsubscribe:
		for _, filter := range p.Filters {
			b.said = append(b.said, "UNSUBSCRIBE "+filter.Filter)
		}
	default:
		b.said = append(b.said, strings.ToUpper(packets.PacketNames[p.FixedHeader.Type]))
	}
	close(b.changed)
	b.changed = make(chan struct{})
	return p, nil
}

// count returns how often the connector has said something.
func (b *testBroker) count(what string) (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, said := range b.said {
		if said == what {
			n++
		}
	}
	return n
}

// await waits until the connector has said something so many times.
func (b *testBroker) await(what string, n int) {
	b.t.Helper()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	for {
		b.mu.Lock()
		changed := b.changed
		b.mu.Unlock()
		if b.count(what) >= n {
			return
		}
		select {
		case <-changed:
		case <-deadline.C:
			b.mu.Lock()
			defer b.mu.Unlock()
			b.t.Fatalf("%d × %s did not come; there were %q", n, what, b.said)
		}
	}
}

// settle waits until whatever the connector is about to say has been said: for its next ping, which comes within keepAlive,
// while acknowledgements leave every 10 ms.
func (b *testBroker) settle() {
	b.t.Helper()
	b.await("PINGREQ", b.count("PINGREQ")+1)
}

// cut breaks the connector's connection.
func (b *testBroker) cut() {
	b.t.Helper()
	client, ok := b.server.Clients.Get(connectorID)
	if !ok {
		b.t.Fatal("the connector is not connected to the broker")
	}
	client.Stop(errors.New("cut by the test"))
}

// A peer is another client of the broker: a device.
type peer struct {
	t *testing.T
	*paho.Client
	received chan *paho.Publish
}

func newPeer(t *testing.T, url string, filters ...string) *peer {
	t.Helper()
	connection, err := net.Dial("tcp", strings.TrimPrefix(url, "mqtt://"))
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{t: t, received: make(chan *paho.Publish, 1000)}
	p.Client = paho.NewClient(paho.ClientConfig{Conn: connection, OnPublishReceived: []func(paho.PublishReceived) (bool, error){
		func(m paho.PublishReceived) (bool, error) {
			p.received <- m.Packet
			return true, nil
		},
	}})
	if _, err := p.Connect(t.Context(), &paho.Connect{ClientID: t.Name() + "-peer", CleanStart: true, KeepAlive: 30}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Disconnect(&paho.Disconnect{}) })
	for _, filter := range filters {
		subscribe := &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{{Topic: filter, QoS: 2, RetainAsPublished: true}}}
		if _, err := p.Subscribe(t.Context(), subscribe); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func (p *peer) publish(m *paho.Publish) {
	p.t.Helper()
	if _, err := p.Publish(p.t.Context(), m); err != nil {
		p.t.Fatal(err)
	}
}

func (p *peer) next() *paho.Publish {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 20*time.Second)
	defer cancel()
	select {
	case m := <-p.received:
		return m
	case <-ctx.Done():
		p.t.Fatal("nothing was published")
		return nil
	}
}

// mqttSource is a source configuration for the broker at url.
func mqttSource(url string, general document, rest ...document) document {
	all := document{"url": url, "keepAlive": "30s"}
	for key, value := range general {
		all[key] = value
	}
	config := document{"general": all}
	for _, more := range rest {
		for key, value := range more {
			config[key] = value
		}
	}
	return document{"mqttConfig": config}
}

func subscriptionsTo(filters ...string) document {
	var all []document
	for _, filter := range filters {
		all = append(all, document{"topic": filter, "qos": 2})
	}
	return document{"subscriptions": all}
}

// start runs the connector for one source, TestSource.
func start(t *testing.T, config document, opts ...connectortest.Option) (*connectortest.Running, *vantiqtest.Source) {
	t.Helper()
	return startLogging(t, t.Output(), config, opts...)
}

// startLogging does so with a log that the test can read.
func startLogging(t *testing.T, out io.Writer, config document, opts ...connectortest.Option) (*connectortest.Running, *vantiqtest.Source) {
	t.Helper()
	log := slog.New(slog.NewTextHandler(out, nil))
	embedded := &embeddedBroker{address: "127.0.0.1:0", log: log}
	t.Cleanup(embedded.close)
	s := newSource(t.Context(), embedded, log)
	t.Cleanup(s.close)
	running := connectortest.Start(t, s.handlers(), append(opts, connectortest.WithSource("TestSource", config))...)
	return running, running.Source("TestSource")
}

// next returns the next event of a source.
func next(t *testing.T, source *vantiqtest.Source) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	event, err := source.Notification(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return event.String()
}

// numbers returns the payloads, which are numbers, of so many events.
func numbers(t *testing.T, source *vantiqtest.Source, n int) (all []int) {
	t.Helper()
	for range n {
		var event struct{ Payload int }
		if err := json.Unmarshal([]byte(next(t, source)), &event); err != nil {
			t.Fatal(err)
		}
		all = append(all, event.Payload)
	}
	return all
}

func say(t *testing.T, got, want any) {
	t.Helper()
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		t.Errorf("got  %s\nwant %s", g, w)
	}
}

// A handlerHook tells how the connector's handlers ended.
type handlerHook chan error

func (h handlerHook) OnHandled(_, handler string, _ time.Duration, err error) {
	if handler == "publish" {
		h <- err
	}
}

func withHook(hook handlerHook) connectortest.Option {
	return connectortest.WithConfig(func(c *connectorset.Config) { c.Hooks = append(c.Hooks, hook) })
}
