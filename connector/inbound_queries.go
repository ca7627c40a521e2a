package connector

import (
	"context"

	"github.com/vantiq-go/connectorsdk/protocol"
)

// query takes a query: it is handled, waits, or is answered with an error at once.
func (in *inbound) query(m *protocol.Query) {
	c := in.c
	c.count.queries.Add(1)
	if m.ReplyAddress == "" {
		in.log.Warn("a query without a reply address cannot be answered and is dropped", "header", "REPLY_ADDR_HEADER")
		return
	}
	q := newQuery(c, m.ReplyAddress, m.Parameters)
	in.mu.Lock()
	if _, twice := in.queries[m.ReplyAddress]; twice {
		in.mu.Unlock()
		in.log.Warn("a query with the reply address of an open one is dropped")
		return
	}
	in.queries[m.ReplyAddress] = q
	q.startClock()
	size := len(m.Parameters.Raw()) + messageOverhead
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
	case in.open != nil && in.running < c.options.MaxQueries && in.waiting.len() == 0:
		in.startQuery(q)
	case in.waiting.len() < c.options.MaxWaitingQueries && in.waitingBytes+size <= maxWaitingBytes && !c.options.Group.incoming.full(size):
		in.waiting.pushBack(q)
		in.waitingBytes += size
		c.options.Group.incoming.add(size)
	default:
		refusal = &QueryError{Code: CodeBusy, Template: "the connector has {0} queries running and {1} waiting; please ask again later", Parameters: []any{in.running, in.waiting.len()}}
	}
	in.mu.Unlock()
	if refusal != nil {
		_ = q.fail(*refusal)
	}
}

func notConfigured(reason error) *QueryError {
	return &QueryError{Code: CodeNotConfigured, Template: "the connector cannot work with the source's configuration: {0}", Parameters: []any{reason.Error()}}
}

func (in *inbound) startQuery(q *Query) {
	in.running++
	go in.answerAll(in.open, in.open.beginQuery(q)) // ends when no query waits or the session does; session.end waits for its tasks
}

// startWaiting starts handlers for queries that wait, as many as there are slots.
func (in *inbound) startWaiting() {
	for in.open != nil && in.running < in.c.options.MaxQueries && in.mayAnswer() {
		q := in.takeWaiting()
		if q == nil {
			return
		}
		in.startQuery(q)
	}
}

// mayAnswer reports whether there is room for answers. If not, relieve starts what waits.
func (in *inbound) mayAnswer() bool {
	congested := in.c.out.congested()
	in.congested.Store(congested)
	return !congested
}

// relieve is called when answers have been written: queries that waited for that may start.
func (in *inbound) relieve() {
	if in.congested.Load() {
		in.mu.Lock()
		defer in.mu.Unlock()
		in.startWaiting()
	}
}

// takeWaiting takes the first query that still wants an answer, or returns nil.
func (in *inbound) takeWaiting() *Query {
	for in.waiting.len() > 0 {
		q := in.waiting.popFront()
		size := len(q.parameters.Raw()) + messageOverhead
		in.waitingBytes -= size
		in.c.options.Group.incoming.add(-size)
		if !q.answered.Load() {
			return q
		}
	}
	return nil
}

// answerAll calls the Query handler for t's query and then, in the same slot, for others that wait.
func (in *inbound) answerAll(s *session, t *task) {
	for t != nil {
		t = in.answerOne(s, t)
	}
}

// answerOne calls the Query handler and returns the task of the next query in the same slot, if there is one.
func (in *inbound) answerOne(s *session, t *task) (next *task) {
	returned := false // false after runtime.Goexit: this goroutine can take no other query
	defer func() {
		in.mu.Lock()
		defer in.mu.Unlock()
		t.query.task = nil
		if t.query.answered.Load() { // one that is answered later keeps its limit
			t.query.stopClock()
		}
		if t.abandoned {
			return // its slot was given to somebody else
		}
		t.end()
		if returned && in.open == s && in.mayAnswer() {
			if q := in.takeWaiting(); q != nil {
				next = s.beginQuery(q)
				return
			}
		}
		in.running--
		in.startWaiting()
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

// forget removes a query that has been answered. It returns what ends its context, if it has one, and whether its
// handler runs.
func (in *inbound) forget(q *Query) (cancel context.CancelCauseFunc, handled bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.queries[q.address] == q {
		delete(in.queries, q.address)
	}
	return q.cancel, q.task != nil
}

func (in *inbound) taskOf(q *Query) *task {
	in.mu.Lock()
	defer in.mu.Unlock()
	return q.task
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
