package connector

import (
	"container/list"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vantiq-go/connectorsdk/protocol"
)

// outbound is everything a source has to say: the answers to its queries, and its notifications. Both outlive links:
// what could not be written waits for the next session. Senders put things in, the writer of the link of the current
// session takes them out, the reader brings the statuses.
type outbound struct {
	source  string
	log     *slog.Logger
	hooks   []RefusedHook
	options *Options
	prefix  []byte // of each notification

	mu       sync.Mutex
	link     *link // of the current or the last session: the one whose statuses count
	speaking bool  // something may be said: a configuration has come, and the session has not ended
	closed   bool

	// Answers, in their order. A final answer leaves this queue when it is written, and comes back if that failed.
	answers     deque[*answer]
	answerBytes int

	// Notifications: queue holds those that were accepted and may still have to be sent.
	queue    OutboxQueue
	acks     acks
	sent     uint64 // the newest seq handed to the link in this session
	everSent uint64 // the newest seq handed to any link: up to here, sending is sending again
	accepted uint64 // the newest seq
	settled  uint64 // up to here, everything was acknowledged, refused or dropped
	removed  uint64 // up to here, queue has forgotten
	held     int    // notifications accepted or being accepted, and not settled
	bytes    int    // of these
	ponged   time.Time

	waiters  list.List // of *waiter, for room in the outbox: first come, first served
	partials list.List // of *waiter, for room among the answers
	flushers []*flusher

	stuck func() // called when somebody begins to wait for room in the outbox
	stats outboxStats
	wait  atomic.Int32 // how many wait for room in the outbox
}

type outboxStats struct {
	accepted, sent, resent, acknowledged, refused, dropped uint64
}

// An answer is one response to a query, encoded.
type answer struct {
	query   *Query
	message []byte
	final   bool
	failure bool // a final error
	since   time.Time
}

// A waiter waits for room.
type waiter struct {
	bytes int
	ready chan struct{} // closed when it was let in, or err was set
	err   error
}

// A flusher waits until everything up to target is settled.
type flusher struct {
	target uint64
	done   chan struct{}
	err    error
}

const (
	maxAnswerBytes   = 16 << 20         // held while there is no session
	maxAnswerAge     = 60 * time.Second // without a session
	partialRoom      = 1 << 20          // of answers that wait for the writer: beyond it, partials are held up
	maxBatchMessages = 256
)

func newOutbound(source string, o *Options, log *slog.Logger, queue OutboxQueue, stuck func()) *outbound {
	messages, bytes := queue.Stored()
	return &outbound{
		source:  source,
		log:     log,
		hooks:   sortHooks(o.Hooks).refused,
		options: o,
		prefix:  protocol.AppendNotificationPrefix(nil, source),
		queue:   queue,
		acks:    newAcks(o.MaxOutstanding),
		held:    messages,
		bytes:   bytes,
		stuck:   stuck,
	}
}

// --- the life of links

// attach lets the link of a new session speak. If the session was claimed anew, whatever was in flight before it counts
// as lost and is sent again.
func (o *outbound) attach(l *link, claimed bool) {
	o.mu.Lock()
	now := time.Now()
	if claimed {
		if from := o.acks.begin(now); from > 0 {
			o.sent = from - 1
		}
		o.link, o.ponged = l, time.Time{}
	}
	o.speaking = true
	expired := o.expireAnswers(now)
	o.mu.Unlock()
	if expired > 0 {
		o.log.Warn("answers were dropped: there was no session for too long", "answers", expired)
	}
	l.wake()
}

// pause says nothing more until the next attach. Statuses still count, and what a writer has taken and not yet
// reported comes back by written.
func (o *outbound) pause() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.speaking = false
}

// close ends all waiting and returns how many notifications are left undelivered.
func (o *outbound) close() (left int) {
	o.mu.Lock()
	o.closed, o.speaking, o.link = true, false, nil
	for o.waiters.Len() > 0 {
		letIn(&o.waiters, ErrClosed)
	}
	for o.partials.Len() > 0 {
		letIn(&o.partials, ErrClosed)
	}
	for _, f := range o.flushers {
		f.err = ErrClosed
		close(f.done)
	}
	o.flushers = nil
	left = o.held
	if !o.queue.Durable() {
		o.options.Group.outgoing.add(-o.bytes)
		o.bytes = 0
	}
	for o.answers.len() > 0 {
		o.forgetAnswer(o.answers.popFront())
	}
	o.mu.Unlock()
	if err := o.queue.Close(); err != nil {
		o.log.Error("closing the outbox", "error", err)
	}
	return left
}

// unacknowledged returns how many notifications are in flight.
func (o *outbound) unacknowledged() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.acks.notifications
}

// --- notifications, in

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
	return o.held < o.options.OutboxMessages && o.bytes+n <= o.options.OutboxBytes &&
		(o.queue.Durable() || !o.options.Group.outgoing.full(n))
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

// --- answers, in

// answer queues the last answers to a query. It never waits.
func (o *outbound) answer(answers ...*answer) {
	o.mu.Lock()
	for _, a := range answers {
		o.push(a)
	}
	if !o.speaking {
		o.boundAnswers()
	}
	l, ready := o.link, o.speaking
	o.mu.Unlock()
	if ready {
		l.wake()
	}
}

// partialTurn waits until so much of a partial answer may be queued.
func (o *outbound) partialTurn(ctx context.Context, n int) error {
	o.mu.Lock()
	if o.closed {
		o.mu.Unlock()
		return fmt.Errorf("source %s: %w", o.source, ErrClosed)
	}
	if o.partials.Len() == 0 && o.answerBytes < partialRoom {
		o.mu.Unlock()
		return nil
	}
	w := &waiter{bytes: n, ready: make(chan struct{})}
	place := o.partials.PushBack(w)
	o.mu.Unlock()
	return o.waitFor(ctx, &o.partials, place, ErrNotConnected)
}

// partial queues a partial answer for which there is room, unless the query has ended or has lost its link.
func (o *outbound) partial(a *answer) error {
	o.mu.Lock()
	q := a.query
	switch {
	case q.answered.Load():
		o.mu.Unlock()
		return q.twice()
	case q.left != 0 && o.link != nil && q.left != o.link.id:
		o.mu.Unlock()
		return fmt.Errorf("source %s: %w: the link was lost between two parts of an answer, which therefore ends with %s", o.source, ErrNotConnected, CodeInterrupted)
	}
	o.push(a)
	l, ready := o.link, o.speaking
	o.mu.Unlock()
	if ready {
		l.wake()
	}
	return nil
}

func (o *outbound) push(a *answer) {
	a.since = time.Now()
	o.answers.pushBack(a)
	o.answerBytes += len(a.message)
	o.options.Group.incoming.add(len(a.message))
}

// boundAnswers keeps what is held without a session within its bounds: a large answer that does not fit is replaced by
// a small error, so that the query still gets an answer.
func (o *outbound) boundAnswers() {
	for i := o.answers.len() - 1; i >= 0 && o.answerBytes > maxAnswerBytes; i-- {
		a := *o.answers.at(i)
		if a.failure {
			continue
		}
		o.answerBytes -= len(a.message)
		o.options.Group.incoming.add(-len(a.message))
		o.interrupt(a)
		o.answerBytes += len(a.message)
		o.options.Group.incoming.add(len(a.message))
	}
}

// interrupt turns an answer with data into what is left of it: a final one into an error, a partial one into nothing.
func (o *outbound) interrupt(a *answer) {
	switch {
	case a.failure: // says all there is to say
	case a.final:
		a.failure = true
		a.message = protocol.AppendQueryError(nil, a.query.address, interrupted())
	default:
		a.message = nil
	}
}

func interrupted() QueryError {
	return QueryError{Code: CodeInterrupted, Template: "the connection to Vantiq was lost in the middle of the answer; please ask again"}
}

func (o *outbound) expireAnswers(now time.Time) (expired int) {
	for o.answers.len() > 0 && now.Sub((*o.answers.at(0)).since) > maxAnswerAge {
		o.forgetAnswer(o.answers.popFront())
		expired++
	}
	return expired
}

func (o *outbound) forgetAnswer(a *answer) {
	o.answerBytes -= len(a.message)
	o.options.Group.incoming.add(-len(a.message))
	for o.partials.Len() > 0 && o.answerBytes < partialRoom {
		letIn(&o.partials, nil)
	}
}

// --- out

// collect adds what may be written now to b.
func (o *outbound) collect(l *link, b *batch) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.link != l || !o.speaking {
		return
	}
	now := time.Now()
	for o.answers.len() > 0 && len(b.answers) < maxBatchMessages {
		a := o.answers.popFront()
		o.forgetAnswer(a)
		if a.query.leftOn(l, a.final) {
			o.interrupt(a)
		}
		if a.message != nil {
			b.answers = append(b.answers, a)
			o.acks.sentAnswer(now)
		}
	}
	messages, bytes := o.acks.room()
	if messages == 0 || o.held == o.acks.notifications {
		return
	}
	b.prefix = o.prefix
	entries := b.notifications[:0]
	if n := min(messages, maxBatchMessages); cap(entries) < n {
		entries = make([]OutboxEntry, 0, n)
	}
	entries = entries[:min(messages, maxBatchMessages)]
	n, err := o.queue.Read(o.sent, entries, bytes)
	b.notifications = entries[:n]
	if err != nil {
		l.fail(fmt.Errorf("reading the outbox: %w", err))
		return
	}
	for _, e := range b.notifications {
		o.sent = e.Seq
		if e.Seq > o.everSent {
			o.everSent = e.Seq
			o.stats.sent++
		} else {
			o.stats.resent++
		}
		o.acks.sentNotification(e.Seq, len(e.Event), e.Seq <= o.settled, now)
	}
	if n > 0 && o.acks.notifications == n {
		defer l.tickBy(now.Add(ackSilence / 2)) // the first in flight: somebody must notice if it is never acknowledged
	}
}

// written takes note of what became of a batch. What could not be written is kept for the next session.
func (o *outbound) written(b *batch, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err == nil {
		if n := len(b.notifications); n > 0 && o.acks.blind {
			bytes := 0
			for _, e := range b.notifications {
				bytes += len(e.Event)
			}
			o.settle(b.notifications[n-1].Seq, n, bytes)
			o.stats.acknowledged += uint64(n)
		}
		return
	}
	for i := len(b.answers) - 1; i >= 0; i-- {
		if a := b.answers[i]; a.final && !o.closed {
			o.answers.pushFront(a)
			o.answerBytes += len(a.message)
			o.options.Group.incoming.add(len(a.message))
		}
	}
	if n := len(b.notifications); n > 0 && o.acks.blind {
		o.sent = min(o.sent, b.notifications[0].Seq-1) // nothing else knows that these were in flight
	}
}

// --- statuses

// status takes a status that the server sent in the session.
func (o *outbound) status(l *link, failed *StatusError) {
	o.mu.Lock()
	if o.link != l {
		o.mu.Unlock()
		return
	}
	outcome := o.acks.status(failed, time.Now())
	settling := o.acks.settling != nil
	report := o.apply(outcome)
	ready := o.ready()
	o.mu.Unlock()
	report()
	if ready {
		l.wake()
	}
	if settling {
		l.tickBy(time.Now().Add(settleSilence))
	}
}

var nothing = func() {}

// apply does what an outcome demands, but for telling about it: that is left to the function it returns.
func (o *outbound) apply(outcome outcome) (report func()) {
	o.stats.acknowledged += uint64(outcome.acked)
	o.stats.refused += uint64(len(outcome.refused))
	type told struct {
		event json.RawMessage
		err   *StatusError
	}
	var refused []told
	for _, r := range outcome.refused {
		var entry [1]OutboxEntry
		if n, err := o.queue.Read(r.seq-1, entry[:], 0); err == nil && n == 1 && entry[0].Seq == r.seq {
			refused = append(refused, told{entry[0].Event, r.err})
		}
		for _, f := range o.flushers {
			if r.seq <= f.target {
				f.err = errors.Join(f.err, fmt.Errorf("%w: %w", ErrRefused, r.err))
			}
		}
	}
	if outcome.resend {
		o.sent = max(o.settled, o.removed)
	}
	o.settle(outcome.through, outcome.acked+len(outcome.refused), outcome.bytes)
	if refused == nil && outcome.stray == nil && !outcome.learned && !outcome.resend {
		return nothing
	}
	return func() {
		for _, r := range refused {
			o.log.Error("Vantiq refused a notification; it is not sent again", "error", r.err, "bytes", len(r.event))
			for _, hook := range o.hooks {
				hook.OnRefused(o.source, r.event, r.err)
			}
		}
		if outcome.stray != nil {
			o.log.Warn("Vantiq reported an error that belongs to no notification, probably to a query's answer", "error", outcome.stray)
		}
		if outcome.learned {
			o.log.Info("Vantiq acknowledges query responses as well; they are counted from now on")
		}
		if outcome.resend {
			o.log.Warn("Vantiq reported an error and left acknowledgements out; the notifications in flight are sent again")
		}
	}
}

// tick looks after the time limits of acknowledgements and returns when to look again.
func (o *outbound) tick(l *link, now time.Time) time.Time {
	held := l.isHeld()
	o.mu.Lock()
	if o.link != l {
		o.mu.Unlock()
		return time.Time{}
	}
	if held {
		o.acks.heardAt = now // statuses may be waiting where nobody reads
	}
	verdict, next := o.acks.silence(now, o.ponged, l.pingInterval > 0)
	report := nothing
	switch verdict {
	case nowSettled:
		report = o.apply(o.acks.settle())
	case goBlind:
		outcome := o.acks.serveBlind()
		o.apply(outcome)
		report = func() {
			o.log.Warn("this server does not acknowledge notifications: from now on they count as delivered when they are written")
		}
	}
	o.mu.Unlock()
	report()
	switch verdict {
	case replaceLink:
		l.fail(errors.New("the server has stopped acknowledging notifications; the link is replaced and they are sent again"))
	case pingNow:
		l.requestPing()
	case nowSettled, goBlind:
		l.wake()
	}
	return next
}

// pong takes note that a ping sent at that time has been answered.
func (o *outbound) pong(l *link, sent time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.link == l {
		o.ponged = sent
		o.acks.quiet()
		o.settle(o.settled, 0, 0)
	}
}

func (o *outbound) fill(s *Stats) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s.Accepted, s.Sent, s.Resent = o.stats.accepted, o.stats.sent, o.stats.resent
	s.Acknowledged, s.Refused, s.Dropped = o.stats.acknowledged, o.stats.refused, o.stats.dropped
	s.Queued, s.Window = o.held, o.acks.window
}
