package boltoutbox

import (
	"bytes"
	"encoding/json"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"github.com/vantiq-go/connectorsdk/connector"
)

// queue is the part of an outbox that belongs to one source.
type queue struct {
	outbox *Outbox
	source string
	prefix []byte   // of its keys
	left   struct { // by an earlier process
		messages, bytes int
		newest          uint64
	}

	// Guarded by outbox.mu.
	open      bool   // one that was closed stores nothing more
	last      *batch // that a notification of it is in, or nil
	delivered uint64 // up to here, notifications are to be removed
}

func newQueue(outbox *Outbox, source string) *queue {
	return &queue{outbox: outbox, source: source, prefix: keyPrefix(source)}
}

// load counts what is left, by an earlier process or an earlier connection of this one: all before that was delivered.
func (q *queue) load(newest uint64) error {
	q.left.messages, q.left.bytes, q.left.newest = 0, 0, 0
	delivered := newest
	err := q.each(q.delivered, func(s stored) bool {
		delivered = min(delivered, s.seq-1)
		q.left.messages++
		q.left.bytes += len(s.event)
		q.left.newest = s.seq
		return true
	})
	q.delivered = delivered
	return err
}

// each calls use with the notifications behind seq after, as long as it returns true. The event belongs to the file.
func (q *queue) each(after uint64, use func(stored) bool) error {
	return q.outbox.db.View(func(tx *bolt.Tx) error {
		cursor := tx.Bucket(format).Cursor()
		key, value := cursor.Seek(encodeKey(q.prefix, after+1))
		for ; bytes.HasPrefix(key, q.prefix); key, value = cursor.Next() {
			s, err := decode(key, value)
			if err != nil {
				return fmt.Errorf("outbox %s, source %s, notification %d: %w; start the process again, which takes over what is intact", q.outbox.path, q.source, seqOf(key), err)
			}
			if !use(s) {
				return nil
			}
		}
		return nil
	})
}

func (q *queue) Left() (messages, bytes int, newest uint64) {
	return q.left.messages, q.left.bytes, q.left.newest
}

func (q *queue) Append(event json.RawMessage) (uint64, error) { return q.outbox.append(q, event) }

func (q *queue) Read(after uint64, entries []connector.OutboxEntry, maxBytes int) (n int, err error) {
	size := 0
	err = q.each(max(after, q.outbox.deliveredOf(q)), func(s stored) bool {
		size += len(s.event)
		if n == len(entries) || n > 0 && size > maxBytes {
			return false
		}
		entries[n] = connector.OutboxEntry{Seq: s.seq, Event: bytes.Clone(s.event)}
		n++
		return true
	})
	return n, err
}

func (q *queue) Remove(through uint64) error {
	q.outbox.remove(q, through)
	return nil
}

func (q *queue) Durable() bool { return true }

func (q *queue) Close() error {
	q.outbox.release(q)
	return nil
}

// A removal forgets what a queue has delivered.
type removal struct {
	queue   *queue
	through uint64
}

func (r removal) apply(all *bolt.Bucket) error {
	first, last := encodeKey(r.queue.prefix, 0), encodeKey(r.queue.prefix, r.through)
	cursor := all.Cursor()
	for key, _ := cursor.Seek(first); key != nil && bytes.Compare(key, last) <= 0; key, _ = cursor.Seek(first) {
		if err := cursor.Delete(); err != nil {
			return err
		}
	}
	return nil
}
