package connector

import (
	"context"
	"errors"
	"time"

	"github.com/vantiq-go/connectorsdk/protocol"
)

var (
	errNoAddress    = errors.New("it cannot be answered without a usable reply address in REPLY_ADDR_HEADER")
	errAddressTwice = errors.New("an open query has the same reply address")
)

const (
	maxReplyAddress = 1024 // bytes; Vantiq's are UUIDs
	queryOverhead   = 512  // what an open query costs beside its texts
)

// usable reports whether a query with that reply address can be answered.
func usable(address protocol.ReplyAddress) bool {
	return 0 < len(address) && len(address) < maxReplyAddress
}

// size returns what an open query costs.
func (q *Query) size() int { return len(q.parameters.Raw()) + len(q.address) + queryOverhead }

// query takes a query: it is handled, waits, or is answered with an error at once. It blocks the reader while not even
// that answer would have room.
func (in *inbound) query(l *link, m *protocol.Query) {
	c := in.c
	c.count.queries.Add(1)
	if !usable(m.ReplyAddress) {
		c.messages.log(in.log, "a query was dropped", errNoAddress)
		return
	}
	in.awaitAnswers(l)
	q := newQuery(c, m.ReplyAddress, m.Parameters)
	in.mu.Lock()
	if _, twice := in.queries[m.ReplyAddress]; twice {
		in.mu.Unlock()
		c.messages.log(in.log, "a query was dropped", errAddressTwice)
		return
	}
	in.queries[m.ReplyAddress] = q
	if limit := c.options.QueryTimeout; limit > 0 {
		in.limitTo(time.Now().Add(limit), &in.limits.open, q)
	}
	size := q.size()
	room := len(in.queries) == 1 || !c.options.Group.incoming.full(size)
	var refusal *QueryError
	switch {
	case in.draining:
		refusal = &QueryError{Code: CodeShutdown, Template: "the connector is shutting down"}
	case c.handlers.Load().Query == nil:
		refusal = &QueryError{Code: CodeNoHandler, Template: "the connector of source {0} does not answer queries", Parameters: []any{c.source}}
	case in.rejected != nil:
		refusal = notConfigured(in.rejected)
	case !in.mayAnswer():
		refusal = &QueryError{Code: CodeBusy, Template: "the connector has many answers that Vantiq has not read; please ask again later"}
	case room && in.mayWait(size):
		in.keep(q)
		in.waiting.pushBack(q)
		in.waitingBytes += size
		in.startWaiting()
	default:
		refusal = &QueryError{Code: CodeBusy, Template: "the connector has {0} queries running and {1} waiting; please ask again later", Parameters: []any{in.running, in.waiting.len()}}
	}
	in.mu.Unlock()
	if refusal != nil {
		_ = q.fail(*refusal)
	}
}

// mayWait reports whether there is a place for a query of so many bytes: a slot, or one among those that wait for a slot.
func (in *inbound) mayWait(size int) bool {
	slots, waiting := 0, in.waiting.len()
	if in.open != nil {
		slots = in.c.options.MaxQueries - in.running
	}
	limit := maxWaitingBytes
	if slots > 0 {
		limit *= 2 // some of those that wait are about to be taken
	}
	return waiting < slots || waiting < slots+in.c.options.MaxWaitingQueries && in.waitingBytes+size <= limit
}

// keep counts a query in the group's budget until forget.
func (in *inbound) keep(q *Query) {
	q.held = q.size()
	in.c.options.Group.incoming.add(q.held)
}

// awaitAnswers holds the reader while answers have no room: a server that asks and does not read is not read either.
func (in *inbound) awaitAnswers(l *link) {
	if !in.c.out.overwhelmed() {
		return
	}
	l.hold()
	defer l.release()
	for in.mayAnswer(); in.c.out.overwhelmed(); { // first: relieve nudges only when it knows that answers wait
		select {
		case <-in.room:
		case <-l.ctx.Done():
			return
		}
	}
}

// notConfigured returns what queries are answered because of what the Connect handler returned.
func notConfigured(reason error) *QueryError {
	var own QueryError
	if errors.As(reason, &own) {
		return &own
	}
	return &QueryError{Code: CodeNotConfigured, Template: "the connector cannot work with the source's configuration: {0}", Parameters: []any{reason.Error()}}
}

// startWaiting makes sure that somebody takes a query that waits, if there is a slot for it. One worker at a time is woken for
// that, and whoever takes a query makes sure that the others are taken: so quick handlers are called one after the other on
// few goroutines, and slow ones on as many as there are slots.
func (in *inbound) startWaiting() {
	if in.waking || in.waiting.len() == 0 || !in.hasSlot() {
		return
	}
	in.waking = true
	in.c.options.Group.workers.run((*answering)(in))
}

// answering is the job of calling the Query handler, for one query after the other. It is done when none waits or the session
// ends; session.end waits for its tasks.
type answering inbound

func (a *answering) do() {
	in := (*inbound)(a)
	in.mu.Lock()
	in.waking = false
	t := in.beginNext()
	in.mu.Unlock()
	for t != nil {
		t = in.answerOne(t)
	}
}

// hasSlot reports whether a Query handler may start.
func (in *inbound) hasSlot() bool {
	return in.open != nil && in.running < in.c.options.MaxQueries && in.mayAnswer()
}

// beginNext takes a query that waits, if there is one, and a slot for it.
func (in *inbound) beginNext() *task {
	if !in.hasSlot() {
		return nil
	}
	q := in.takeWaiting()
	if q == nil {
		return nil
	}
	in.running++
	t := in.open.beginQuery(q)
	in.startWaiting()
	return t
}

// mayAnswer reports whether there is room for answers. If not, relieve starts what waits.
func (in *inbound) mayAnswer() bool {
	if in.c.out.congested() {
		in.congested.Store(true)
		if in.c.out.congested() { // still, so that whoever relieves that knows whom to tell
			return false
		}
	}
	in.congested.Store(false)
	return true
}

// relieve is called when answers have been written: queries that waited for that may start.
func (in *inbound) relieve() {
	if in.congested.Load() {
		in.mu.Lock()
		defer in.mu.Unlock()
		in.startWaiting()
		in.nudge()
	}
}

// takeWaiting takes the first query that still wants an answer, or returns nil.
func (in *inbound) takeWaiting() *Query {
	for in.waiting.len() > 0 {
		q := in.waiting.popFront()
		in.waitingBytes -= q.size()
		if !q.answered.Load() {
			return q
		}
	}
	return nil
}

// answerOne calls the Query handler and returns the task of the next query, if there is one.
func (in *inbound) answerOne(t *task) (next *task) {
	returned := false // false after runtime.Goexit: this goroutine can take no other query
	defer func() {
		in.mu.Lock()
		defer in.mu.Unlock()
		t.query.task = nil
		if t.query.limit.list == &in.limits.answered { // one that is answered later keeps its limit
			t.query.free()
		}
		if t.abandoned {
			return // its slot was given to somebody else
		}
		t.end()
		in.running--
		if returned {
			next = in.beginNext()
		} else {
			in.startWaiting()
		}
	}()
	in.c.handleQuery(t.query)
	returned = true
	return nil
}

// find returns the open query with that reply address, or nil.
func (in *inbound) find(address protocol.ReplyAddress) *Query {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.queries[address]
}

// forget removes a query that has been answered, and sets a limit to its handler. It returns what ends its context, if it has one.
func (in *inbound) forget(q *Query) (cancel context.CancelCauseFunc) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.queries[q.address] == q {
		delete(in.queries, q.address)
	}
	in.c.options.Group.incoming.add(-q.held)
	q.held = 0
	q.free()
	if q.task != nil && !q.task.abandoned {
		in.limitTo(q.last.since.Add(abandonAfter), &in.limits.answered, q)
	}
	return q.cancel
}

// openQueries returns all queries without a final answer.
func (in *inbound) openQueries() []*Query {
	in.mu.Lock()
	defer in.mu.Unlock()
	all := make([]*Query, 0, len(in.queries))
	for _, q := range in.queries {
		all = append(all, q)
	}
	return all
}
