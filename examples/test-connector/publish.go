package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/vantiq-go/connectorsdk/connector"
)

func (t *testConnector) publish(ctx context.Context, c *connector.SourceConnection, _ *source, message connector.Document) error {
	do, err := verb(message)
	if err != nil {
		return err
	}
	switch do {
	case "echo":
		return c.SendNotification(ctx, message)
	case "slow":
		return publishSlow(ctx, c, message)
	case "burst":
		return t.publishBurst(c, message)
	case "raw":
		return publishRaw(ctx, c, message)
	case "healthy":
		return publishHealth(ctx, c, c.DeclareHealthy)
	case "unhealthy":
		return publishHealth(ctx, c, c.DeclareUnhealthy)
	case "panic":
		return panicAsTold(message)
	}
	return fmt.Errorf("a message cannot do %q: use echo, slow, burst, raw, healthy, unhealthy or panic", do)
}

// publishSlow echoes late. When the session ends first it does not wait any longer, but echoes all the same: the message
// has been taken, and sending does not depend on a link.
func publishSlow(ctx context.Context, c *connector.SourceConnection, message connector.Document) error {
	var slow struct {
		DelayMs int `json:"delayMs"`
	}
	if err := message.Decode(&slow); err != nil {
		return err
	}
	_ = sleep(ctx, slow.DelayMs)
	return c.SendNotification(ctx, message)
}

// A burst is many notifications.
type burst struct {
	ID      json.RawMessage `json:"id"`
	Count   int             `json:"count"`
	Size    int             `json:"size"`
	PauseMs int             `json:"pauseMs"`
}

// publishBurst starts a burst. It does not use SourceConnection.Go, whose context ends with the link: a burst is to go on
// across links, so that a tester can see that none of it gets lost.
func (t *testConnector) publishBurst(c *connector.SourceConnection, message connector.Document) error {
	var b burst
	if err := message.Decode(&b); err != nil {
		return err
	}
	b.ID = orNull(b.ID)
	go b.send(t.ctx, c)
	return nil
}

// send ends early when ctx ends. What was not sent then counts as failed.
func (b burst) send(ctx context.Context, c *connector.SourceConnection) {
	type part struct {
		Burst json.RawMessage `json:"burst"`
		Seq   int             `json:"seq"`
		Pad   string          `json:"pad"`
	}
	type end struct {
		Burst  json.RawMessage `json:"burst"`
		Done   int             `json:"done"`
		Errors int             `json:"errors"`
	}
	pad := padding(b.Size)
	sent := 0
	for i := 0; i < b.Count && ctx.Err() == nil; i++ {
		if i > 0 && sleep(ctx, b.PauseMs) != nil {
			break
		}
		if c.SendNotification(ctx, part{b.ID, i, pad}) == nil {
			sent++
		}
	}
	_ = c.SendNotification(ctx, end{b.ID, b.Count, max(b.Count, 0) - sent})
}

// padding is bounded, as no message may be that large in any case.
func padding(size int) string { return strings.Repeat("x", min(max(size, 0), 16<<20)) }

func publishRaw(ctx context.Context, c *connector.SourceConnection, message connector.Document) error {
	var raw struct {
		Value json.RawMessage `json:"value"`
	}
	if err := message.Decode(&raw); err != nil {
		return err
	}
	if err := c.SendNotification(ctx, orNull(raw.Value)); err != nil {
		return c.SendNotification(ctx, map[string]string{"refused": err.Error()})
	}
	return nil
}

func publishHealth(ctx context.Context, c *connector.SourceConnection, declare func() error) error {
	text := ""
	if err := declare(); err != nil {
		text = err.Error()
	}
	return c.SendNotification(ctx, map[string]string{"health": c.Health().String(), "error": text})
}

// panicAsTold panics. That it returns an error is for messages that do not say with what.
func panicAsTold(d connector.Document) error {
	text, err := textOf(d)
	if err != nil {
		return err
	}
	panic(text)
}

func textOf(d connector.Document) (string, error) {
	var steer struct {
		Text string `json:"text"`
	}
	if err := d.Decode(&steer); err != nil {
		return "", fmt.Errorf("the member text must be a text: %w", err)
	}
	return steer.Text, nil
}
