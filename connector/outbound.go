package connector

import (
	"container/list"
	"fmt"
	"log/slog"
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
	errors  *causes // of error statuses
	hooks   []RefusedHook
	options *Options
	prefix  []byte // of each notification

	mu       sync.Mutex
	link     *link // of the current or the last session: the one whose statuses count
	speaking bool  // something may be said: a configuration has come, and the session has not ended
	closed   bool

	// Answers, in their order. A final answer leaves this queue when it is written, and comes back if that failed.
	answers     deque[*answer]
	answerBytes atomic.Int64 // changed by weigh, while the mutex is held
	expiry      *time.Timer  // runs while nothing may be said

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
	receipts receipts

	stuck func() // called when somebody begins to wait for acknowledgements
	stats outboxStats

	// How many wait for acknowledgements, for room in the outbox, in Flush or for a receipt: in a Publish handler, and elsewhere.
	handlerWaits, waits atomic.Int32
}

type outboxStats struct {
	accepted, sent, resent, acknowledged, refused, dropped, interrupted uint64
}

// An answer is one response to a query, encoded.
type answer struct {
	query   *Query
	message []byte
	buffer  *[]byte // of the group's, what message is in; nil for most
	final   bool
	failure bool // a final error
	since   time.Time
	end     uint64 // how many bytes the link had taken when this was written; see conn.passed
}

// A waiter waits for room.
type waiter struct {
	bytes   int
	handler bool          // it waits in a Publish handler
	ready   chan struct{} // closed when it was let in, or err was set
	err     error
}

// A flusher waits until everything up to target is settled.
type flusher struct {
	target  uint64
	handler bool // it waits in a Publish handler
	done    chan struct{}
	err     error
}

const (
	maxAnswerBytes   = 16 << 20         // held while there is no session
	maxRefusalBytes  = 16 << 20         // on top, of answers that refuse queries
	maxAnswerAge     = 60 * time.Second // without a session
	partialRoom      = 1 << 20          // of answers that wait for the writer: beyond it, partials are held up
	maxBatchMessages = 256
	maxBatchBytes    = 1 << 20 // of answers: while they are written they count in no budget
)

func newOutbound(source string, o *Options, log *slog.Logger, errors *causes, queue OutboxQueue, stuck func()) *outbound {
	messages, bytes, newest := queue.Left()
	return &outbound{
		source:   source,
		log:      log,
		errors:   errors,
		hooks:    sortHooks(o.Hooks).refused,
		options:  o,
		prefix:   protocol.AppendNotificationPrefix(nil, source),
		queue:    queue,
		acks:     newAcks(o.MaxOutstanding),
		accepted: newest,
		held:     messages,
		bytes:    bytes,
		stuck:    stuck,
	}
}

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
	o.stopExpiry()
	o.expireAnswers(now)
	o.mu.Unlock()
	l.wake()
}

// pause says nothing more until the next attach. Statuses still count, and what a writer has taken and not yet
// reported comes back by written.
func (o *outbound) pause() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.speaking = false
	o.acks.flood(false)
	o.boundAnswers()
	o.stopExpiry()
	o.expiry = time.AfterFunc(maxAnswerAge, o.expire)
}

// expire interrupts old answers while there is no session, so that they hold no memory.
func (o *outbound) expire() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.speaking || o.closed {
		return
	}
	o.expireAnswers(time.Now())
	if o.answerBytes.Load() > 0 {
		o.expiry.Reset(maxAnswerAge / 4)
	}
}

func (o *outbound) stopExpiry() {
	if o.expiry != nil {
		o.expiry.Stop()
	}
}

// congested reports whether so much waits to be written that no more queries should be taken.
func (o *outbound) congested() bool { return o.answerBytes.Load() > maxAnswerBytes }

// overwhelmed reports whether so much waits to be written that not even refusals should be added.
func (o *outbound) overwhelmed() bool {
	return o.answerBytes.Load() > maxAnswerBytes+maxRefusalBytes
}

// close ends all waiting and returns how many notifications are left undelivered.
func (o *outbound) close() (left int) {
	o.mu.Lock()
	o.closed, o.speaking, o.link = true, false, nil
	o.stopExpiry()
	for o.waiters.Len() > 0 {
		letIn(&o.waiters, ErrClosed)
	}
	for o.partials.Len() > 0 {
		letIn(&o.partials, ErrClosed)
	}
	o.receipts.abandon(o.undelivered()) // before the flushers, among which are those that wait for receipts
	for _, f := range o.flushers {
		f.err = ErrClosed
		close(f.done)
	}
	o.flushers = nil
	left = o.held
	o.acks.trust() // as when a link is lost
	o.settle(o.settled, 0, 0)
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

// collect adds what may be written now to b.
func (o *outbound) collect(l *link, b *batch) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.link != l || !o.speaking {
		return
	}
	now := time.Now()
	for bytes := 0; o.answers.len() > 0 && len(b.answers) < maxBatchMessages && bytes < maxBatchBytes; {
		a := o.answers.popFront()
		bytes += len(a.message)
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
	if messages == 0 || !o.behind() {
		return
	}
	b.prefix = o.prefix
	entries := b.notifications[:0]
	if n := min(messages, maxBatchMessages); cap(entries) < n {
		entries = make([]OutboxEntry, 0, n)
	}
	entries = entries[:min(messages, maxBatchMessages)]
	n, err := o.queue.Read(o.sent, entries, bytes)
	if n == 1 && len(entries[0].Event) > bytes && o.acks.notifications > 0 {
		n = 0 // Read returns one in any case; it waits until there is room, or nothing else is in flight
	}
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

// written takes note of what became of a batch. What the kernel has not taken is kept for the next session.
func (o *outbound) written(l *link, b *batch, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err == nil {
		o.deliverBlind(b.notifications)
		for _, a := range b.answers {
			if a.buffer != nil {
				*a.buffer = a.message
				o.options.Group.rows.Put(a.buffer)
			}
		}
		return
	}
	passed := l.conn.passed.Load()
	for i := len(b.answers) - 1; i >= 0; i-- {
		if a := b.answers[i]; a.final && !o.closed && (a.end == 0 || a.end > passed) {
			a.end = 0
			o.answers.pushFront(a)
			o.weigh(len(a.message))
		}
	}
	if !o.speaking {
		o.boundAnswers()
	}
	if n := len(b.notifications); n > 0 && o.acks.blind {
		o.sent = min(o.sent, b.notifications[0].Seq-1) // nothing else knows that these were in flight
	}
}

// deliverBlind settles what was written to a server that does not acknowledge, but for what was dropped meanwhile.
func (o *outbound) deliverBlind(notifications []OutboxEntry) {
	if !o.acks.blind {
		return
	}
	n, bytes, through := 0, 0, o.settled
	for _, e := range notifications {
		if e.Seq > o.settled {
			n, bytes, through = n+1, bytes+len(e.Event), e.Seq
		}
	}
	o.settle(through, n, bytes)
	o.stats.acknowledged += uint64(n)
}
