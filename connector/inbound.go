package connector

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/vantiq-go/connectorsdk/protocol"
)

// inbound is everything a source is asked to do: published messages, in their order and one at a time, and queries,
// several at a time. Both wait here while no session is open, and what one session did not begin the next one handles.
// The reader puts work in; it is handled on goroutines that live only while there is some.
type inbound struct {
	c   *SourceConnection
	log *slog.Logger

	mu       sync.Mutex
	open     *session // whose handlers may start; nil while none may
	draining bool
	rejected error // why the Connect handler has not accepted the configuration

	publishes    deque[Document]
	publishBytes int
	publishing   *task         // the running Publish handler
	dropped      bool          // the loss of messages has been logged for this session
	room         chan struct{} // holds a token when the reader should look for room again

	waiting      deque[*Query]
	waitingBytes int
	running      int // Query handlers that hold a slot
	queries      map[protocol.ReplyAddress]*Query
}

const (
	maxPublishBytes = 16 << 20 // waiting for the Publish handler
	// maxExcessBytes may wait on top while somebody waits for room in the outbox: the acknowledgements that would make
	// room are behind them in the stream.
	maxExcessBytes  = 16 << 20
	maxWaitingBytes = 16 << 20 // of queries
	messageOverhead = 64       // what a waiting message costs beside its text
)

func newInbound(c *SourceConnection) *inbound {
	return &inbound{
		c:       c,
		log:     c.log,
		room:    make(chan struct{}, 1),
		queries: map[protocol.ReplyAddress]*Query{},
	}
}

// nudge makes a reader that waits for room look again.
func (in *inbound) nudge() {
	select {
	case in.room <- struct{}{}:
	default:
	}
}

// --- published messages

// publish takes a published message. It blocks the reader while there is no room.
func (in *inbound) publish(l *link, message Document) {
	if in.offer(l, message) {
		return
	}
	l.hold(true)
	defer l.hold(false)
	for !in.offer(l, message) {
		if in.c.out.wait.Load() > 0 {
			in.c.out.failWaiters()
		}
		select {
		case <-in.room:
		case <-l.ctx.Done():
		}
	}
}

// offer takes or drops a message, or returns false if it must wait for room.
func (in *inbound) offer(l *link, message Document) bool {
	size := len(message.Raw()) + messageOverhead
	in.mu.Lock()
	defer in.mu.Unlock()
	room := in.hasRoom(size, 0)
	switch {
	case in.draining, in.open == nil && !room:
		in.drop()
		return true
	case room:
	case l.ctx.Err() != nil: // a message that was read is not given up because its link is
	case in.c.out.wait.Load() > 0 && in.hasRoom(size, maxExcessBytes):
	default:
		return false
	}
	in.publishes.pushBack(message)
	in.publishBytes += size
	in.c.options.Group.incoming.add(size)
	in.startPublishing()
	return true
}

// hasRoom reports whether a message of so many bytes may wait. With an excess, only bytes count.
func (in *inbound) hasRoom(size, excess int) bool {
	switch {
	case in.publishes.len() == 0:
		return true
	case excess == 0 && (in.publishes.len() >= in.c.options.PublishQueue || in.c.options.Group.incoming.full(size)):
		return false
	}
	return in.publishBytes+size <= maxPublishBytes+excess
}

func (in *inbound) drop() {
	in.c.count.publishesDropped.Add(1)
	if in.dropped {
		return
	}
	in.dropped = true
	if in.draining {
		in.log.Warn("a published message is dropped: the connector is shutting down")
		return
	}
	in.log.Warn("a published message is dropped: too many have come before the Connect handler accepted the configuration; see Stats.PublishesDropped")
}

// startPublishing makes sure that somebody handles what waits.
func (in *inbound) startPublishing() {
	s := in.open
	if s == nil || in.publishing != nil || in.publishes.len() == 0 {
		return
	}
	in.publishing = s.begin("publish", nil)
	go in.publishAll(s, in.publishing) // ends when nothing waits or the session does; session.end waits for its task
}

// publishAll calls the Publish handler for one message after the other.
func (in *inbound) publishAll(s *session, t *task) {
	for {
		in.mu.Lock()
		over := in.publishes.len() == 0 || in.open != s && !in.finishing(s)
		if t.abandoned || over {
			in.donePublishing(t)
			in.mu.Unlock()
			return
		}
		message := in.publishes.popFront()
		size := len(message.Raw()) + messageOverhead
		in.publishBytes -= size
		in.mu.Unlock()
		in.c.options.Group.incoming.add(-size)
		in.nudge()
		in.c.handlePublish(s, message)
	}
}

// finishing reports whether s, though it is ending, still handles what came before: only a drain lets it, as there will
// be no next session to do it.
func (in *inbound) finishing(s *session) bool { return in.draining && s.workCtx.Err() == nil }

func (in *inbound) donePublishing(t *task) {
	if in.publishing == t {
		in.publishing = nil
		in.startPublishing() // something may have come while the session was being replaced
	}
	t.end()
}

// --- queries

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
	size := len(m.Parameters.Raw()) + messageOverhead
	var refusal *QueryError
	switch {
	case in.draining:
		refusal = &QueryError{Code: CodeShutdown, Template: "the connector is shutting down"}
	case c.handlers.Load().Query == nil:
		refusal = &QueryError{Code: CodeNoHandler, Template: "the connector of source {0} does not answer queries", Parameters: []any{c.source}}
	case in.rejected != nil:
		refusal = notConfigured(in.rejected)
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
	q.startClock()
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
	for in.open != nil && in.running < in.c.options.MaxQueries {
		q := in.takeWaiting()
		if q == nil {
			return
		}
		in.startQuery(q)
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
	for {
		in.c.handleQuery(t.query)
		in.mu.Lock()
		t.query.task = nil
		if t.query.answered.Load() { // one that is answered later keeps its limit
			t.query.stopClock()
		}
		if t.abandoned {
			in.mu.Unlock()
			return // its slot was given to somebody else
		}
		t.end()
		var next *Query
		if in.open == s {
			next = in.takeWaiting()
		}
		if next == nil {
			in.running--
			in.startWaiting()
			in.mu.Unlock()
			return
		}
		t = s.beginQuery(next)
		in.mu.Unlock()
	}
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

// --- sessions

// supersede stops a session from starting handlers, as what comes from now on belongs to the next one.
func (in *inbound) supersede(s *session) {
	in.mu.Lock()
	defer in.mu.Unlock()
	s.superseded = true
	if in.open == s {
		in.open = nil
	}
}

// admit lets the handlers of a session start.
func (in *inbound) admit(s *session) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if s.superseded {
		return
	}
	in.open, in.rejected, in.dropped = s, nil, false
	in.startPublishing()
	in.startWaiting()
}

// shut lets no more handlers start, and forgets why the last configuration was rejected. Work waits for the next session.
func (in *inbound) shut() {
	in.mu.Lock()
	in.open, in.rejected = nil, nil
	in.mu.Unlock()
	in.nudge() // there is nobody to wait for
}

// reject answers waiting and coming queries with the reason for which the configuration was not accepted.
func (in *inbound) reject(reason error) {
	in.mu.Lock()
	in.rejected = reason
	var refused []*Query
	for q := in.takeWaiting(); q != nil; q = in.takeWaiting() {
		refused = append(refused, q)
	}
	in.mu.Unlock()
	for _, q := range refused {
		_ = q.fail(*notConfigured(reason))
	}
}

// drain takes no more work. Queries that wait are answered; messages that wait are still handled, as they cannot be
// sent again.
func (in *inbound) drain() {
	in.mu.Lock()
	in.draining = true
	var refused []*Query
	for q := in.takeWaiting(); q != nil; q = in.takeWaiting() {
		refused = append(refused, q)
	}
	in.mu.Unlock()
	in.nudge()
	for _, q := range refused {
		_ = q.fail(QueryError{Code: CodeShutdown, Template: "the connector is shutting down"})
	}
}

// finish answers every query that is still open and reports messages that nobody has handled.
func (in *inbound) finish() {
	for _, q := range in.openQueries() {
		_ = q.fail(QueryError{Code: CodeShutdown, Template: "the connector has shut down before the answer was ready"})
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if n := in.publishes.len(); n > 0 {
		in.c.count.publishesDropped.Add(uint64(n))
		in.log.Error("published messages were not handled before the end", "messages", n)
	}
	in.c.options.Group.incoming.add(-in.publishBytes)
	in.publishes.clear()
	in.publishBytes = 0
}

func (in *inbound) fill(s *Stats) {
	in.mu.Lock()
	defer in.mu.Unlock()
	s.QueriesOpen = len(in.queries)
}

// --- tasks

// A task is a handler, or work started with Go, that runs in a session.
type task struct {
	s         *session
	name      string
	query     *Query // nil unless it is a Query handler
	started   time.Time
	abandoned bool // nobody waits for it any more
}

// begin counts a task of s. The inbound's mutex guards all tasks.
func (s *session) begin(name string, q *Query) *task {
	t := &task{s: s, name: name, query: q, started: time.Now()}
	s.tasks[t] = struct{}{}
	return t
}

// beginQuery counts a task that handles q, and gives q its context.
func (s *session) beginQuery(q *Query) *task {
	q.ctx, q.cancel = context.WithCancelCause(s.workCtx)
	q.task = s.begin("query", q)
	return q.task
}

// end ends a task that was not abandoned.
func (t *task) end() {
	if t.abandoned {
		return
	}
	delete(t.s.tasks, t)
	if len(t.s.tasks) == 0 && t.s.idle != nil {
		close(t.s.idle)
		t.s.idle = nil
	}
}

// idle returns a channel that is closed when no task of s runs, which may be at once.
func (in *inbound) idle(s *session) <-chan struct{} {
	in.mu.Lock()
	defer in.mu.Unlock()
	idle := make(chan struct{})
	if len(s.tasks) == 0 {
		close(idle)
	} else {
		s.idle = idle
	}
	return idle
}

// abandon gives up a task that ignores the end of its context: what it holds is given to others, what it owes is
// answered, and its goroutine ends whenever its handler returns.
func (in *inbound) abandon(t *task) {
	in.mu.Lock()
	if _, runs := t.s.tasks[t]; !runs {
		in.mu.Unlock()
		return
	}
	t.end()
	t.abandoned = true
	if t == in.publishing {
		in.publishing = nil
		in.startPublishing()
	}
	if t.query != nil {
		in.running--
		in.startWaiting()
	}
	in.mu.Unlock()
	in.c.count.abandoned.Add(1)
	in.log.Error(fmt.Sprintf("the %s handler is left behind: it ignores the end of its context", t.name), "running", time.Since(t.started).Round(time.Millisecond))
	if t.query != nil {
		_ = t.query.fail(interrupted())
	}
}

func (in *inbound) abandonAll(s *session) {
	in.mu.Lock()
	all := make([]*task, 0, len(s.tasks))
	for t := range s.tasks {
		all = append(all, t)
	}
	in.mu.Unlock()
	for _, t := range all {
		in.abandon(t)
	}
}
