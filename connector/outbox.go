package connector

import (
	"encoding/json"
	"sync"
)

// An Outbox is where notifications wait from the moment SendNotification accepts them until Vantiq has acknowledged
// them. One Outbox may serve all sources of a process. The default keeps them in memory; the module boltoutbox has one
// in a file. Whoever makes an Outbox closes it, after Run has returned. Experimental: this interface may change before v1.
type Outbox interface {
	// Open returns the queue of a source, with what was left in it. It is called by New, and again for the same source
	// only after the queue was closed.
	Open(source string) (OutboxQueue, error)
}

// An OutboxQueue holds the notifications of one source in their order. Its methods are called from several goroutines.
// Only Append may take its time: the others are called while the source connection waits.
type OutboxQueue interface {
	// Append stores event behind all others and returns its sequence number, 1 or more, and larger than any before it.
	// When it returns, the notification counts as accepted. It is called concurrently: nothing may be read, and no Append
	// may return, before everything with a smaller number can be read. The event is not written to afterwards. An error
	// goes to the caller of SendNotification, and the number is then ignored.
	Append(event json.RawMessage) (seq uint64, err error)
	// Read fills entries with the oldest notifications behind seq after, or with the oldest of all if that is 0: as many as
	// fit and are no more than maxBytes together, but at least one if there is one. It returns how many. They stay valid
	// as long as somebody holds them. An error ends the link.
	Read(after uint64, entries []OutboxEntry, maxBytes int) (n int, err error)
	// Remove forgets the notifications up to seq through; Read never returns them again. What a later process still finds of
	// them is sent again. An error is logged.
	Remove(through uint64) error
	// Left returns what an earlier process, or an earlier connection, left: how many notifications, their bytes, and the
	// newest of their numbers. It is called once, before everything else.
	Left() (messages, bytes int, newest uint64)
	// Durable reports whether what is held survives the end of the process: then it needs no memory of the [Group], and
	// what is left at the end is no [ErrUndelivered].
	Durable() bool
	// Close is called once, by the source connection. An Append may still be running then; one that comes later fails.
	Close() error
}

// An OutboxEntry is a notification in an outbox.
type OutboxEntry struct {
	Seq   uint64
	Event json.RawMessage
}

// memoryOutbox is the default Outbox.
type memoryOutbox struct{}

func (memoryOutbox) Open(string) (OutboxQueue, error) { return &memoryQueue{}, nil }

// memoryQueue numbers its entries without gaps, so that a sequence number is a position.
type memoryQueue struct {
	mu      sync.Mutex
	events  deque[json.RawMessage]
	removed uint64 // seq of the last entry that is gone
}

func (q *memoryQueue) Append(event json.RawMessage) (uint64, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.events.pushBack(event)
	return q.removed + uint64(q.events.len()), nil
}

func (q *memoryQueue) Read(after uint64, entries []OutboxEntry, maxBytes int) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	skip := 0
	if after > q.removed {
		skip = int(after - q.removed)
	}
	n, bytes := 0, 0
	for n < len(entries) && skip+n < q.events.len() {
		event := *q.events.at(skip + n)
		if bytes += len(event); bytes > maxBytes && n > 0 {
			break
		}
		entries[n] = OutboxEntry{q.removed + uint64(skip+n) + 1, event}
		n++
	}
	return n, nil
}

func (q *memoryQueue) Remove(through uint64) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.removed < through && q.events.len() > 0 {
		q.events.popFront()
		q.removed++
	}
	return nil
}

func (q *memoryQueue) Left() (messages, bytes int, newest uint64) { return 0, 0, 0 }

func (q *memoryQueue) Durable() bool { return false }

func (q *memoryQueue) Close() error { return nil }
