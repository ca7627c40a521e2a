package connector

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// acknowledged takes statuses that report a success.
func (o *outbound) acknowledged(l *link, n int) {
	o.mu.Lock()
	if o.link != l {
		o.mu.Unlock()
		return
	}
	now := time.Now()
	taken, outcome := o.acks.successes(n, now)
	reports := []func(){o.apply(outcome)}
	for range n - taken {
		reports = append(reports, o.apply(o.acks.status(nil, now)))
	}
	o.statusesCame(l, reports...)
}

// status takes a status that reports an error.
func (o *outbound) status(l *link, failed *StatusError) {
	o.mu.Lock()
	if o.link != l {
		o.mu.Unlock()
		return
	}
	o.statusesCame(l, o.apply(o.acks.status(failed, time.Now())))
}

// statusesCame is called with the mutex held, and releases it.
func (o *outbound) statusesCame(l *link, reports ...func()) {
	settling := o.acks.settling != nil
	ready := o.ready()
	o.mu.Unlock()
	for _, report := range reports {
		report()
	}
	if ready {
		l.wake()
	}
	if settling {
		l.tickBy(time.Now().Add(settleSilence))
	}
}

var nothing = func() {}

var errUnclear = errors.New("Vantiq reported an error and left acknowledgements out")

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
		o.receipts.fail(r.seq, fmt.Errorf("source %s: %w: %w", o.source, ErrRefused, r.err))
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
			o.errors.logAt(slog.LevelError, o.log, "Vantiq refused a notification; it is not sent again", r.err, "bytes", len(r.event))
			for _, hook := range o.hooks {
				hook.OnRefused(o.source, r.event, r.err)
			}
		}
		if outcome.stray != nil {
			o.errors.log(o.log, "Vantiq reported an error that belongs to no notification, probably to a query's answer", outcome.stray)
		}
		if outcome.learned {
			o.log.Info("Vantiq acknowledges query responses as well; they are counted from now on")
		}
		if outcome.resend {
			o.errors.log(o.log, "the notifications in flight are sent again", errUnclear)
		}
	}
}

// heldPatience is when to look again whether somebody reads.
const heldPatience = time.Second

// tick looks after the time limits of acknowledgements and returns when to look again.
func (o *outbound) tick(l *link, now time.Time) time.Time {
	held := l.isHeld()
	o.mu.Lock()
	if o.link != l || l.err() != nil {
		o.mu.Unlock()
		return time.Time{}
	}
	if held { // statuses may be waiting where nobody reads: unread leaves this time out
		o.mu.Unlock()
		return now.Add(heldPatience)
	}
	verdict, next := o.acks.silence(now, o.ponged, l.pingInterval > 0)
	report := nothing
	switch verdict {
	case nowSettled:
		report = o.apply(o.acks.settle())
	case replaceLink:
		o.acks.doubt()
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

// unread takes note that nobody read what came on l between two times.
func (o *outbound) unread(l *link, from, to time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.link == l {
		o.acks.unread(from, to)
	}
}

// pong takes note that a ping sent at that time has been answered.
func (o *outbound) pong(l *link, sent time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.link == l {
		o.ponged = sent
		o.acks.quiet(sent)
		o.settle(o.settled, 0, 0)
	}
}

func (o *outbound) fill(s *Stats) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s.Accepted, s.Sent, s.Resent = o.stats.accepted, o.stats.sent, o.stats.resent
	s.Acknowledged, s.Refused, s.Dropped = o.stats.acknowledged, o.stats.refused, o.stats.dropped
	s.Queued, s.Window, s.AnswersInterrupted = o.held, o.acks.window, o.stats.interrupted
	s.OutboxUsed = o.used()
}
