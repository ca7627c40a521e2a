package connector

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"

	"github.com/vantiq-go/connectorsdk/internal/jsonscan"
	"github.com/vantiq-go/connectorsdk/protocol"
)

// Rows answers q with the rows that an iterator yields, without holding more of them than fit into one message: it
// sends partials as they fill up and ends with the last rows, or without rows if there are none. A row is a value that
// is marshalled as a JSON object.
//
// When the iterator yields an error, the query fails with it: with a [QueryError] as it is, with any other under
// [CodeHandlerError]. A row that does not fit into one message fails the query with [CodeTooLarge]. Rows returns the
// error too, so that a handler may end with "return connector.Rows(ctx, q, rows)". It waits while much is still to be
// written, for as long as ctx lasts.
func Rows[T any](ctx context.Context, q *Query, rows iter.Seq2[T, error]) error {
	w := rowWriter{q: q}
	for row, err := range rows {
		if err == nil {
			err = w.add(ctx, row)
		}
		if err != nil {
			_ = q.fail(q.errorFor(err))
			return err
		}
	}
	buffer := w.buffer
	return q.finish(nil, nil, answer{message: w.take(protocol.CodeComplete), buffer: buffer})
}

// A rowWriter gathers encoded rows into messages.
type rowWriter struct {
	q       *Query
	message []byte  // a response up to the last row, without the end of its array
	buffer  *[]byte // from the group, what message is in; nil before the first message is full: most are the only one
	rows    int
}

// add encodes a row, and sends the rows before it if it does not fit behind them.
func (w *rowWriter) add(ctx context.Context, row any) error {
	start := len(w.message)
	if w.rows == 0 {
		w.message = w.q.prefix(w.message[:0], protocol.CodePartial)
		start = len(w.message)
	}
	message, err := protocol.AppendJSON(append(w.message, separator(w.rows)), row)
	if err != nil {
		return fmt.Errorf("encoding a row: %w", err)
	}
	if message[start+1] != '{' {
		return fmt.Errorf("a row of type %T: %w", row, ErrNotObject)
	}
	if len(message)+len(suffix) <= w.q.c.options.MaxOutbound {
		w.message = message
		w.rows++
		return nil
	}
	if w.rows == 0 {
		return rowTooLarge(len(message), w.q.c.options.MaxOutbound)
	}
	buffer := w.buffer
	if err := w.q.partial(ctx, &answer{query: w.q, message: w.take(protocol.CodePartial), buffer: buffer}); err != nil {
		return err
	}
	w.buffer = w.q.c.options.Group.rows.Get().(*[]byte)
	w.message = (*w.buffer)[:0]
	return w.add(ctx, row)
}

// take returns what was gathered as a response, without rows if there are none, and begins anew.
func (w *rowWriter) take(code int) []byte {
	if w.rows == 0 {
		return w.q.empty()
	}
	message := append(w.message, suffix...)
	setCode(message, code)
	*w = rowWriter{q: w.q}
	return message
}

func rowTooLarge(size, limit int) error {
	return fmt.Errorf("a row of %d bytes: %w of %d bytes", size, ErrTooLarge, limit)
}

const suffix = "]}"

func separator(rows int) byte {
	if rows == 0 {
		return '['
	}
	return ','
}

// prefix appends a response up to the value of its body.
func (q *Query) prefix(dst []byte, code int) []byte {
	dst = protocol.AppendQueryResponse(dst, q.address, code, nil)
	return append(dst[:len(dst)-1], `,"body":`...)
}

// setCode changes the status of a response that was encoded with another one. All codes have three digits.
func setCode(message []byte, code int) {
	const before = len(`{"status":`)
	message[before], message[before+1], message[before+2] = byte('0'+code/100), byte('0'+code/10%10), byte('0'+code%10)
}

// encode turns rows, a value or a slice of values, into as many responses as it takes: the last one, which has the code, and
// those before it. There is none for no rows that others follow.
func (q *Query) encode(code int, rows any) (before []*answer, last []byte, err error) {
	scratch := scratches.Get().(*[]byte)
	message := q.prefix((*scratch)[:0], code)
	start := len(message)
	if message, err = protocol.AppendJSON(message, rows); err != nil {
		return nil, nil, fmt.Errorf("encoding the rows of a query: %w", err)
	}
	if cap(message) <= maxPooledFrame {
		*scratch = message
		defer scratches.Put(scratch)
	}
	body := message[start:]
	empty, err := checkRows(body)
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("source %s: the rows of a query are of type %T: %w; answer with a struct, a map or a slice of them", q.c.source, rows, err)
	case empty && code == protocol.CodePartial:
		return nil, nil, nil
	case empty:
		return nil, q.empty(), nil
	case len(message) < q.c.options.MaxOutbound:
		last = append(make([]byte, 0, len(message)+1), message...)
		return nil, append(last, '}'), nil
	}
	return q.split(code, body)
}

// scratches are where responses are encoded before it is known how large they are.
var scratches = sync.Pool{New: func() any { return new([]byte) }}

func (q *Query) empty() []byte {
	return protocol.AppendQueryResponse(nil, q.address, protocol.CodeEmpty, nil)
}

// checkRows looks at the first row only: a server takes objects, what it makes of anything else is not documented.
func checkRows(body []byte) (empty bool, err error) {
	switch body[0] {
	case '{':
		return false, nil
	case 'n':
		return true, nil
	case '[':
		switch rest := bytes.TrimLeft(body[1:], " \t\r\n"); {
		case bytes.HasPrefix(rest, []byte("{")):
			return false, nil
		case bytes.HasPrefix(rest, []byte("]")):
			return true, nil
		}
	}
	return false, ErrNotObject
}

// split spreads the elements of an array over several responses.
func (q *Query) split(code int, body []byte) (before []*answer, last []byte, err error) {
	limit := q.c.options.MaxOutbound
	if body[0] == '{' {
		return nil, nil, fmt.Errorf("source %s: %w", q.c.source, rowTooLarge(len(body), limit))
	}
	if err := jsonscan.Valid(body); err != nil { // in an Encoded: rows would be left out
		return nil, nil, fmt.Errorf("source %s: encoding the rows of a query: %w", q.c.source, err)
	}
	var current []byte
	for row := range jsonscan.Elements(body) {
		if current != nil && len(current)+1+len(row)+len(suffix) > limit {
			before = append(before, &answer{query: q, message: append(current, suffix...)})
			current = nil
		}
		if current == nil {
			current = append(q.prefix(nil, protocol.CodePartial), '[')
		} else {
			current = append(current, ',')
		}
		if current = append(current, row...); len(current)+len(suffix) > limit {
			return nil, nil, fmt.Errorf("source %s: %w", q.c.source, rowTooLarge(len(row), limit))
		}
	}
	last = append(current, suffix...)
	setCode(last, code)
	return before, last, nil
}

// asQueryError returns what a query fails with because of err.
func asQueryError(err error) QueryError {
	var e QueryError
	var pointer *QueryError
	switch {
	case errors.As(err, &e):
		return e
	case errors.As(err, &pointer) && pointer != nil:
		return *pointer
	case errors.Is(err, ErrTooLarge):
		return QueryError{Code: CodeTooLarge, Template: "{0}", Parameters: []any{err.Error()}}
	}
	return QueryError{Code: CodeHandlerError, Template: "{0}", Parameters: []any{err.Error()}}
}
