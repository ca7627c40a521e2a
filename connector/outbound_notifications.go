package connector

import (
	"container/list"
	"context"
	"encoding/json"
	"fmt"
	"slices"
)

// accept puts a notification into the outbox.
func (o *outbound) accept(ctx context.Context, event json.RawMessage) error {
	if err := o.reserve(ctx, len(event)); err != nil {
		return err
	}
	seq, err := o.queue.Append(event)
	o.mu.Lock()
	if err != nil {
		o.release(1, len(event))
		o.mu.Unlock()
		return fmt.Errorf("source %s: storing a notification: %w", o.source, err)
	}
	o.accepted = max(o.accepted, seq)
	o.stats.accepted++
	l, ready := o.link, o.ready()
	o.mu.Unlock()
	if ready {
		l.wake()
	}
	return nil
}

// ready reports whether a notification could be written now. If not, a status or the next session wakes the writer.
func (o *outbound) ready() bool {
	room, _ := o.acks.room()
	return o.speaking && room > 0 && o.held > o.acks.notifications
}

// reserve makes room for a notification of n bytes, as OutboxFull says.
func (o *outbound) reserve(ctx context.Context, n int) error {
	o.mu.Lock()
	if o.closed {
		o.mu.Unlock()
		return fmt.Errorf("source %s: %w", o.source, ErrClosed)
	}
	if o.waiters.Len() == 0 && o.hasRoom(n) {
		o.take(n)
		o.mu.Unlock()
		return nil
	}
	switch o.options.OutboxFull {
	case Fail:
		o.mu.Unlock()
		return fmt.Errorf("source %s: %w", o.source, ErrOutboxFull)
	case DropOldest:
		o.dropOldest(n)
		o.mu.Unlock()
		return nil
	}
	w := &waiter{bytes: n, ready: make(chan struct{})}
	place := o.waiters.PushBack(w)
	o.mu.Unlock()
	o.wait.Add(1)
	defer o.wait.Add(-1)
	o.stuck()
	return o.waitFor(ctx, &o.waiters, place, ErrOutboxFull)
}

// waitFor waits until the waiter at place was let in. Full is what it means if that takes longer than ctx.
func (o *outbound) waitFor(ctx context.Context, waiters *list.List, place *list.Element, full error) error {
	w := place.Value.(*waiter)
	select {
	case <-w.ready:
	case <-ctx.Done():
		o.mu.Lock()
		defer o.mu.Unlock()
		select {
		case <-w.ready: // it was let in at the same moment
		default:
			waiters.Remove(place)
			return fmt.Errorf("source %s: %w (%w)", o.source, full, context.Cause(ctx))
		}
	}
	if w.err != nil {
		return fmt.Errorf("source %s: %w", o.source, w.err)
	}
	return nil
}

// letIn lets the first waiter go on, with err if that is not nil.
func letIn(waiters *list.List, err error) {
	w := waiters.Remove(waiters.Front()).(*waiter)
	w.err = err
	close(w.ready)
}

// hasRoom reports whether a notification of n bytes fits. An empty outbox takes any.
func (o *outbound) hasRoom(n int) bool {
	if o.held == 0 {
		return true
	}
	switch {
	case !o.queue.Durable() && o.options.Group.outgoing.full(n):
		return false
	case o.acks.flooded:
		return o.bytes+n+(o.held+1)*messageOverhead <= o.options.OutboxBytes
	}
	return o.held < o.options.OutboxMessages && o.bytes+n <= o.options.OutboxBytes
}

// relax is called when published messages can no longer be queued because their handler waits for room in the outbox. The
// acknowledgements that would make room are behind more such messages in the stream: as many as TCP holds. To read those
// and still keep up, as many notifications must be in flight as there are messages in the stream, so that from now on
// only bytes limit the outbox and its window. The flood is over when the outbox has become half empty.
func (o *outbound) relax() {
	o.mu.Lock()
	if !o.acks.flooded {
		o.acks.flood(true)
		o.log.Debug("published messages come faster than notifications are acknowledged; more of them may be in flight")
	}
	o.admit()
	l, ready := o.link, o.ready()
	o.mu.Unlock()
	if ready {
		l.wake()
	}
}

func (o *outbound) take(n int) {
	o.held++
	o.bytes += n
	if !o.queue.Durable() {
		o.options.Group.outgoing.add(n)
	}
}

// release gives back the room of notifications, and lets in who waits for it.
func (o *outbound) release(notifications, n int) {
	o.held -= notifications
	o.bytes -= n
	if !o.queue.Durable() {
		o.options.Group.outgoing.add(-n)
	}
	if o.acks.flooded && o.held <= o.options.OutboxMessages/2 && o.bytes <= o.options.OutboxBytes/2 {
		o.acks.flood(false)
	}
	o.admit()
}

// admit lets in, in their order, those for whom there is room.
func (o *outbound) admit() {
	for o.waiters.Len() > 0 {
		w := o.waiters.Front().Value.(*waiter)
		if !o.hasRoom(w.bytes) {
			return
		}
		o.take(w.bytes)
		letIn(&o.waiters, nil)
	}
}

// failWaiters makes everybody give up who waits for room in the outbox: the reader can hold no more, so the
// acknowledgements they wait for could not be read.
func (o *outbound) failWaiters() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.waiters.Len() > 0 {
		letIn(&o.waiters, ErrOutboxFull)
	}
}

// dropOldest takes room for n bytes by forgetting the oldest notifications.
func (o *outbound) dropOldest(n int) {
	var oldest [1]OutboxEntry
	for !o.hasRoom(n) {
		found, err := o.queue.Read(o.settled, oldest[:], 0)
		if err != nil || found == 0 {
			break // all the room is taken by notifications that are just now being accepted
		}
		o.stats.dropped++
		o.acks.forget(oldest[0].Seq)
		o.settle(oldest[0].Seq, 1, len(oldest[0].Event))
	}
	o.take(n)
}

// settle takes note that the notifications up to through need nothing more.
func (o *outbound) settle(through uint64, notifications, bytes int) {
	if through > o.settled {
		o.settled = through
		o.sent = max(o.sent, through)
		o.release(notifications, bytes)
		o.completeFlushers()
	}
	removable := o.settled
	if keep := o.acks.keep(); keep > 0 {
		removable = min(removable, keep-1)
	}
	if removable > o.removed {
		o.removed = removable
		if err := o.queue.Remove(removable); err != nil {
			o.log.Error("removing delivered notifications from the outbox; they will be sent again", "error", err)
		}
	}
}

// flush waits until everything accepted so far is settled.
func (o *outbound) flush(ctx context.Context) error {
	o.mu.Lock()
	return o.awaitSettled(ctx, o.accepted)
}

// land waits until everything that is in flight is settled.
func (o *outbound) land(ctx context.Context) error {
	o.mu.Lock()
	return o.awaitSettled(ctx, o.sent)
}

// awaitSettled is called with the mutex held, and releases it.
func (o *outbound) awaitSettled(ctx context.Context, target uint64) error {
	if o.settled >= target {
		o.mu.Unlock()
		return nil
	}
	if o.closed {
		o.mu.Unlock()
		return fmt.Errorf("source %s: %w", o.source, ErrClosed)
	}
	f := &flusher{target: target, done: make(chan struct{})}
	o.flushers = append(o.flushers, f)
	o.mu.Unlock()
	select {
	case <-f.done:
	case <-ctx.Done():
		o.mu.Lock()
		o.flushers = slices.DeleteFunc(o.flushers, func(other *flusher) bool { return other == f })
		o.mu.Unlock()
		return fmt.Errorf("source %s: waiting for acknowledgements: %w", o.source, context.Cause(ctx))
	}
	if f.err != nil {
		return fmt.Errorf("source %s: %w", o.source, f.err)
	}
	return nil
}

func (o *outbound) completeFlushers() {
	o.flushers = slices.DeleteFunc(o.flushers, func(f *flusher) bool {
		done := o.settled >= f.target
		if done {
			close(f.done)
		}
		return done
	})
}
