package connector

import (
	"context"
	"fmt"
	"time"

	"github.com/vantiq-go/connectorsdk/protocol"
)

// answer queues the last answers to a query. It never waits.
func (o *outbound) answer(partials []*answer, last *answer) {
	o.mu.Lock()
	if o.closed {
		o.mu.Unlock()
		return
	}
	for _, a := range partials {
		a.since = last.since
		o.push(a)
	}
	o.push(last)
	if !o.speaking {
		o.boundAnswers()
		if o.expiry != nil {
			o.expiry.Reset(maxAnswerAge)
		}
	}
	l, ready := o.link, o.speaking
	o.mu.Unlock()
	if ready {
		l.wake()
	}
}

// partialTurn waits until another partial answer may be queued.
func (o *outbound) partialTurn(ctx context.Context) error {
	o.mu.Lock()
	if o.closed {
		o.mu.Unlock()
		return fmt.Errorf("source %s: %w", o.source, ErrClosed)
	}
	if o.partials.Len() == 0 && o.answerBytes.Load() < partialRoom {
		o.mu.Unlock()
		return nil
	}
	place := o.partials.PushBack(&waiter{ready: make(chan struct{})})
	o.mu.Unlock()
	return o.waitFor(ctx, &o.partials, place)
}

// partial queues a partial answer for which there is room, unless the query has ended or has lost its link.
func (o *outbound) partial(a *answer) error {
	o.mu.Lock()
	q := a.query
	switch {
	case o.closed:
		o.mu.Unlock()
		return fmt.Errorf("source %s: %w", o.source, ErrClosed)
	case q.answered.Load():
		o.mu.Unlock()
		return q.twice()
	case q.left != 0 && o.link != nil && q.left != o.link.id:
		o.mu.Unlock()
		return fmt.Errorf("source %s: %w: the link was lost between two parts of an answer, which therefore ends with %s", o.source, ErrNotConnected, CodeInterrupted)
	}
	a.since = time.Now()
	o.push(a)
	l, ready := o.link, o.speaking
	o.mu.Unlock()
	if ready {
		l.wake()
	}
	return nil
}

func (o *outbound) push(a *answer) {
	o.answers.pushBack(a)
	o.weigh(len(a.message))
}

// weigh counts bytes of answers that wait, or no longer do.
func (o *outbound) weigh(n int) {
	o.answerBytes.Add(int64(n))
	o.options.Group.incoming.add(n)
}

// boundAnswers keeps what is held without a session within its bounds: a large answer that does not fit is replaced by
// a small error, so that the query still gets an answer.
func (o *outbound) boundAnswers() {
	for i := o.answers.len() - 1; i >= 0 && o.congested(); i-- {
		o.replace(*o.answers.at(i))
	}
}

// interrupt turns an answer with data into what is left of it: a final one into an error, a partial one into nothing.
func (o *outbound) interrupt(a *answer) {
	switch {
	case a.failure: // says all there is to say
	case a.final:
		a.failure = true
		o.stats.interrupted++
		a.message = protocol.AppendQueryError(nil, a.query.address, interrupted())
	default:
		a.message = nil
		a.query.left = noLink // what comes behind it cannot complete the answer
	}
}

// noLink is the id of a link that never is.
const noLink = ^uint64(0)

func interrupted() QueryError {
	return QueryError{Code: CodeInterrupted, Template: "the connection to Vantiq was lost in the middle of the answer; please ask again"}
}

// expireAnswers interrupts what has waited too long for a session: whoever asked has given up, and rows are large.
func (o *outbound) expireAnswers(now time.Time) {
	for i := range o.answers.len() {
		if a := *o.answers.at(i); now.Sub(a.since) >= maxAnswerAge {
			o.replace(a)
		}
	}
}

// replace interrupts an answer that is in the queue.
func (o *outbound) replace(a *answer) {
	before := len(a.message)
	o.interrupt(a)
	o.weigh(len(a.message) - before)
}

func (o *outbound) forgetAnswer(a *answer) {
	o.weigh(-len(a.message))
	for o.partials.Len() > 0 && o.answerBytes.Load() < partialRoom {
		letIn(&o.partials, nil)
	}
}
