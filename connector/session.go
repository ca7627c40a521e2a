package connector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// A session is what happens between a source configuration and the next: one Connect to its Close. Several sessions may
// share a link, one after the other.
//
// Its goroutines are connect, while the Connect handler is called; one for each handler that runs and each work started
// with Go, its tasks; and end, which waits for all of these and calls the Close handler.
type session struct {
	c      *SourceConnection
	link   *link
	config Document

	linkCtx    context.Context // Connect's and Go's: ends with the link, or when the session begins to end
	cancelLink context.CancelCauseFunc
	workCtx    context.Context // Publish's and the queries': ends a little later
	cancelWork context.CancelCauseFunc
	publishCtx context.Context // workCtx, marked as Publish's

	accepted chan struct{} // closed when the Connect handler has returned nil
	setUp    chan struct{} // closed when it is no longer called
	ended    chan struct{} // closed when Close has returned: the next session may begin

	release context.CancelCauseFunc // of the context of the Connect that accepted: it ends with linkCtx anyway; written as value is
	value   any                     // of SessionHandlers; written by connect before accepted is closed

	// Guarded by inbound.mu.
	tasks      []*task
	idle       chan struct{}   // closed when the last task ends, if somebody waits for that
	superseded bool            // Vantiq wants another session
	goCtx      context.Context // for Go: ends with a call of Connect that fails, and with linkCtx
}

const (
	answerGrace = 2 * time.Second  // for handlers to finish after the link was lost
	patience    = 10 * time.Second // after which the source says what it is waiting for
)

func newSession(ctx context.Context, c *SourceConnection, l *link, config Document) *session {
	s := &session{
		c:        c,
		link:     l,
		config:   config,
		accepted: make(chan struct{}),
		setUp:    make(chan struct{}),
		ended:    make(chan struct{}),
	}
	s.linkCtx, s.cancelLink = context.WithCancelCause(l.ctx)
	s.workCtx, s.cancelWork = context.WithCancelCause(context.WithoutCancel(ctx))
	s.publishCtx = context.WithValue(s.workCtx, publishKey{}, true)
	return s
}

// publishKey marks the context of a Publish handler: while it waits for acknowledgements the reader must read on.
type publishKey struct{}

func isPublish(ctx context.Context) bool { return ctx.Value(publishKey{}) != nil }

// connect calls the Connect handler until it accepts the configuration, or there is no point in it any more.
func (s *session) connect() {
	defer close(s.setUp)
	c := s.c
	waits := backoff.NewExponentialBackOff(backoff.WithMaxElapsedTime(0), backoff.WithMaxInterval(30*time.Second))
	for {
		started := time.Now()
		attempt, fail := context.WithCancelCause(s.linkCtx)
		c.in.setGoContext(attempt, s)
		err := c.callApart("connect", func() error {
			if connect := c.handlers.Load().Connect; connect != nil {
				return connect(attempt, c, s.config)
			}
			return nil
		})
		if err == nil {
			s.release = fail
			close(s.accepted)
			return
		}
		fail(err)
		if s.linkCtx.Err() != nil {
			return
		}
		c.failed(err)
		c.in.reject(s, err)
		if IsPermanent(err) {
			c.log.Error("the Connect handler refuses the source configuration for good; waiting for a new one from Vantiq", "error", err)
			return
		}
		wait := waits.NextBackOff()
		c.causes.log(c.log, "the Connect handler failed and will be called again", err, "took", time.Since(started).Round(time.Millisecond), "wait", wait.Round(time.Millisecond))
		if sleep(s.linkCtx, wait) != nil {
			return
		}
	}
}

// end brings the session to its end: it waits for Connect and all tasks, presses those that linger, and calls Close.
func (s *session) end(cause error) {
	defer close(s.ended)
	defer s.cancelWork(cause)
	c := s.c
	s.cancelLink(causeOr(cause, ErrClosed))
	c.in.shut()
	s.waitSaying(s.setUp, "Connect", nil)
	idle := c.in.idle(s)
	if !s.await(idle, answerGrace, c.drainReserve(drainHandlers)) {
		s.cancelWork(causeOr(cause, ErrClosed))
		if !s.await(idle, abandonAfter, c.drainReserve(drainAnswers)) {
			if c.isDraining() {
				c.in.finish()
			}
			c.in.abandonAll(s)
		}
	}
	select {
	case <-s.accepted:
	default:
		return // what never began need not be closed
	}
	s.release(cause)
	s.callClose(cause)
}

// callClose calls the Close handler, with a context that ends when a drain must.
func (s *session) callClose(cause error) {
	c := s.c
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.workCtx))
	defer cancel()
	if deadline, draining := c.drainDeadline(); draining {
		var stop context.CancelFunc
		ctx, stop = context.WithDeadline(ctx, deadline)
		defer stop()
	}
	closed := make(chan struct{})
	go func() { // ends when the handler returns; waitSaying waits for it
		defer close(closed)
		err := c.call("close", func() error {
			if handler := c.handlers.Load().Close; handler != nil {
				return handler(ctx, c, cause)
			}
			return nil
		})
		if err != nil {
			c.log.Error("the Close handler failed", "error", err)
		}
	}()
	s.waitSaying(closed, "Close", cancel)
}

// How long before the end of a drain the handlers' contexts end, the last answers are given for them, and nothing more is
// waited for.
const (
	drainHandlers = 2 * time.Second
	drainAnswers  = time.Second
	drainFarewell = 500 * time.Millisecond // for the close frame
)

// await waits until done or for so long; while draining, until so long before the drain's deadline instead.
func (s *session) await(done <-chan struct{}, limit, reserve time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	draining := s.c.draining
	for {
		if deadline, yes := s.c.drainDeadline(); yes {
			draining = nil
			left := time.Until(deadline.Add(-reserve))
			if s.link.ctx.Err() != nil {
				left = min(left, limit) // nobody gets the answers: no need to wait long for them
			}
			timer.Reset(max(0, left))
		}
		select {
		case <-done:
			return true
		case <-timer.C:
			return false
		case <-draining:
		}
	}
}

// waitSaying waits for a handler that is never abandoned, and says so when it takes long. At the end of a drain it calls
// late, and goes on waiting.
func (s *session) waitSaying(done <-chan struct{}, handler string, late func()) {
	started := time.Now()
	say := time.NewTimer(patience)
	defer say.Stop()
	deadline := time.NewTimer(time.Hour)
	deadline.Stop()
	defer deadline.Stop()
	draining, cut := s.c.draining, s.c.cut.ctx.Done()
	for {
		select {
		case <-done:
			return
		case <-say.C:
			s.c.log.Warn("the source waits for its "+handler+" handler to return; until then it cannot be connected again", "running", time.Since(started).Round(time.Second))
			say.Reset(time.Minute)
		case <-draining:
			draining = nil
			end, _ := s.c.drainDeadline()
			if cut != nil {
				deadline.Reset(time.Until(end))
			}
		case <-cut:
			cut = nil
			deadline.Reset(0)
		case <-deadline.C:
			if late != nil {
				late()
			}
		}
	}
}

// launch runs work started with Go.
func (s *session) launch(work func(ctx context.Context) error) error {
	in := s.c.in
	in.mu.Lock()
	defer in.mu.Unlock()
	ctx := s.goCtx
	if ctx == nil || ctx.Err() != nil {
		return fmt.Errorf("source %s: %w: its session has ended", s.c.source, ErrNotConnected)
	}
	t := s.begin("Go")
	go func() { // end waits for its task
		defer func() {
			in.mu.Lock()
			defer in.mu.Unlock()
			t.end()
		}()
		err := s.c.call("go", func() error { return work(ctx) })
		if err != nil && !(ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.Cause(ctx)))) {
			s.c.log.Error("work started with Go ended with an error", "error", err)
		}
	}()
	return nil
}

func causeOr(cause, other error) error {
	if cause != nil {
		return cause
	}
	return other
}

// sleep waits for so long, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
