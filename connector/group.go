package connector

import (
	"context"
	"sync"
	"sync/atomic"

	"golang.org/x/time/rate"
)

// A Group is shared by the source connections of one process. It paces their dials, so that ten thousand sources do not
// fall upon a server that has just come back, and bounds the memory they hold together. Its zero value is not usable.
type Group struct {
	first      *rate.Limiter // of the first dial of each source, as long as none has failed
	dials      *rate.Limiter // of all others
	failed     atomic.Bool   // a dial has
	handshakes chan struct{} // holds a token for each handshake under way

	outgoing budget // of all outboxes
	incoming budget // of messages not yet handled and answers not yet sent

	workers workers

	rows    sync.Pool // of *[]byte: messages full of rows
	buffers sync.Map  // of *sync.Pool by size: gorilla's write buffers, held only while something is written
}

const (
	minDialRate   = 200  // dials a second that any group may start
	minFirstRate  = 1000 // the same of first dials
	maxHandshakes = 256
	groupBytes    = 256 << 20 // of each budget
)

// NewGroup returns a Group for so many sources: it starts at most max(200, sources/5) dials a second. While each source dials
// for the first time and no dial has failed, it is max(1000, sources/2): a server that is there need not be spared. It has at
// most 256 handshakes under way, 256 MiB of notifications in memory outboxes, and 256 MiB of other messages.
func NewGroup(sources int) *Group {
	return &Group{
		first:      pace(max(minFirstRate, sources/2)),
		dials:      pace(max(minDialRate, sources/5)),
		handshakes: make(chan struct{}, maxHandshakes),
		rows:       sync.Pool{New: func() any { return new([]byte) }},
		outgoing:   budget{limit: groupBytes},
		incoming:   budget{limit: groupBytes},
	}
}

// pace lets no more than so many through in any second: a tenth at once, so that a small process need not wait.
func pace(perSecond int) *rate.Limiter {
	burst := perSecond / 10
	return rate.NewLimiter(rate.Limit(perSecond-burst), burst)
}

// startHandshake waits for a turn to dial. Unless it returns an error, done must be called after the handshake.
func (g *Group) startHandshake(ctx context.Context, first bool) (done func(), err error) {
	select {
	case g.handshakes <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	done = func() { <-g.handshakes }
	dials := g.dials
	if first && !g.failed.Load() {
		dials = g.first
	}
	if err := dials.Wait(ctx); err != nil {
		done()
		return nil, err
	}
	return done, nil
}

func (g *Group) writeBuffers(size int) *sync.Pool {
	pool, _ := g.buffers.LoadOrStore(size, &sync.Pool{})
	return pool.(*sync.Pool)
}

// A budget counts bytes held in memory by all sources of a group.
type budget struct {
	limit int64
	held  atomic.Int64
}

// full reports whether n more bytes would be too many. Racing callers may overshoot by a message each.
func (b *budget) full(n int) bool { return b.held.Load()+int64(n) > b.limit }

// used returns the share of the budget that is held.
func (b *budget) used() float64 { return float64(b.held.Load()) / float64(b.limit) }

func (b *budget) add(n int) { b.held.Add(int64(n)) }
