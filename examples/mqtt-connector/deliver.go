package main

import (
	"context"
	"errors"

	"github.com/eclipse/paho.golang/paho"

	"github.com/vantiq-go/connectorsdk/connector"
)

// receive takes a message from the broker. It may wait only where the broker waits as well, for acknowledgements: the
// connection has pings to answer while Vantiq is away.
func (b *broker) receive(ctx context.Context, p paho.PublishReceived) {
	switch {
	case b.isResponse(p.Packet), !b.config.Load().subscribes(p.Packet.Topic): // the latter is left over from an earlier configuration
		b.acknowledge(p)
	case p.Packet.QoS == 0 && len(b.deliveries) >= b.settings.ReceiveMaximum: // the rest of the room is for those that are not to get lost
		b.sometimes.Do(func() {
			b.log.Warn("messages of QoS 0 are dropped: they come faster than Vantiq takes them", "topic", p.Packet.Topic)
		})
	default:
		select {
		case b.deliveries <- p:
		case <-ctx.Done(): // without an acknowledgement the broker keeps the message
		}
	}
}

// acknowledge tells the broker that it may forget a message. The library sends acknowledgements in the order of the messages,
// and none when the connection that brought this one is lost: then the broker sends it again.
//
// The library forgets what came before it had made itself ready, which can be many messages where the machine is busy
// (paho.golang v0.23.0 resets what it keeps of them after it has begun to read). They are acknowledged without it.
func (b *broker) acknowledge(p paho.PublishReceived) {
	if p.Packet.QoS == 0 || !errors.Is(p.Client.Ack(p.Packet), paho.ErrPacketNotFound) {
		return
	}
	b.acknowledging.Lock() // until then there is no next connection, to which this must not go
	defer b.acknowledging.Unlock()
	select {
	case <-p.Client.Done():
	default:
		_ = b.session.Ack(p.Packet.Packet()) // fails for a connection that is lost
	}
}

// maxEventBytes is how much payload messages that go into one event have together.
const maxEventBytes = 100_000

// forward sends to Vantiq what the broker delivers, until ctx ends.
func (b *broker) forward(ctx context.Context) {
	batches := connector.Batches[paho.PublishReceived]{
		Count: b.settings.MessagesPerEvent,
		Bytes: maxEventBytes,
		Delay: b.settings.MaxDelay,
		Size:  func(p paho.PublishReceived) int { return len(p.Packet.Payload) },
	}
	for batch := range batches.From(ctx, b.deliveries) {
		if !b.notify(ctx, batch) {
			return
		}
	}
}

// notify sends messages to Vantiq, and reports whether there is a point in sending more.
func (b *broker) notify(ctx context.Context, batch []paho.PublishReceived) bool {
	over := func(err error) bool { return ctx.Err() != nil || errors.Is(err, connector.ErrClosed) }
	receipt, err := b.source.SendWithReceipt(ctx, b.eventOf(batch, received))
	if err != nil && !over(err) {
		if len(batch) > 1 { // one of them cannot be sent, or all of them together: each by itself
			for i := range batch {
				if !b.notify(ctx, batch[i:i+1]) {
					return false
				}
			}
			return true
		}
		b.log.Error("a message does not fit into an event; Vantiq is told so instead",
			"topic", batch[0].Packet.Topic, "bytes", len(batch[0].Packet.Payload), "error", err)
		receipt, err = b.source.SendWithReceipt(ctx, b.eventOf(batch, unfit))
	}
	switch {
	case err == nil:
		for _, p := range batch {
			p.Packet.Payload = nil // the outbox has what Vantiq gets of it
		}
		b.work.Go(func() { b.passOn(receipt, batch) }) // waits beside all that the outbox holds, for only its room may stop what follows
	case over(err):
		return false
	default:
		b.log.Error("a message cannot be sent to Vantiq and is lost", "topic", batch[0].Packet.Topic, "error", err)
		b.acknowledge(batch[0]) // or nothing that follows it would ever come
	}
	return true
}

// passOn passes Vantiq's acknowledgement on to the broker. At the end it does not wait for it.
func (b *broker) passOn(receipt *connector.Receipt, batch []paho.PublishReceived) {
	select {
	case <-receipt.Done():
	case <-b.closing:
	}
	select {
	case <-receipt.Done():
	default:
		return
	}
	switch err := receipt.Err(); {
	case errors.Is(err, connector.ErrUndelivered):
		return
	case err != nil: // trying again would be refused again, and hold up all that follows
		b.log.Error("Vantiq did not take messages, which are lost", "topic", batch[0].Packet.Topic, "messages", len(batch), "error", err)
	}
	for _, p := range batch {
		b.acknowledge(p)
	}
}
