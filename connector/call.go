package connector

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/vantiq-go/connectorsdk/protocol"
)

// A panicError is what a handler panicked with.
type panicError struct{ value any }

const panicPrefix = "panic: "

func (e *panicError) Error() string { return panicPrefix + fmt.Sprint(e.value) }

func isPanic(err error) bool {
	var panicked *panicError
	return errors.As(err, &panicked)
}

var errGoexit = errors.New("the handler ended its goroutine (runtime.Goexit)")

// call calls a handler. A panic is logged with its stack and returned as an error; so is runtime.Goexit, as far as that
// can be done: the goroutine then ends behind call, with all that its deferred functions do.
func (c *SourceConnection) call(handler string, f func() error) (err error) {
	var started time.Time
	if len(c.hooks.handler) > 0 { // the clock costs more than all the rest
		started = time.Now()
	}
	returned := false
	defer func() {
		if !returned {
			err = errGoexit
			if value := recover(); value != nil {
				err = &panicError{value}
			}
			c.log.Error("the "+handler+" handler panicked", "error", err, "stack", string(debug.Stack()))
		}
		for _, hook := range c.hooks.handler {
			hook.OnHandled(c.source, handler, time.Since(started), err)
		}
	}()
	if err = f(); err != nil {
		_ = err.Error() // a nil pointer in an error panics here, where that is the handler's fault
	}
	returned = true
	return err
}

// callApart calls a handler on a goroutine of its own, so that one that ends its goroutine does not end the caller's.
func (c *SourceConnection) callApart(handler string, f func() error) error {
	err, done := errGoexit, make(chan struct{})
	go func() { // ends when the handler does, which is waited for
		defer close(done)
		err = c.call(handler, f)
	}()
	<-done
	return err
}

func (c *SourceConnection) handlePublish(s *session, frame []byte) {
	publish := c.handlers.Load().Publish
	if publish == nil {
		c.count.publishesDropped.Add(1)
		c.causes.log(c.log, "published messages are dropped", errors.New("there is no Publish handler"))
		return
	}
	message, err := protocol.DecodePublish(frame)
	if err != nil {
		c.malformed(err, len(frame))
		return
	}
	c.count.publishes.Add(1)
	failed := true // unless it returns: it may end its goroutine
	defer func() {
		if failed {
			c.count.publishErrors.Add(1)
		}
	}()
	err = c.call("publish", func() error { return publish(s.publishCtx, c, message) })
	if failed = err != nil; failed {
		if !isPanic(err) { // which has been logged
			c.log.Error("the Publish handler failed", "error", err)
		}
	}
}

// handleQuery calls the Query handler and makes sure that the query is answered.
func (c *SourceConnection) handleQuery(q *Query) {
	answered := false
	defer func() {
		if !answered { // runtime.Goexit
			_ = q.fail(QueryError{Code: CodePanic, Template: "{0}", Parameters: []any{errGoexit.Error()}})
		}
	}()
	err := c.call("query", func() error { return c.handlers.Load().Query(q.ctx, c, q) })
	answered = true
	switch {
	case q.answered.Load():
		if err != nil && !errors.Is(err, ErrQueryAnswered) && !isPanic(err) {
			c.log.Debug("the Query handler returned an error after its answer", "error", err)
		}
	case err == nil:
		_ = q.Empty(q.ctx)
	case errors.Is(err, ErrAnswerLater):
	case isPanic(err):
		_ = q.fail(QueryError{Code: CodePanic, Template: "the connector panicked: {0}", Parameters: []any{strings.TrimPrefix(err.Error(), panicPrefix)}})
	default:
		_ = q.fail(q.errorFor(err))
	}
}

// errorFor returns what the query fails with because of err.
func (q *Query) errorFor(err error) QueryError {
	ended, cause := q.ctx.Err(), context.Cause(q.ctx)
	if errors.Is(err, ErrNotConnected) || ended != nil && (errors.Is(err, ended) || errors.Is(err, cause)) {
		return q.c.givenUp()
	}
	return asQueryError(err)
}

// givenUp is the answer to a query whose handler stopped because its session did.
func (c *SourceConnection) givenUp() QueryError {
	if c.isDraining() {
		return QueryError{Code: CodeShutdown, Template: "the connector is shutting down"}
	}
	return interrupted()
}
