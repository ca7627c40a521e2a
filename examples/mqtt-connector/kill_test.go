package main

import (
	"context"
	"flag"
	"math/rand/v2"
	"net/url"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/autopaho"
	"github.com/eclipse/paho.golang/paho"

	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

var (
	kills    = flag.Int("kills", 10, "how often the connector is killed")
	drops    = flag.Int("drops", 10, "how often the link to Vantiq is cut")
	restarts = flag.Int("restarts", 4, "how often the broker is restarted, and as often the connector in good order")
)

// A steady load of numbers, while the connector is killed, its link to Vantiq is cut and the broker is restarted: each number
// arrives, and the first arrivals are in order.
func TestNothingIsLostWhateverIsKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program, and takes a while")
	}
	broker := newMosquitto(t, "allow_anonymous true")
	newPeer(t, broker.address).publish(&paho.Publish{Topic: "in", QoS: 1, Retain: true, Payload: []byte("0")})
	server := vantiqtest.NewServer()
	defer server.Close()
	source := server.Source("TestSource", mqttSource("mqtt://"+broker.address, nil, document{"subscriptions": []document{{"topic": "in"}}}))
	arrivals := &arrivals{t: t, changed: make(chan struct{})}
	source.HandleNotifications(arrivals.note)
	process := newProcess(t, server, "TestSource")
	sessions := 0 // before the process
	start := func() {
		sessions = source.Sessions()
		process.start()
	}
	start()
	arrivals.await(1) // the retained number: the connector has subscribed

	var all []string
	for fault, times := range map[string]int{"kill": *kills, "drop": *drops, "restart": *restarts, "leave": *restarts} {
		for range times {
			all = append(all, fault)
		}
	}
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	ctx, stop := context.WithCancel(t.Context())
	published := make(chan int)
	go func() { published <- publishNumbers(ctx, t, broker.address) }()
	began := time.Now()
	for _, fault := range all {
		arrivals.await(rand.IntN(200)) // while the load flows
		switch fault {
		case "kill":
			process.kill()
			start()
		case "leave":
			if err := source.WaitSession(t.Context(), sessions+1); err != nil { // or it does not know the signal yet
				t.Fatal(err)
			}
			if err := source.WaitConnected(t.Context()); err != nil { // or what is on its way counts as undelivered
				t.Fatal(err)
			}
			process.end() // which must not wait for the load to end
			start()
		case "drop":
			source.Drop(vantiqtest.RST)
		case "restart":
			broker.stop()
			broker.start()
		}
	}
	arrivals.await(200)
	stop()
	last := <-published
	arrivals.awaitNumber(last)
	t.Logf("%d kills, %d drops and %d restarts of each in %v: %d numbers, %d arrivals",
		*kills, *drops, *restarts, time.Since(began).Round(time.Second), last, arrivals.total)
	process.end()
}

// publishNumbers publishes 1, 2, 3, … until ctx ends, about a thousand each second, and returns the last one. Each is
// published again until the broker has acknowledged it.
func publishNumbers(ctx context.Context, t *testing.T, address string) (last int) {
	connection, err := autopaho.NewConnection(context.WithoutCancel(ctx), autopaho.ClientConfig{
		ServerUrls:            []*url.URL{{Scheme: "mqtt", Host: address}},
		KeepAlive:             30,
		SessionExpiryInterval: 3600,
		ReconnectBackoff:      autopaho.NewConstantBackoff(50 * time.Millisecond),
		ClientConfig:          paho.ClientConfig{ClientID: "numbers", PacketTimeout: 5 * time.Second},
	})
	if err != nil {
		t.Error(err)
		return 0
	}
	defer func() { _ = connection.Disconnect(context.WithoutCancel(ctx)) }()
	pace := time.NewTicker(time.Millisecond)
	defer pace.Stop()
	for n := 1; ctx.Err() == nil; n++ {
		for {
			if err := connection.AwaitConnection(context.WithoutCancel(ctx)); err != nil {
				t.Error(err)
				return last
			}
			_, err := connection.Publish(context.WithoutCancel(ctx), &paho.Publish{Topic: "in", QoS: 1, Payload: []byte(strconv.Itoa(n))})
			if err == nil {
				break
			}
			<-pace.C
		}
		last = n
		<-pace.C
	}
	return last
}

// Arrivals are the numbers that Vantiq got.
type arrivals struct {
	t *testing.T

	mu      sync.Mutex
	changed chan struct{} // closed and replaced with each arrival
	total   int
	newest  int // all from 1 to this one have arrived
}

func (a *arrivals) note(event protocol.Document) {
	var m struct{ Payload int }
	if err := event.Decode(&m); err != nil {
		a.t.Errorf("%v: %v", event, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.total++
	switch {
	case m.Payload == a.newest+1:
		a.newest++
	case m.Payload > a.newest:
		a.t.Errorf("%d came after %d", m.Payload, a.newest)
		a.newest = m.Payload
	}
	close(a.changed)
	a.changed = make(chan struct{})
}

// await waits for so many more arrivals.
func (a *arrivals) await(n int) {
	a.t.Helper()
	a.mu.Lock()
	target := a.total + n
	a.mu.Unlock()
	a.wait(func() bool { return a.total >= target })
}

func (a *arrivals) awaitNumber(n int) {
	a.t.Helper()
	a.wait(func() bool { return a.newest >= n })
}

func (a *arrivals) wait(reached func() bool) {
	a.t.Helper()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	for {
		a.mu.Lock()
		done, changed := reached(), a.changed
		total, newest := a.total, a.newest
		a.mu.Unlock()
		if done {
			return
		}
		select {
		case <-changed:
		case <-deadline.C:
			a.t.Fatalf("nothing more comes after %d arrivals and the number %d", total, newest)
		}
	}
}
