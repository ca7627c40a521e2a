package connector

import (
	"container/list"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// accept puts a notification into the outbox. Receipt is nil if nobody wants one.
func (o *outbound) accept(ctx context.Context, event json.RawMessage, receipt *Receipt) error {
	if err := o.reserve(ctx, len(event)); err != nil {
		return err
	}
	if receipt != nil {
		o.mu.Lock()
		o.receipts.begin(receipt, o.accepted)
		o.mu.Unlock()
	}
	seq, err := o.queue.Append(event)
	if err != nil {
		seq = 0 // whatever number it would have had
	}
	o.mu.Lock()
	if receipt != nil {
		o.receipts.stored(receipt, seq, o.settled)
		if o.closed {
			o.receipts.abandon(o.undelivered())
		}
	}
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
	return o.speaking && room > 0 && o.behind()
}

// behind reports whether there is a notification that was not handed to the link: a new one, or one that is sent again to
// be sure although it counts as acknowledged.
func (o *outbound) behind() bool {
	return o.held > o.acks.notifications-o.acks.dropped || o.sent < o.settled
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
	w := &waiter{bytes: n, ready: make(chan struct{}), handler: isPublish(ctx)}
	place := o.waiters.PushBack(w)
	o.mu.Unlock()
	defer o.beginWait(w.handler)()
	return o.waitFor(ctx, &o.waiters, place)
}

// beginWait tells the reader that somebody waits for acknowledgements, until the function it returns is called.
func (o *outbound) beginWait(handler bool) (end func()) {
	count := &o.waits
	if handler {
		count = &o.handlerWaits
	}
	count.Add(1)
	o.stuck()
	return func() { count.Add(-1) }
}

// groupRoom is how often a waiter looks whether other sources of the group have given back room: that wakes nobody here.
const groupRoom = 100 * time.Millisecond

// waitFor waits until the waiter at place was let in.
func (o *outbound) waitFor(ctx context.Context, waiters *list.List, place *list.Element) error {
	w := place.Value.(*waiter)
	again := time.NewTicker(groupRoom)
	defer again.Stop()
	for waiting := true; waiting; {
		select {
		case <-w.ready:
			waiting = false
		case <-again.C:
			o.mu.Lock()
			o.admit()
			o.mu.Unlock()
		case <-ctx.Done():
			o.mu.Lock()
			defer o.mu.Unlock()
			select {
			case <-w.ready: // it was let in at the same moment
				waiting = false
			default:
				waiters.Remove(place)
				return fmt.Errorf("source %s: %w (%w)", o.source, o.whyFull(waiters), endOf(ctx))
			}
		}
	}
	if w.err != nil {
		return fmt.Errorf("source %s: %w", o.source, w.err)
	}
	return nil
}

// whyFull says what somebody has waited for in vain.
func (o *outbound) whyFull(waiters *list.List) error {
	switch {
	case waiters == &o.waiters:
		return ErrOutboxFull
	case !o.speaking:
		return ErrNotConnected
	}
	return errAnswersFull
}

var errAnswersFull = errors.New("answers are given faster than Vantiq reads them")

// endOf returns why ctx has ended: its error and, if there is more to say, its cause.
func endOf(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(cause, err) {
		return cause
	}
	return fmt.Errorf("%w: %w", err, cause)
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
	case o.acks.flooded && o.bytes+n+(o.held+1)*messageOverhead <= maxFloodBytes:
		return true
	}
	return o.held < o.options.OutboxMessages && o.bytes+n <= o.options.OutboxBytes
}

// used returns how near the outbox is to the limits that hasRoom knows.
func (o *outbound) used() float64 {
	if o.held == 0 {
		return 0
	}
	used := max(float64(o.held)/float64(o.options.OutboxMessages), float64(o.bytes)/float64(o.options.OutboxBytes))
	if !o.queue.Durable() {
		used = max(used, o.options.Group.outgoing.used())
	}
	return used
}

// relax is called when published messages can no longer be queued because their handler waits for room in the outbox. The
// acknowledgements that would make room are behind more such messages in the stream: as many as TCP holds. To read those
// and still keep up, as many notifications must be in flight as there are messages in the stream, so that from now on
// only bytes limit the outbox and its window. The flood is over when the outbox has become half empty.
func (o *outbound) relax() {
	o.mu.Lock()
	if !o.acks.flooded && o.options.OutboxFull == Block {
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

// failWaiters makes those give up who wait for acknowledgements in a Publish handler, in SendNotification or in Flush, or
// everybody: the reader can hold no more of what stands before the acknowledgements in the stream.
func (o *outbound) failWaiters(everybody bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for place := o.waiters.Front(); place != nil; {
		next := place.Next()
		if w := place.Value.(*waiter); everybody || w.handler {
			o.waiters.Remove(place)
			w.err = ErrOutboxFull
			close(w.ready)
		}
		place = next
	}
	o.flushers = slices.DeleteFunc(o.flushers, func(f *flusher) bool {
		if !everybody && !f.handler {
			return false
		}
		f.err = errTooManyMessages
		close(f.done)
		return true
	})
}

var errTooManyMessages = errors.New("too many published messages stand before the acknowledgements")

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
		o.receipts.fail(oldest[0].Seq, fmt.Errorf("source %s: %w, and the oldest notification was dropped", o.source, ErrOutboxFull))
		o.settle(oldest[0].Seq, 1, len(oldest[0].Event))
	}
	o.take(n)
}

// settle takes note that the notifications up to through need nothing more.
func (o *outbound) settle(through uint64, notifications, bytes int) {
	if through > o.settled {
		if o.sent >= o.settled { // else some of what is settled is still to be sent again, to be sure
			o.sent = max(o.sent, through)
		}
		o.settled = through
		o.release(notifications, bytes)
		o.receipts.settle(through)
		o.completeFlushers()
	}
	removable := min(o.settled, o.sent)
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

// awaitReceipt waits until the notification seq is settled.
func (o *outbound) awaitReceipt(ctx context.Context, seq uint64) error {
	o.mu.Lock()
	return o.awaitSettled(ctx, seq)
}

// undelivered is what became of notifications that are left when the source connection closes.
func (o *outbound) undelivered() error {
	return fmt.Errorf("source %s: the connection closed before an acknowledgement came: %w", o.source, ErrUndelivered)
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
	f := &flusher{target: target, done: make(chan struct{}), handler: isPublish(ctx)}
	o.flushers = append(o.flushers, f)
	o.mu.Unlock()
	defer o.beginWait(f.handler)()
	select {
	case <-f.done:
	case <-ctx.Done():
		o.mu.Lock()
		o.flushers = slices.DeleteFunc(o.flushers, func(other *flusher) bool { return other == f })
		o.mu.Unlock()
		return fmt.Errorf("source %s: waiting for acknowledgements: %w", o.source, endOf(ctx))
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
