package connector

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/vantiq-go/connectorsdk/protocol"
)

// A Query is one SELECT from the source. It gets exactly one final answer: by Complete, Empty or Fail, by
// [SourceConnection.SendQueryResponse] or SendQueryError with its reply address, by what its handler returns, or by the
// SDK when its time is up. Whatever would answer it again returns [ErrQueryAnswered]. Its methods may be called from
// several goroutines, also after the handler has returned [ErrAnswerLater].
type Query struct {
	c          *SourceConnection
	address    protocol.ReplyAddress
	parameters Document

	answered atomic.Bool
	ctx      context.Context // set before the handler starts

	// Guarded by inbound.mu.
	held    int // bytes that count in the group's budget until it is answered
	cancel  context.CancelCauseFunc
	task    *task // its handler, nil while none runs
	handler task  // what task points to
	limit   limit

	last answer // the final one
	left uint64 // the link that a partial answer has left on; guarded by outbound.mu
}

// abandonAfter is how long a handler may run on after its context has ended.
const abandonAfter = 10 * time.Second

var errQueryTimeout = fmt.Errorf("the query's time limit was reached: %w", context.DeadlineExceeded)

func newQuery(c *SourceConnection, address protocol.ReplyAddress, parameters Document) *Query {
	return &Query{c: c, address: address, parameters: parameters}
}

// Source returns the name of the source that is queried.
func (q *Query) Source() string { return q.c.source }

// ReplyAddress returns where the answer goes, for SendQueryResponse.
func (q *Query) ReplyAddress() protocol.ReplyAddress { return q.address }

// Parameters returns what the SELECT's WITH clause says, {} if it has none.
func (q *Query) Parameters() Document { return q.parameters }

// Decode unmarshals the parameters into v.
func (q *Query) Decode(v any) error {
	if err := q.parameters.Decode(v); err != nil {
		return fmt.Errorf("the query's parameters: %w", err)
	}
	return nil
}

// Context returns the context of the query's handler. It ends with the final answer, at the query's time limit, or 2
// seconds after the link was lost; then an answer can still be given, and travels with the next session.
func (q *Query) Context() context.Context { return q.ctx }

// Partial sends some rows; more follow. Rows is a value or a slice of values that are marshalled as JSON objects; what
// does not fit into one message is split. Partial waits while much is still to be written, for as long as ctx lasts; while
// there is no session the wait may end with [ErrNotConnected].
//
// When the link is lost between two partials, nobody knows which rows arrived: the query is then answered
// [CodeInterrupted], and Partial returns [ErrNotConnected].
func (q *Query) Partial(ctx context.Context, rows any) error {
	partials, last, err := q.encode(protocol.CodePartial, rows)
	if err != nil {
		return err
	}
	if last == nil {
		return nil
	}
	return q.partial(ctx, append(partials, &answer{query: q, message: last})...)
}

func (q *Query) partial(ctx context.Context, answers ...*answer) error {
	for _, a := range answers {
		if err := q.c.out.partialTurn(ctx); err != nil {
			return err
		}
		err := q.c.out.partial(a)
		if errors.Is(err, ErrNotConnected) {
			_ = q.fail(interrupted())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Complete sends the last rows, as Partial does, and ends the query. No rows at all are the same as Empty. It never
// waits, and works with an ended ctx.
func (q *Query) Complete(_ context.Context, rows any) error {
	partials, last, err := q.encode(protocol.CodeComplete, rows)
	if err != nil {
		return err
	}
	return q.finish(nil, partials, answer{message: last})
}

// Empty ends the query without (more) rows. It never waits, and works with an ended ctx.
func (q *Query) Empty(context.Context) error {
	return q.finish(nil, nil, answer{message: q.empty()})
}

// Fail ends the query with an error. It never waits, and works with an ended ctx.
func (q *Query) Fail(_ context.Context, e QueryError) error { return q.fail(e) }

func (q *Query) fail(e QueryError) error { return q.failBecause(e, e) }

func (q *Query) failBecause(cause error, e QueryError) error {
	message := protocol.AppendQueryError(nil, q.address, e)
	if len(message) > q.c.options.MaxOutbound {
		message = protocol.AppendQueryError(nil, q.address, QueryError{Code: e.Code, Template: "the error is too large for one message"})
	}
	return q.finish(cause, nil, answer{failure: true, message: message})
}

// finish ends the query with answers, the last of which is final. Only the first call of all does so; cause is what its
// context ends with.
func (q *Query) finish(cause error, partials []*answer, last answer) error {
	if !q.answered.CompareAndSwap(false, true) {
		return q.twice()
	}
	q.last = last
	q.last.query, q.last.final, q.last.since = q, true, time.Now()
	cancel := q.c.in.forget(q)
	q.c.out.answer(partials, &q.last)
	if cancel != nil {
		cancel(cause)
	}
	return nil
}

func (q *Query) twice() error {
	return fmt.Errorf("source %s: %w; the second one was not sent", q.c.source, ErrQueryAnswered)
}

// timeUp answers a query whose time is up.
func (q *Query) timeUp() {
	limit := q.c.options.QueryTimeout
	e := QueryError{Code: CodeTimeout, Template: "the connector had no answer within {0}", Parameters: []any{limit.String()}}
	if q.failBecause(errQueryTimeout, e) == nil {
		q.c.messages.log(q.c.log, "a query was answered with a time-out", errQueryTimeout, "limit", limit)
	}
}

// leftOn notes that an answer leaves on l, and reports whether an earlier part has left on another link. The caller
// holds outbound.mu.
func (q *Query) leftOn(l *link, final bool) (broken bool) {
	if q.left != 0 && q.left != l.id {
		return true
	}
	if !final {
		q.left = l.id
	}
	return false
}
