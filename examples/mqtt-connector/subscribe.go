package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"
)

const subscribeAgain = 10 * time.Second // after the broker has refused

// subscribes reports whether the messages of a topic are wanted.
func (c mqttConfig) subscribes(topic string) bool {
	for _, s := range c.Subscriptions {
		if matches(s.Topic, topic) {
			return true
		}
	}
	return false
}

// wanted returns what the broker is to be asked for, by topic filter. When it has been asked for it before, stored messages
// are to come only if it has forgotten that.
func (c mqttConfig) wanted(before bool) map[string]paho.SubscribeOptions {
	all := map[string]paho.SubscribeOptions{}
	for _, s := range c.Subscriptions {
		handling := retainHandlings[s.RetainHandling]
		if before && s.RetainHandling == "always" {
			handling = retainHandlings["new"]
		}
		all[s.Topic] = paho.SubscribeOptions{
			Topic:             s.Topic,
			QoS:               byte(s.QoS),
			NoLocal:           s.NoLocal,
			RetainAsPublished: s.RetainAsPublished,
			RetainHandling:    handling,
		}
	}
	if c.ResponseTopic != "" { // with QoS 0: a response that is late, or lost with the connection, is of no use
		all[c.ResponseTopic] = paho.SubscribeOptions{Topic: c.ResponseTopic, RetainHandling: retainHandlings["never"]}
	}
	return all
}

// subscribe asks the broker for the subscriptions that it has not agreed to on this connection, and for the end of those that
// are not wanted any more. It returns an error that names what the broker refuses.
func (b *broker) subscribe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case b.asking <- struct{}{}:
		defer func() { <-b.asking }()
	case <-ctx.Done(): // a session that has ended must not wait: the next one begins after it
		return context.Cause(ctx)
	}
	if losses := b.losses.Load(); b.agreed == nil || losses != b.agreedAfter {
		b.agreed, b.agreedAfter = map[string]paho.SubscribeOptions{}, losses
	}
	want := b.config.Load().wanted(b.agreedAfter > 0)
	unsubscribe := &paho.Unsubscribe{}
	for filter := range b.agreed {
		if _, wanted := want[filter]; !wanted {
			unsubscribe.Topics = append(unsubscribe.Topics, filter)
		}
	}
	if len(unsubscribe.Topics) > 0 {
		if _, err := b.connection.Unsubscribe(ctx, unsubscribe); err != nil {
			return fmt.Errorf("unsubscribing from %q: %w", unsubscribe.Topics, err)
		}
		for _, filter := range unsubscribe.Topics {
			delete(b.agreed, filter)
		}
	}
	subscribe := &paho.Subscribe{}
	for filter, option := range want {
		if b.agreed[filter] != option {
			subscribe.Subscriptions = append(subscribe.Subscriptions, option)
		}
	}
	if len(subscribe.Subscriptions) == 0 {
		return nil
	}
	reply, err := b.connection.Subscribe(ctx, subscribe)
	if reply == nil || len(reply.Reasons) != len(subscribe.Subscriptions) {
		return fmt.Errorf("subscribing: %w", err)
	}
	var refused []error
	for i, option := range subscribe.Subscriptions {
		switch reason := reply.Reasons[i]; {
		case reason >= 0x80:
			refusal := packets.Suback{Reasons: reply.Reasons}
			refused = append(refused, fmt.Errorf("the broker refuses the subscription to %q: %s", option.Topic, refusal.Reason(i)))
			continue
		case reason < option.QoS:
			b.log.Warn("the broker grants less than what is subscribed to", "topic", option.Topic, "qos", option.QoS, "granted", reason)
		}
		b.agreed[option.Topic] = option
	}
	return errors.Join(refused...)
}

// keepSubscribed subscribes on each new connection, until ctx ends.
func (b *broker) keepSubscribed(ctx context.Context) {
	var again <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.up:
		case <-again:
		}
		again = nil
		if err := b.subscribe(ctx); err != nil && ctx.Err() == nil {
			b.log.Warn("the broker does not have all subscriptions and will be asked again", "error", err)
			again = time.After(subscribeAgain)
		}
	}
}
