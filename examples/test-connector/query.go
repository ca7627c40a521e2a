package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
)

func (t *testConnector) query(ctx context.Context, c *connector.SourceConnection, _ *source, q *connector.Query) error {
	do, err := verb(q.Parameters())
	if err != nil {
		return err
	}
	switch do {
	case "echo":
		return queryEcho(ctx, q)
	case "rows":
		return queryRows(ctx, q)
	case "delay":
		return queryDelay(ctx, q)
	case "fail":
		return queryFail(ctx, q)
	case "error":
		return queryError(q)
	case "panic":
		return panicAsTold(q.Parameters())
	case "silent":
		return nil
	case "twice":
		return queryTwice(ctx, c, q)
	case "later":
		return queryLater(q)
	case "forget":
		return connector.ErrAnswerLater
	case "hang":
		select {}
	case "stats":
		return q.Complete(ctx, statsOf(c))
	}
	return fmt.Errorf("a query cannot do %q: use echo, rows, delay, fail, error, panic, silent, twice, later, forget, hang "+
		"or stats", do)
}

func queryEcho(ctx context.Context, q *connector.Query) error {
	if q.Parameters().Equal(connector.Document{}) {
		return q.Empty(ctx)
	}
	return q.Complete(ctx, q.Parameters())
}

// queryRows streams: the rows are made one by one, and leave as messages fill up.
func queryRows(ctx context.Context, q *connector.Query) error {
	parameters := struct {
		Rows      int  `json:"rows"`
		Size      int  `json:"size"`
		FailAfter *int `json:"failAfter"`
	}{Rows: 1}
	if err := q.Decode(&parameters); err != nil {
		return err
	}
	rows := testRows(parameters.Rows, parameters.Size)
	if parameters.FailAfter != nil {
		rows = failing(rows, *parameters.FailAfter)
	}
	return connector.Rows(ctx, q, rows)
}

// A row is one of many.
type row struct {
	N   int    `json:"n"`
	Pad string `json:"pad"`
}

func testRows(count, size int) iter.Seq2[row, error] {
	pad := padding(size)
	return func(yield func(row, error) bool) {
		for i := range count {
			if !yield(row{i, pad}, nil) {
				return
			}
		}
	}
}

// failing yields an error behind so many rows, as a database does whose connection is lost.
func failing(rows iter.Seq2[row, error], after int) iter.Seq2[row, error] {
	return func(yield func(row, error) bool) {
		for r, err := range rows {
			if r.N == after {
				break
			}
			if !yield(r, err) {
				return
			}
		}
		yield(row{}, fmt.Errorf("failed after %d rows", after))
	}
}

func queryDelay(ctx context.Context, q *connector.Query) error {
	ms, err := delayOf(q)
	if err != nil {
		return err
	}
	if err := sleep(ctx, ms); err != nil {
		return err
	}
	return queryEcho(ctx, q)
}

func delayOf(q *connector.Query) (ms int, err error) {
	var parameters struct {
		DelayMs int `json:"delayMs"`
	}
	err = q.Decode(&parameters)
	return parameters.DelayMs, err
}

func queryFail(ctx context.Context, q *connector.Query) error {
	text, err := textOf(q.Parameters())
	if err != nil {
		return err
	}
	return q.Fail(ctx, connector.QueryError{Code: "test.failed", Template: "failed: {0}", Parameters: []any{text}})
}

func queryError(q *connector.Query) error {
	text, err := textOf(q.Parameters())
	if err != nil {
		return err
	}
	return errors.New(text)
}

func queryTwice(ctx context.Context, c *connector.SourceConnection, q *connector.Query) error {
	if err := q.Complete(ctx, map[string]bool{"first": true}); err != nil {
		return err
	}
	text := ""
	if err := q.Complete(ctx, map[string]bool{"second": true}); err != nil {
		text = err.Error()
	}
	return c.SendNotification(context.WithoutCancel(ctx), map[string]string{"secondAnswer": text}) // ctx ended with the answer
}

// queryLater answers from another goroutine, which works also when the link was lost meanwhile: the answer then travels
// with the next session. If the query's time is up before, it has been answered, and this answer goes nowhere.
func queryLater(q *connector.Query) error {
	ms, err := delayOf(q)
	if err != nil {
		return err
	}
	time.AfterFunc(milliseconds(ms), func() { _ = q.Complete(q.Context(), q.Parameters()) })
	return connector.ErrAnswerLater
}
