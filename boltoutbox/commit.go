package boltoutbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"
)

// removeWithin is how soon the removal of what was delivered is written if no notification comes that it could be
// written with.
const removeWithin = time.Second

// A batch is what one transaction stores.
type batch struct {
	records []record
	newest  uint64        // seq of the last record
	done    chan struct{} // closed when it is stored, or err is set
	err     error
}

type record struct{ key, value []byte }

// append stores a notification with all others that wait for the disk at the same time.
func (o *Outbox) append(q *queue, event json.RawMessage) (uint64, error) {
	o.mu.Lock()
	switch {
	case o.closed || !q.open:
		o.mu.Unlock()
		return 0, o.errClosed()
	case o.broken != nil:
		defer o.mu.Unlock()
		return 0, o.broken
	case o.next == nil:
		o.next = &batch{done: make(chan struct{})}
	}
	o.newest++
	b, seq := o.next, o.newest
	key := encodeKey(q.prefix, seq)
	b.records, b.newest = append(b.records, record{key, encodeValue(key, q.delivered, event)}), seq
	q.last = b
	o.commit()
	o.mu.Unlock()
	<-b.done
	return seq, b.err
}

// remove notes what a queue has delivered.
func (o *Outbox) remove(q *queue, through uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	q.delivered = through
	if len(o.delivered) == 0 && !o.closed {
		o.removeLater()
	}
	o.delivered[q] = true
}

func (o *Outbox) removeLater() {
	if o.later != nil {
		o.later.Stop()
	}
	o.later = time.AfterFunc(removeWithin, o.removeNow)
}

func (o *Outbox) deliveredOf(q *queue) uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return q.delivered
}

func (o *Outbox) removeNow() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.closed {
		o.commit()
	}
}

// commit is called with the mutex held. It starts the committer, which writes what there is to write, and ends.
func (o *Outbox) commit() {
	if o.committing != nil || o.next == nil && len(o.delivered) == 0 {
		return
	}
	o.committing = make(chan struct{})
	go func() {
		for o.commitNext() {
		}
	}()
}

// commitNext runs a transaction and reports whether there is another one to run.
func (o *Outbox) commitNext() (more bool) {
	o.mu.Lock()
	b := o.next
	o.next = nil
	if b == nil {
		b = &batch{done: make(chan struct{})}
	}
	removals := make([]removal, 0, len(o.delivered))
	for q := range o.delivered {
		removals = append(removals, removal{q, q.delivered})
	}
	clear(o.delivered)
	if o.later != nil {
		o.later.Stop()
	}
	o.mu.Unlock()

	err := o.store(b, removals)
	if err != nil && refusedWrite(err) && len(removals) > 0 && len(b.records) > 0 {
		if err = o.store(&batch{}, removals); err == nil { // which may have made room
			removals = nil
			err = o.store(b, nil)
		}
	}

	o.mu.Lock()
	defer o.mu.Unlock()
	b.err = o.judge(err)
	if err != nil && o.broken == nil {
		for _, r := range removals {
			o.delivered[r.queue] = true
		}
	}
	close(b.done)
	switch rest := len(o.delivered) > 0; {
	case o.next != nil, rest && o.closed && err == nil:
		return true
	case rest && !o.closed: // the time may have come while the committer was busy
		o.removeLater()
	}
	close(o.committing)
	o.committing = nil
	return false
}

// store is called by the committer only, which is also the only one that sets broken.
func (o *Outbox) store(b *batch, removals []removal) error {
	if o.broken != nil {
		return o.broken
	}
	return o.db.Update(func(tx *bolt.Tx) error {
		all := tx.Bucket(format)
		all.FillPercent = 1 // a source's keys only ever grow
		for _, r := range removals {
			if err := r.apply(all); err != nil {
				return err
			}
		}
		for _, r := range b.records {
			if err := all.Put(r.key, r.value); err != nil {
				return err
			}
		}
		return all.SetSequence(max(all.Sequence(), b.newest))
	})
}

// judge says what the end of a transaction means for those who wait for it. It is called with the mutex held.
func (o *Outbox) judge(err error) error {
	switch {
	case err == nil:
		if o.failing {
			o.log.Info("notifications can be stored again")
		}
		o.failing = false
		return nil
	case o.broken != nil:
		return o.broken
	case !refusedWrite(err):
		o.broken = fmt.Errorf("outbox %s: what the disk holds is uncertain after an error; start the process again to go on with what it does hold: %w", o.path, err)
		o.log.Error("the outbox accepts no more notifications", "error", o.broken)
		return o.broken
	}
	err = fmt.Errorf("outbox %s cannot be written: %w", o.path, err)
	if !o.failing {
		o.log.Error("notifications cannot be stored; what was accepted is kept and sent. Is the disk full?", "error", err)
	}
	o.failing = true
	return err
}

// refusedWrite reports whether nothing but a write, or making the file larger, has failed: the transaction never happened.
// After an error of fsync, which is the other possibility, the kernel may have dropped what it could not write.
func refusedWrite(err error) bool {
	var failed *fs.PathError
	return errors.As(err, &failed) && failed.Op == "write" || strings.HasPrefix(err.Error(), "file resize error") // bbolt keeps only the text
}
