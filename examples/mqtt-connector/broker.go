package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/eclipse/paho.golang/autopaho"
	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"
	"github.com/eclipse/paho.golang/paho/session"
	"github.com/eclipse/paho.golang/paho/session/state"
	"golang.org/x/time/rate"

	"github.com/vantiq-go/connectorsdk/connector"
)

const (
	patience        = 10 * time.Second      // for an attempt to connect, and for subscriptions
	publishPatience = 30 * time.Second      // for a broker that is away, and for its acknowledgement
	ackInterval     = 10 * time.Millisecond // the library sends acknowledgements this often
	maxPacketSize   = 1 << 20               // the broker drops larger messages; receiveMaximum of them may be held here
)

// A broker is the connection of one source to its broker. It outlives the source's sessions, and comes back by itself.
type broker struct {
	settings   brokerSettings
	config     atomic.Pointer[mqttConfig] // the current one
	source     *connector.SourceConnection
	log        *slog.Logger
	connection *autopaho.ConnectionManager
	waiting    sync.Map // correlation data of requests, with the channels for their responses

	session       *state.State // what the library knows beyond a connection
	acknowledging sync.Mutex   // held while an acknowledgement must not meet another connection

	deliveries chan paho.PublishReceived // from the broker
	sometimes  rate.Sometimes            // for what is logged about deliveries

	up         chan struct{} // holds a token when there is a new connection
	losses     atomic.Int64  // of connections
	since      time.Time     // of the connection; this and trouble are for the library's goroutine only
	trouble    string        // what the last attempt to connect failed with
	impatience atomic.Pointer[context.CancelCauseFunc]

	asking      chan struct{}                    // holds a token while the broker is asked for subscriptions
	agreed      map[string]paho.SubscribeOptions // what it has agreed to on this connection
	agreedAfter int64                            // the losses before it

	stop    context.CancelFunc // of the goroutines
	closing chan struct{}
	work    sync.WaitGroup
}

// openBroker begins to connect. Forwarding to Vantiq ends with ctx, the connection with close.
func openBroker(ctx context.Context, c mqttConfig, source *connector.SourceConnection, log *slog.Logger) (*broker, error) {
	b := &broker{
		settings:   c.General,
		source:     source,
		log:        log,
		session:    state.NewInMemory(),
		deliveries: make(chan paho.PublishReceived, 2*c.General.ReceiveMaximum),
		sometimes:  rate.Sometimes{Interval: time.Minute},
		up:         make(chan struct{}, 1),
		asking:     make(chan struct{}, 1),
		closing:    make(chan struct{}),
	}
	b.config.Store(&c)
	ctx, b.stop = context.WithCancel(ctx)
	clientConfig, err := b.clientConfig(ctx)
	if err == nil {
		b.connection, err = autopaho.NewConnection(context.WithoutCancel(ctx), clientConfig)
	}
	if err != nil {
		b.stop()
		return nil, err
	}
	b.work.Go(func() { b.forward(ctx) })
	b.work.Go(func() { b.keepSubscribed(ctx) })
	return b, nil
}

// publish publishes a message, and waits until the broker has it. While the broker is away it waits for that.
func (b *broker) publish(ctx context.Context, p *paho.Publish) (*paho.PublishResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, publishPatience)
	defer cancel()
	for {
		if err := b.connection.AwaitConnection(ctx); err != nil {
			return nil, fmt.Errorf("there is no connection to the broker: %w", err)
		}
		reply, err := b.connection.Publish(ctx, p)
		switch {
		case errors.Is(err, autopaho.ConnectionDownError) || errors.Is(err, session.ErrNoConnection):
			sleep(ctx, ackInterval) // until the library, too, knows that the connection is lost
		case reply != nil && reply.ReasonCode >= 0x80:
			refused := packets.Puback{ReasonCode: reply.ReasonCode}
			return nil, fmt.Errorf("the broker refuses the message: %s", refused.Reason())
		case err != nil:
			return nil, fmt.Errorf("the broker has not confirmed the message, which may arrive all the same: %w", err)
		default:
			return reply, nil
		}
	}
}

// close ends the connection. The broker remembers the source, and keeps what has no acknowledgement.
func (b *broker) close() {
	b.stop()
	close(b.closing)
	b.work.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	sleep(ctx, 5*ackInterval) // the library sends the last acknowledgements
	_ = b.connection.Disconnect(ctx)
	_ = b.session.Close()
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
