package connector

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/vantiq-go/connectorsdk/health"
	"github.com/vantiq-go/connectorsdk/protocol"
)

// A SourceConnection stands behind one source. It connects to Vantiq, comes back by itself when the link is lost, calls
// the handlers, and sends what they have to say. Use New to make one, SetHandlers, and then Run; connectorset does all
// of that for most programs. Its methods may be called from several goroutines, and from handlers.
//
// Run's goroutine makes links and sessions and is the only one that changes the state. A link has a reader that lives as
// long as it does; everything else runs on goroutines that end when there is nothing to do, or on the group's workers.
type SourceConnection struct {
	source  string
	options *Options // checked, complete, never written to
	log     *slog.Logger
	hooks   hooks

	handlers  atomic.Pointer[Handlers]
	state     lifeState
	in        *inbound
	out       *outbound
	count     counters
	causes    causes                          // of what befalls links and sessions, which come at intervals
	messages  causes                          // of complaints about messages, which come as fast as a server likes
	presented atomic.Pointer[protocol.Secret] // the auth token that came from AuthTokenFile
	current   atomic.Pointer[session]         // the newest; see keepSessionValue and Go
	sent      []protocol.Secret               // see sentSecrets
	unknown   map[string]bool                 // operations that were logged as unknown; the reader's own

	started  atomic.Bool
	stop     atomic.Pointer[context.CancelFunc] // ends the context that Run works with; set by Run
	leaving  atomic.Bool                        // Close was called
	cut      signal                             // given when the ctx of Close ends: drain no longer
	draining chan struct{}                      // closed when the drain has begun, after deadline was set
	deadline atomic.Pointer[time.Time]
	closed   chan struct{} // closed when Run has returned, after result was set
	result   error

	// Run's own.
	dialled   bool // once, at least
	links     uint64
	last      *session          // the newest session, which may still be ending
	outage    outage            // how long there has been no good session
	claimed   time.Time         // when the newest connectExtension was sent; zero after a good session
	unasked   time.Time         // when Vantiq last began a session without one; zero after a good session
	short     int               // sessions in a row that ended early
	tokenHash [sha256.Size]byte // of the auth token that was presented last
}

// New returns a source connection that does nothing until Run is called. It reports everything that is wrong with the
// options at once, and an outbox that cannot be opened.
func New(source string, options Options) (*SourceConnection, error) {
	source = strings.TrimSpace(source)
	complete, err := options.withDefaults(source)
	if err != nil {
		return nil, err
	}
	queue, err := complete.Outbox.Open(source)
	if err != nil {
		return nil, fmt.Errorf("source %s: opening the outbox: %w", source, err)
	}
	c := &SourceConnection{
		source:   source,
		options:  &complete,
		hooks:    sortHooks(complete.Hooks),
		sent:     sentSecrets(&complete),
		unknown:  map[string]bool{},
		cut:      newSignal(),
		draining: make(chan struct{}),
		closed:   make(chan struct{}),
	}
	c.log = slog.New(redactor{complete.Logger.Handler(), c.redact}).With("source", source)
	c.handlers.Store(&Handlers{})
	c.in = newInbound(c)
	c.out = newOutbound(source, c.options, c.log, &c.messages, queue, c.in.nudge)
	for _, hook := range c.hooks.connection {
		hook.OnConnection(c)
	}
	return c, nil
}

// Source returns the name of the source.
func (c *SourceConnection) Source() string { return c.source }

// SetHandlers sets what the connector does. Call it before Run: later it takes effect for handlers that have not started.
func (c *SourceConnection) SetHandlers(h Handlers) { c.handlers.Store(&h) }

// State returns where the connection is in its life.
func (c *SourceConnection) State() State { return c.state.load() }

// WaitConnected waits until the connection is Connected. It returns Run's error, or [ErrClosed], if it has closed, and
// ctx's cause if that ends first.
func (c *SourceConnection) WaitConnected(ctx context.Context) error {
	for {
		state, changed := c.state.get()
		switch state {
		case Connected:
			return nil
		case Closed:
			if c.result != nil { // Closed is set after it
				return c.result
			}
			return fmt.Errorf("source %s: %w", c.source, ErrClosed)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("source %s: waiting to be connected while it is %v: %w", c.source, state, context.Cause(ctx))
		}
	}
}

// Stats returns a snapshot of the counters.
func (c *SourceConnection) Stats() Stats {
	var s Stats
	c.count.fill(&s)
	c.in.fill(&s)
	c.out.fill(&s)
	return s
}

// Go runs work in the background of the current session: a poller, a subscription. Its ctx ends when the link is lost, the
// session ends, the connection drains, or the Connect handler that called Go fails; work must return soon after, as Close is
// called only then. A loop that only sends has to look at ctx itself: SendNotification goes on succeeding while there is
// room. An error is logged, unless it is ctx's; nothing is started again. Work that should outlive a link belongs into a
// goroutine of the program's own. Go may be called from Connect on, and returns [ErrNotConnected] when there is no session.
func (c *SourceConnection) Go(work func(ctx context.Context) error) error {
	s := c.current.Load()
	if s == nil {
		return fmt.Errorf("source %s: %w", c.source, ErrNotConnected)
	}
	return s.launch(work)
}

// DeclareHealthy opens the health port; see [health.Probe]. The port belongs to all sources of the process, so declare
// from main or from the one place that knows.
func (c *SourceConnection) DeclareHealthy() error { return c.options.Probe.DeclareHealthy() }

// DeclareUnhealthy closes the health port.
func (c *SourceConnection) DeclareUnhealthy() error { return c.options.Probe.DeclareUnhealthy() }

// Health returns what was declared last.
func (c *SourceConnection) Health() health.Status { return c.options.Probe.Status() }

// String returns the source and the state.
func (c *SourceConnection) String() string { return fmt.Sprintf("source %s (%v)", c.source, c.State()) }

// Format prints what String returns, for every verb: the connection's fields hold secrets.
func (c *SourceConnection) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(c.String())) }

// LogValue implements [slog.LogValuer].
func (c *SourceConnection) LogValue() slog.Value { return slog.StringValue(c.String()) }

// Close begins to drain, as the end of Run's ctx does, and waits until Run has returned. When ctx ends first, the drain
// is cut short and ctx's cause is returned; Run still returns soon. Otherwise Close returns what Run does. It must not
// be called in a handler, which Run waits for.
func (c *SourceConnection) Close(ctx context.Context) error {
	c.leaving.Store(true)
	if stop := c.stop.Load(); stop != nil { // else Run will see that c is leaving
		(*stop)()
	}
	if c.started.CompareAndSwap(false, true) { // Run was never called
		c.finish(nil)
	}
	select {
	case <-c.closed:
		return c.result
	default:
	}
	select {
	case <-c.closed:
		return c.result
	case <-ctx.Done():
		c.cut.give()
		return fmt.Errorf("source %s: closing: %w", c.source, context.Cause(ctx))
	}
}

// Run connects, serves, and connects again until ctx ends, Close is called, or an error makes it pointless, like a
// rejected auth token. It then drains, for no longer than DrainTime: running handlers finish, Close is called, what was
// accepted is sent. Run returns nil after that; the error that made it end; one that wraps [ErrUndelivered] if a memory
// outbox still held notifications; or one that says that handlers were still running. It can be called once.
func (c *SourceConnection) Run(ctx context.Context) error {
	if !c.started.CompareAndSwap(false, true) {
		return fmt.Errorf("source %s: Run was called before, or after Close: %w", c.source, ErrClosed)
	}
	c.options.Group.workers.begin()
	defer c.options.Group.workers.end()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if c.stop.Store(&stop); c.leaving.Load() {
		stop()
	}
	defer context.AfterFunc(ctx, c.beginDrain)()
	err := c.live(ctx)
	if err != nil {
		c.failed(err)
		c.log.Error("the source connection ends", "error", err)
	}
	c.finish(err)
	return c.result
}

// finish closes what a source connection owns. Afterwards it is Closed.
func (c *SourceConnection) finish(err error) {
	c.in.finish()
	switch left := c.out.close(); {
	case left == 0:
	case c.out.queue.Durable():
		c.log.Info("the outbox keeps what was not delivered for the next process", "notifications", left)
	case err == nil:
		err = undelivered(c.source, left)
	}
	c.result = err
	c.setState(Closed, err)
	close(c.closed)
}

// beginDrain sets the deadline of the drain. Everything that waits on draining then hurries.
func (c *SourceConnection) beginDrain() {
	deadline := time.Now().Add(c.options.DrainTime)
	if c.deadline.CompareAndSwap(nil, &deadline) {
		close(c.draining)
	}
}

// drainReserve returns so much of a drain's time, scaled down if DrainTime is shorter than its default.
func (c *SourceConnection) drainReserve(usual time.Duration) time.Duration {
	return min(usual, time.Duration(float64(usual)*c.options.DrainTime.Seconds()/10))
}

func (c *SourceConnection) isDraining() bool { return c.deadline.Load() != nil }

func (c *SourceConnection) drainDeadline() (time.Time, bool) {
	if deadline := c.deadline.Load(); deadline != nil {
		return *deadline, true
	}
	return time.Time{}, false
}

// A signal is given once and stays given.
type signal struct {
	ctx  context.Context
	give context.CancelFunc
}

func newSignal() (s signal) {
	s.ctx, s.give = context.WithCancel(context.Background())
	return s
}

// What is remembered, and logged, of unknown operations.
const (
	maxUnknown     = 16 // of them are told apart
	maxUnknownText = 64 // bytes of each
)

func (c *SourceConnection) received(l *link, message protocol.Message) {
	switch m := message.(type) {
	case *protocol.Response:
		if m.Err() == nil {
			return // no status at all, or one that announces more: neither is an acknowledgement
		}
		err := m.Err().Redact(c.secrets()...)
		c.failed(err)
		c.out.status(l, err)
	case *protocol.Query:
		c.in.query(l, m)
	case *protocol.Unknown:
		op := c.operation(m.Op)
		if !c.unknown[op] && len(c.unknown) < maxUnknown {
			c.unknown[op] = true
			c.log.Warn("an unknown operation is ignored; a newer SDK may know it", "op", op)
		}
	default:
		c.messages.log(c.log, "a message was ignored", fmt.Errorf("only a connector sends a %T", m))
	}
}

func (c *SourceConnection) acknowledged(l *link, n int) { c.out.acknowledged(l, n) }

func (c *SourceConnection) published(l *link, frame []byte) { c.in.publish(l, frame) }

func (c *SourceConnection) malformed(err error, bytes int) {
	c.messages.log(c.log, "a malformed message was skipped", err, "bytes", bytes)
}

// operation returns as much of an operation as is logged.
func (c *SourceConnection) operation(op string) string {
	op = c.redact(op)
	return protocol.Printable(op[:min(len(op), maxUnknownText)])
}

func (c *SourceConnection) superseded(l *link) {
	if s := c.current.Load(); s != nil && s.link == l {
		c.in.supersede(s)
	}
}

var errTooLargeToRead = errors.New("it is larger than MaxInbound")

func (c *SourceConnection) oversize(_ *link, found protocol.Oversize) {
	c.messages.logAt(slog.LevelError, c.log, "a message was skipped", errTooLargeToRead, "op", c.operation(found.Op), "bytes", found.Bytes, "limit", c.options.MaxInbound)
	if found.Op != protocol.OpQuery || !usable(found.ReplyAddress) {
		return
	}
	c.count.queries.Add(1)
	q := newQuery(c, found.ReplyAddress, Document{})
	_ = q.fail(QueryError{Code: CodeTooLarge, Template: "the query has {0} bytes, the connector accepts {1}", Parameters: []any{found.Bytes, c.options.MaxInbound}})
}

func (c *SourceConnection) collect(l *link, b *batch) { c.out.collect(l, b) }

func (c *SourceConnection) written(l *link, b *batch, err error) {
	c.out.written(l, b, err)
	c.in.relieve()
}

func (c *SourceConnection) unread(l *link, from, to time.Time) { c.out.unread(l, from, to) }

func (c *SourceConnection) ponged(l *link, sent time.Time) { c.out.pong(l, sent) }

func (c *SourceConnection) tick(l *link, now time.Time) time.Time { return c.out.tick(l, now) }

func (c *SourceConnection) setState(s State, cause error) {
	before := c.state.set(s)
	if before == s {
		return
	}
	for _, hook := range c.hooks.state {
		hook.OnState(c.source, before, s, cause)
	}
}

// failed remembers the last error for Stats.
func (c *SourceConnection) failed(err error) {
	text := c.redact(err.Error())
	c.count.lastError.Store(&text)
}

func (c *SourceConnection) keepSessionValue(value any) { c.current.Load().value = value }

func (c *SourceConnection) sessionValue() any { return c.current.Load().value }
