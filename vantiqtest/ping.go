package vantiqtest

import (
	"context"
	"fmt"
	"strconv"
	"sync"

	"github.com/gorilla/websocket"
)

// pings counts the pings that a link has sent. A pong answers all pings before it as well: a peer to which several have
// come need answer only the last.
type pings struct {
	mu       sync.Mutex
	sent     uint64
	answered uint64
	changes  signal // of answered
}

// Ping sends a ping, as Vantiq may at any time, and waits until the connector has answered it. It fails if the link or
// ctx ends first.
func (l *Link) Ping(ctx context.Context) error {
	l.pings.mu.Lock()
	l.pings.sent++
	n := l.pings.sent
	l.pings.mu.Unlock()
	l.writer.control(websocket.PingMessage, strconv.AppendUint(nil, n, 10))
	for {
		l.pings.mu.Lock()
		done, changed := l.pings.answered >= n, l.pings.changes.changed()
		l.pings.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-changed:
		case <-l.Done():
			return fmt.Errorf("vantiqtest: a ping was not answered: %w", errLinkEnded)
		case <-ctx.Done():
			return fmt.Errorf("vantiqtest: a ping was not answered: %w", ctx.Err())
		}
	}
}

// ponged takes a pong. One that answers no ping of this link means nothing.
func (p *pings) ponged(payload string) {
	n, err := strconv.ParseUint(payload, 10, 64)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil && n <= p.sent && n > p.answered {
		p.answered = n
		p.changes.wake()
	}
}
