package connector_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// queryError returns the query error that err is, or fails the test.
func queryError(t *testing.T, err error) protocol.QueryError {
	t.Helper()
	var e protocol.QueryError
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want a query error", err)
	}
	return e
}

func onQuery(handle func(ctx context.Context, c *connector.SourceConnection, q *connector.Query) error) connector.Handlers {
	return connector.Handlers{Query: handle}
}

func TestWhatAQueryHandlerDoesIsTheAnswer(t *testing.T) {
	type query = *connector.Query
	cases := map[string]struct {
		handle func(ctx context.Context, c *connector.SourceConnection, q query) error
		rows   string // what the SELECT returns
		code   string // or how it fails
		text   string
	}{
		"complete with a row": {handle: func(ctx context.Context, _ *connector.SourceConnection, q query) error {
			return q.Complete(ctx, object{"a": 1})
		}, rows: `[{"a":1}]`},
		"complete with rows": {handle: func(ctx context.Context, _ *connector.SourceConnection, q query) error {
			return q.Complete(ctx, []object{{"a": 1}, {"a": 2}})
		}, rows: `[{"a":1} {"a":2}]`},
		"complete without rows": {handle: func(ctx context.Context, _ *connector.SourceConnection, q query) error {
			return q.Complete(ctx, []object{})
		}, rows: `[]`},
		"complete with nil": {handle: func(ctx context.Context, _ *connector.SourceConnection, q query) error { return q.Complete(ctx, nil) }, rows: `[]`},
		"empty":             {handle: func(ctx context.Context, _ *connector.SourceConnection, q query) error { return q.Empty(ctx) }, rows: `[]`},
		"nothing":           {handle: func(context.Context, *connector.SourceConnection, query) error { return nil }, rows: `[]`},
		"partials and the end": {handle: func(ctx context.Context, _ *connector.SourceConnection, q query) error {
			return errors.Join(q.Partial(ctx, []object{{"a": 1}, {"a": 2}}), q.Partial(ctx, []object{}), q.Partial(ctx, object{"a": 3}), q.Complete(ctx, object{"a": 4}))
		}, rows: `[{"a":1} {"a":2} {"a":3} {"a":4}]`},
		"partial, then nothing": {handle: func(ctx context.Context, _ *connector.SourceConnection, q query) error {
			return q.Partial(ctx, object{"a": 1})
		}, rows: `[{"a":1}]`},
		"by reply address": {handle: func(ctx context.Context, c *connector.SourceConnection, q query) error {
			return errors.Join(c.SendQueryResponse(ctx, q.ReplyAddress(), 100, object{"a": 1}), c.SendQueryResponse(ctx, q.ReplyAddress(), 200, object{"a": 2}))
		}, rows: `[{"a":1} {"a":2}]`},
		"error by reply address": {handle: func(ctx context.Context, c *connector.SourceConnection, q query) error {
			return c.SendQueryError(ctx, q.ReplyAddress(), connector.QueryError{Code: "my.code", Template: "no {0}", Parameters: []any{"luck"}})
		}, code: "my.code", text: "no luck"},
		"with an ended context": {handle: func(ctx context.Context, _ *connector.SourceConnection, q query) error {
			ended, cancel := context.WithCancel(ctx)
			cancel()
			return errors.Join(q.Partial(ended, object{"a": 1}), q.Complete(ended, object{"a": 2}))
		}, rows: `[{"a":1} {"a":2}]`},
		"fail": {handle: func(ctx context.Context, _ *connector.SourceConnection, q query) error {
			return q.Fail(ctx, connector.QueryError{Code: "my.code", Template: "bad {0}", Parameters: []any{7}})
		}, code: "my.code", text: "bad 7"},
		"a query error": {handle: func(context.Context, *connector.SourceConnection, query) error {
			return connector.QueryError{Code: "my.code", Template: "x"}
		}, code: "my.code", text: "x"},
		"a pointer to one": {handle: func(context.Context, *connector.SourceConnection, query) error {
			return &connector.QueryError{Code: "my.code", Template: "x"}
		}, code: "my.code", text: "x"},
		"a wrapped one": {handle: func(context.Context, *connector.SourceConnection, query) error {
			return fmt.Errorf("reading: %w", connector.QueryError{Code: "my.code", Template: "x"})
		}, code: "my.code", text: "x"},
		"any other error":          {handle: func(context.Context, *connector.SourceConnection, query) error { return errors.New("no {0} disk") }, code: connector.CodeHandlerError, text: "no {0} disk"},
		"a panic":                  {handle: func(context.Context, *connector.SourceConnection, query) error { panic("oh {1} dear") }, code: connector.CodePanic, text: "the connector panicked: oh {1} dear"},
		"the end of its goroutine": {handle: func(context.Context, *connector.SourceConnection, query) error { runtime.Goexit(); return nil }, code: connector.CodePanic, text: "the handler ended its goroutine"},
		"a scalar":                 {handle: func(ctx context.Context, _ *connector.SourceConnection, q query) error { return q.Complete(ctx, 5) }, code: connector.CodeHandlerError, text: "not a JSON object"},
		"scalars": {handle: func(ctx context.Context, _ *connector.SourceConnection, q query) error {
			return q.Complete(ctx, []int{5})
		}, code: connector.CodeHandlerError, text: "not a JSON object"},
		"what cannot be encoded": {handle: func(ctx context.Context, _ *connector.SourceConnection, q query) error {
			return q.Complete(ctx, object{"f": func() {}})
		}, code: connector.CodeHandlerError, text: "unsupported type"},
		"a code that is none": {handle: func(ctx context.Context, c *connector.SourceConnection, q query) error {
			return c.SendQueryResponse(ctx, q.ReplyAddress(), 201, object{"a": 1})
		}, code: connector.CodeHandlerError, text: "code 201: use 100 (partial), 200 (complete) or 204 (empty)"},
	}
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{})
		b.connect(onQuery(func(ctx context.Context, c *connector.SourceConnection, q *connector.Query) error {
			var parameters struct{ Case string }
			if err := q.Decode(&parameters); err != nil {
				return err
			}
			return cases[parameters.Case].handle(ctx, c, q)
		}))
		for name, want := range cases {
			rows, err := b.source.Query(b.soon(), object{"Case": name})
			if want.code == "" {
				if err != nil || fmt.Sprint(rows) != want.rows {
					t.Errorf("%s: %v, %v; want %s", name, rows, err, want.rows)
				}
				continue
			}
			if e := queryError(t, err); e.Code != want.code || !strings.Contains(e.Message(), want.text) {
				t.Errorf("%s: %v; want %s: %s", name, e, want.code, want.text)
			}
		}
		synctest.Wait()
		if stray := b.source.Stray(); len(stray) > 0 {
			t.Errorf("more than one answer: %+v", stray)
		}
	})
}

func TestASecondAnswerIsRefusedAndNeverSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{})
		second := make(chan error, 7)
		b.connect(onQuery(func(ctx context.Context, c *connector.SourceConnection, q *connector.Query) error {
			if err := q.Complete(ctx, object{"first": true}); err != nil {
				return err
			}
			if q.Context().Err() == nil {
				t.Error("the query's context outlives its answer")
			}
			second <- q.Complete(ctx, object{"second": true})
			second <- q.Partial(ctx, object{"second": true})
			second <- q.Empty(ctx)
			second <- q.Fail(ctx, connector.QueryError{Code: "second"})
			second <- connector.Rows(ctx, q, func(yield func(object, error) bool) { yield(object{"second": true}, nil) })
			second <- c.SendQueryResponse(ctx, q.ReplyAddress(), 200, object{"second": true})
			second <- c.SendQueryError(ctx, "never-was", connector.QueryError{Code: "second"})
			return errors.New("a third")
		}))
		rows, err := b.source.Query(b.soon(), nil)
		if err != nil || fmt.Sprint(rows) != `[{"first":true}]` {
			t.Errorf("%v, %v", rows, err)
		}
		for range cap(second) {
			if err := <-second; !errors.Is(err, connector.ErrQueryAnswered) {
				t.Errorf("a second answer returned %v", err)
			}
		}
		synctest.Wait()
		if stray := b.source.Stray(); len(stray) > 0 {
			t.Errorf("it was sent: %+v", stray)
		}
	})
}

func TestAnswerLaterFreesTheSlotAndKeepsTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{MaxQueries: 1})
		later := make(chan *connector.Query, 2)
		b.connect(onQuery(func(_ context.Context, _ *connector.SourceConnection, q *connector.Query) error {
			later <- q
			return connector.ErrAnswerLater
		}))
		answers := make(chan error, 2)
		for n := range 2 {
			go func() {
				_, err := b.source.Query(context.Background(), object{"n": n})
				answers <- err
			}()
		}
		first, forgotten := <-later, <-later // both handlers ran though there is one slot
		_ = forgotten
		pass(time.Minute)
		b.must(first.Complete(context.Background(), object{"late": true}))
		b.must(<-answers)
		began := time.Now()
		if e := queryError(t, <-answers); e.Code != connector.CodeTimeout {
			t.Errorf("a forgotten query got %v", e)
		}
		if waited := time.Since(began); waited != time.Minute {
			t.Errorf("it was answered %v after half of its two minutes", waited)
		}
	})
}

func TestAHangingHandlerIsAnsweredForAndLosesItsSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{MaxQueries: 1, QueryTimeout: 6 * time.Second})
		release := make(chan struct{})
		b.connect(onQuery(func(ctx context.Context, _ *connector.SourceConnection, q *connector.Query) error {
			var parameters struct{ Hang bool }
			if err := q.Decode(&parameters); err != nil || !parameters.Hang {
				return err
			}
			<-release // whatever its context says
			if !errors.Is(context.Cause(q.Context()), context.DeadlineExceeded) {
				t.Errorf("its context ended with %v", context.Cause(q.Context()))
			}
			return errors.New("too late")
		}))
		began := time.Now()
		_, err := b.source.Query(b.soon(), object{"hang": true})
		if e := queryError(t, err); e.Code != connector.CodeTimeout || time.Since(began) != 6*time.Second {
			t.Errorf("%v after %v", e, time.Since(began))
		}
		// Its slot comes back 10 seconds after its context ended.
		_, err = b.source.Query(b.soon(), nil)
		if e := queryError(t, err); e.Code != connector.CodeTimeout {
			t.Errorf("a query behind it got %v", e)
		}
		began = time.Now()
		_, err = b.source.Query(b.soon(), nil)
		if waited := time.Since(began); err != nil || waited > 5*time.Second {
			t.Errorf("after the handler was left behind: %v after %v", err, waited)
		}
		if s := b.conn.Stats(); s.Abandoned != 1 || s.QueriesOpen != 0 {
			t.Errorf("stats %+v", s)
		}
		close(release)
		synctest.Wait()
		if _, err := b.source.Query(b.soon(), nil); err != nil {
			t.Error(err)
		}
		if stray := b.source.Stray(); len(stray) > 0 {
			t.Errorf("more than one answer: %+v", stray)
		}
	})
}

func TestQueriesRunAtOnceUpToTheirLimitThenWaitThenAreBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{MaxQueries: 3, MaxWaitingQueries: 2})
		var running, most atomic.Int64
		release := make(chan struct{})
		b.connect(connector.Handlers{
			Query: func(ctx context.Context, _ *connector.SourceConnection, q *connector.Query) error {
				most.Store(max(most.Load(), running.Add(1)))
				defer running.Add(-1)
				<-release
				return q.Empty(ctx)
			},
			Publish: echo().Publish,
		})
		var busy, fine atomic.Int64
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				switch _, err := b.source.Query(context.Background(), nil); {
				case err == nil:
					fine.Add(1)
				case queryError(t, err).Code == connector.CodeBusy:
					busy.Add(1)
				}
			})
		}
		synctest.Wait()
		if running.Load() != 3 || busy.Load() != 3 || b.conn.Stats().QueriesOpen != 5 {
			t.Errorf("%d run, %d are busy, %d are open", running.Load(), busy.Load(), b.conn.Stats().QueriesOpen)
		}
		b.must(b.source.Publish(b.soon(), object{"meanwhile": true})) // publishes are not held up by queries
		if _, err := b.source.Notification(b.soon()); err != nil {
			t.Error(err)
		}
		close(release)
		all.Wait()
		if fine.Load() != 5 || most.Load() != 3 {
			t.Errorf("%d answered, at most %d at once", fine.Load(), most.Load())
		}
	})
}

func TestWithoutAHandlerAQueryIsAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{}).connect(connector.Handlers{})
		_, err := b.source.Query(b.soon(), nil)
		if e := queryError(t, err); e.Code != connector.CodeNoHandler {
			t.Error(e)
		}
	})
}

func TestAnswersAreSplitBelowTheMessageLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rows = 1000
		b := setUp(t, nil, connector.Options{MaxOutbound: 4096}, vantiqtest.WithMaxMessage(4096))
		row := func(n int) object { return object{"n": n, "pad": strings.Repeat("ü", n%500)} }
		b.connect(onQuery(func(ctx context.Context, _ *connector.SourceConnection, q *connector.Query) error {
			var parameters struct{ How string }
			if err := q.Decode(&parameters); err != nil {
				return err
			}
			switch parameters.How {
			case "rows":
				return connector.Rows(ctx, q, func(yield func(object, error) bool) {
					for n := range rows {
						if !yield(row(n), nil) {
							return
						}
					}
				})
			case "partial":
				var all []object
				for n := range rows / 2 {
					all = append(all, row(n))
				}
				if err := q.Partial(ctx, all); err != nil {
					return err
				}
				all = all[:0]
				for n := range rows / 2 {
					all = append(all, row(rows/2+n))
				}
				return q.Complete(ctx, all)
			}
			return q.Complete(ctx, []object{row(1), {"pad": strings.Repeat("x", 5000)}})
		}))
		for _, how := range []string{"rows", "partial"} {
			got, err := b.source.Query(b.soon(), object{"how": how})
			if err != nil || len(got) != rows {
				t.Fatalf("%s: %d rows, %v", how, len(got), err)
			}
			for n, document := range got {
				want, _ := json.Marshal(row(n))
				if document.String() != string(want) {
					t.Fatalf("%s: row %d is %s", how, n, document)
				}
			}
		}
		_, err := b.source.Query(b.soon(), object{"how": "too large"})
		if e := queryError(t, err); e.Code != connector.CodeTooLarge {
			t.Errorf("a row above the limit: %v", e)
		}
	})
}

func TestRows(t *testing.T) {
	type row struct {
		N int `json:"n"`
	}
	seq := func(n int, end error) iter.Seq2[row, error] {
		return func(yield func(row, error) bool) {
			for i := range n {
				if !yield(row{i}, nil) {
					return
				}
			}
			if end != nil {
				yield(row{}, end)
			}
		}
	}
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{})
		var rows iter.Seq2[row, error]
		returned := make(chan error, 1)
		b.connect(onQuery(func(ctx context.Context, _ *connector.SourceConnection, q *connector.Query) error {
			returned <- connector.Rows(ctx, q, rows)
			return nil // even if a handler forgets to return it
		}))
		for n, want := range map[int]string{0: `[]`, 1: `[{"n":0}]`, 3: `[{"n":0} {"n":1} {"n":2}]`} {
			rows = seq(n, nil)
			got, err := b.source.Query(b.soon(), nil)
			if returned := <-returned; err != nil || fmt.Sprint(got) != want || returned != nil {
				t.Errorf("%d rows: %v, %v, %v", n, got, err, returned)
			}
		}
		rows = seq(2, errors.New("disk gone"))
		_, err := b.source.Query(b.soon(), nil)
		if e := queryError(t, err); e.Code != connector.CodeHandlerError || e.Message() != "disk gone" {
			t.Error(e)
		}
		if <-returned == nil {
			t.Error("Rows does not return the iterator's error")
		}
		rows = seq(2, connector.QueryError{Code: "my.code"})
		_, err = b.source.Query(b.soon(), nil)
		if e := queryError(t, err); e.Code != "my.code" {
			t.Error(e)
		}
		<-returned
	})
}

func TestQueriesThatCannotBeAnsweredAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{})
		var calls atomic.Int64
		release := make(chan struct{})
		b.connect(onQuery(func(context.Context, *connector.SourceConnection, *connector.Query) error {
			calls.Add(1)
			<-release
			return nil
		}))
		b.must(b.source.SendRaw(`{"op":"query","object":{}}`))
		for range 2 {
			b.must(b.source.SendRaw(`{"op":"query","messageHeaders":{"REPLY_ADDR_HEADER":"same"},"object":{}}`))
		}
		synctest.Wait()
		if calls.Load() != 1 || b.conn.Stats().Queries != 3 {
			t.Errorf("%d handlers ran for %d queries", calls.Load(), b.conn.Stats().Queries)
		}
		close(release)
	})
}

// A later query has its time limit too, whatever became of those before.
func TestTheTimeLimitOfALaterQuery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{Logger: quiet})
		var asked atomic.Int64
		b.connect(onQuery(func(ctx context.Context, _ *connector.SourceConnection, q *connector.Query) error {
			if asked.Add(1)%2 == 1 {
				return q.Empty(ctx)
			}
			return connector.ErrAnswerLater
		}))
		for range 3 {
			_, err := b.source.Query(b.soon(), nil)
			b.must(err)
			pass(70 * time.Second)
			began := time.Now()
			ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
			_, err = b.source.Query(ctx, nil)
			cancel()
			if e := queryError(t, err); e.Code != connector.CodeTimeout || time.Since(began) != 2*time.Minute {
				t.Errorf("%v after %v", e, time.Since(began))
			}
		}
	})
}
