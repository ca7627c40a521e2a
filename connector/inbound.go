package connector

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vantiq-go/connectorsdk/protocol"
)

// inbound is everything a source is asked to do: published messages, in their order and one at a time, and queries,
// several at a time. Both wait here while no session is open, and what one session did not begin the next one handles.
// The reader puts work in; it is handled on the group's workers.
type inbound struct {
	c   *SourceConnection
	log *slog.Logger

	mu       sync.Mutex
	open     *session // whose handlers may start; nil while none may
	draining bool
	rejected error // why the Connect handler has not accepted the configuration

	publishes    deque[[]byte] // frames
	publishBytes int
	publishing   *task         // the running Publish handler
	dropped      bool          // the loss of messages has been logged for this session
	waitsForRoom bool          // the reader does
	waitsSince   time.Time     // when it began to; zero if any room is worth waking it for
	room         chan struct{} // holds a token when the reader should look for room again

	waiting      deque[*Query]
	waitingBytes int
	running      int  // Query handlers that hold a slot
	waking       bool // a worker has been told to take a query, and has not looked yet
	queries      map[protocol.ReplyAddress]*Query
	limits       limits

	congested atomic.Bool // queries wait because too many answers do

	debt time.Duration // how long the reader owes to wait, see trickle; its own
}

const (
	maxPublishBytes = 16 << 20 // waiting for the Publish handler
	// maxExcessBytes may wait on top while somebody waits for room in the outbox: the acknowledgements that would make
	// room are behind them in the stream.
	maxExcessBytes  = 64 << 20
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

// setGoContext sets the context of work that is started with Go from now on.
func (in *inbound) setGoContext(ctx context.Context, s *session) {
	in.mu.Lock()
	defer in.mu.Unlock()
	s.goCtx = ctx
}

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
func (in *inbound) reject(s *session, reason error) {
	in.mu.Lock()
	if s.linkCtx.Err() != nil { // the session has ended meanwhile: its reason no longer counts
		in.mu.Unlock()
		return
	}
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
	for in.takeWaiting() != nil { // answered above; this gives back their room
	}
	if n := in.publishes.len(); n > 0 {
		in.c.count.publishesDropped.Add(uint64(n))
		in.log.Error("published messages were not handled before the end", "messages", n)
	}
	in.c.options.Group.incoming.add(-in.publishBytes)
	in.publishes.clear()
	in.publishBytes = 0
	if in.limits.timer != nil {
		in.limits.timer.Stop()
		in.limits.rings = time.Time{}
	}
}

func (in *inbound) fill(s *Stats) {
	in.mu.Lock()
	defer in.mu.Unlock()
	s.QueriesOpen = len(in.queries)
}
