package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"syscall"
	"time"

	"github.com/eclipse/paho.golang/autopaho"
	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"
)

// clientConfig tells the library how to connect, and what to do with what it has to tell.
func (b *broker) clientConfig(ctx context.Context) (autopaho.ClientConfig, error) {
	s := b.settings
	address, err := s.address()
	if err != nil {
		return autopaho.ClientConfig{}, err
	}
	tlsConfig, err := s.tlsConfig()
	if err != nil {
		return autopaho.ClientConfig{}, err
	}
	receiveMaximum, packetSize := uint16(s.ReceiveMaximum), uint32(maxPacketSize)
	return autopaho.ClientConfig{
		ServerUrls:            []*url.URL{address},
		TlsCfg:                tlsConfig,
		ConnectUsername:       s.Username,
		ConnectPassword:       []byte(s.Password),
		KeepAlive:             uint16(s.KeepAlive / time.Second),
		SessionExpiryInterval: uint32(s.SessionExpiry / time.Second), // and never a clean start: what was not acknowledged comes again
		ReconnectBackoff:      b.pause,
		ConnectTimeout:        patience,
		ConnectPacketBuilder: func(p *paho.Connect, _ *url.URL) (*paho.Connect, error) {
			if p.Properties == nil {
				p.Properties = &paho.ConnectProperties{}
			}
			p.Properties.ReceiveMaximum, p.Properties.MaximumPacketSize = &receiveMaximum, &packetSize
			p.Properties.RequestProblemInfo = true
			return p, nil
		},
		OnConnectionUp:   b.connected,
		OnConnectionDown: b.disconnected,
		OnConnectError:   b.notConnected,
		ClientConfig: paho.ClientConfig{
			OnClientError: func(err error) {
				b.log.Warn("the connection to the broker is lost and will come back", "error", err)
			},
			OnServerDisconnect: func(d *paho.Disconnect) {
				reason := packets.Disconnect{ReasonCode: d.ReasonCode}
				b.log.Warn("the broker has ended the connection, which will come back", "reason", reason.Reason())
			},
			ClientID:                   s.ClientID,
			PacketTimeout:              publishPatience,
			Session:                    b.session,
			EnableManualAcknowledgment: true,
			SendAcksInterval:           ackInterval,
			OnPublishReceived: []func(paho.PublishReceived) (bool, error){
				func(p paho.PublishReceived) (bool, error) { b.receive(ctx, p); return true, nil },
			},
		},
	}, nil
}

// The library calls the following four on one goroutine.

func (b *broker) connected(_ *autopaho.ConnectionManager, reply *paho.Connack) {
	b.since = time.Now()
	b.log.Info("connected to the broker", "url", b.settings.URL, "remembered", reply.SessionPresent)
	b.trouble = ""
	select {
	case b.up <- struct{}{}:
	default:
	}
}

func (b *broker) disconnected() (again bool) {
	b.acknowledging.Lock()
	defer b.acknowledging.Unlock()
	b.losses.Add(1)
	return true
}

func (b *broker) notConnected(err error) {
	var refused *autopaho.ConnackError
	switch {
	case errors.As(err, &refused):
		reply := packets.Connack{ReasonCode: refused.ReasonCode}
		err = fmt.Errorf("the broker %s refuses the connection: %s %s", b.settings.URL, reply.Reason(), refused.Reason)
	case b.settings.encrypted() && b.settings.CertFile == "" && (errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)):
		err = fmt.Errorf("%w (if the broker asks for a certificate, which is then required: set certFile and keyFile)", err)
	}
	if b.trouble != err.Error() { // and not every few seconds for hours
		b.trouble = err.Error()
		b.log.Warn("the broker cannot be reached and will be tried again", "error", err)
	}
	if giveUp := b.impatience.Load(); giveUp != nil {
		(*giveUp)(err)
	}
}

var reconnectPause = autopaho.NewExponentialBackoff(100*time.Millisecond, 30*time.Second, time.Second, 2)

// pause returns how long to wait before an attempt to connect. The first follows a connection at once, unless that was short:
// when two connectors have the same clientId, each ends the other's.
func (b *broker) pause(attempt int) time.Duration {
	if attempt == 0 && time.Since(b.since) < time.Minute {
		attempt = 1
	}
	return reconnectPause(attempt)
}

// reach waits for a connection until the next attempt fails, and returns why.
func (b *broker) reach(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errors.New("the broker does not answer"))
	defer cancel()
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	b.impatience.Store(&giveUp)
	defer b.impatience.Store(nil)
	if err := b.connection.AwaitConnection(ctx); err != nil {
		return fmt.Errorf("there is no connection to the broker: %w", context.Cause(ctx))
	}
	return nil
}
