package main

import (
	"log/slog"
	"net"
	"sync"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/hooks/auth"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"
)

// echoTopic is where the embedded broker answers requests with their own payload, so that queries can be tried.
const echoTopic = "echo"

// embeddedReceiveMaximum is as many messages as the embedded broker keeps for a client: it does not send reliably what it
// had to hold back.
const embeddedReceiveMaximum = 8192

// An embeddedBroker serves the sources that name no broker, so that the connector can be tried without one. It keeps
// everything in memory, lets everybody in, and begins when it is first needed.
type embeddedBroker struct {
	address string
	log     *slog.Logger

	mu     sync.Mutex
	server *mqtt.Server
	url    string
}

// start returns the broker's URL.
func (e *embeddedBroker) start() (string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.server != nil {
		return e.url, nil
	}
	listener, err := net.Listen("tcp", e.address)
	if err != nil {
		return "", err
	}
	server := mqtt.New(&mqtt.Options{InlineClient: true, Logger: slog.New(slog.DiscardHandler)})
	for _, step := range []func() error{
		func() error { return server.AddHook(new(auth.AllowHook), nil) },
		func() error { return server.AddListener(listeners.NewNet("embedded", listener)) },
		func() error { return server.Subscribe(echoTopic, 1, echo(server)) },
		server.Serve,
	} {
		if err := step(); err != nil {
			_ = server.Close()
			return "", err
		}
	}
	e.server, e.url = server, "mqtt://"+listener.Addr().String()
	e.log.Warn("no broker is configured: an embedded one serves, which forgets everything when the connector ends", "url", e.url)
	return e.url, nil
}

func echo(server *mqtt.Server) mqtt.InlineSubFn {
	client := server.NewClient(nil, mqtt.LocalListener, "echo", true)
	return func(_ *mqtt.Client, _ packets.Subscription, request packets.Packet) {
		if request.Properties.ResponseTopic == "" {
			return
		}
		go func() { // not within the request's own delivery
			_ = server.InjectPacket(client, packets.Packet{
				FixedHeader: packets.FixedHeader{Type: packets.Publish},
				TopicName:   request.Properties.ResponseTopic,
				Payload:     request.Payload,
				Properties:  packets.Properties{CorrelationData: request.Properties.CorrelationData},
			})
		}()
	}
}

func (e *embeddedBroker) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.server != nil {
		_ = e.server.Close()
	}
}
