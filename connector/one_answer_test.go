package connector_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// A step is a part of what a Query handler does. An error ends it.
type step func(b *bench, q *connector.Query) error

func do(b *bench, q *connector.Query, steps []step) error {
	for _, s := range steps {
		if err := s(b, q); err != nil {
			return err
		}
	}
	return nil
}

func sends(row object) step {
	return func(_ *bench, q *connector.Query) error { return q.Partial(context.Background(), row) }
}

func completes(rows any) step {
	return func(_ *bench, q *connector.Query) error { return q.Complete(context.Background(), rows) }
}

func fails(e connector.QueryError) step {
	return func(_ *bench, q *connector.Query) error { return q.Fail(context.Background(), e) }
}

func responds(rows object) step {
	return func(b *bench, q *connector.Query) error {
		return b.conn.SendQueryResponse(context.Background(), q.ReplyAddress(), 200, rows)
	}
}

func returns(err error) step { return func(*bench, *connector.Query) error { return err } }

func panics(*bench, *connector.Query) error { panic("oh dear") }

func endsItsGoroutine(*bench, *connector.Query) error {
	runtime.Goexit()
	return nil
}

func heedsItsContext(_ *bench, q *connector.Query) error {
	<-q.Context().Done()
	return q.Context().Err()
}

func takes(d time.Duration) step {
	return func(*bench, *connector.Query) error {
		pass(d)
		return nil
	}
}

// loses drops the link when all that was said has been read, and waits until the connector knows.
func loses(how vantiqtest.Drop) step {
	return func(b *bench, _ *connector.Query) error {
		synctest.Wait()
		b.source.Drop(how)
		synctest.Wait()
		return nil
	}
}

// reconnects waits until the source is connected again.
func reconnects(b *bench, _ *connector.Query) error {
	defer pass(time.Second)
	return b.source.WaitSession(context.Background(), 2)
}

func meanwhile(steps ...step) step {
	return func(b *bench, q *connector.Query) error {
		go func() { _ = do(b, q, steps) }()
		return nil
	}
}

func atOnce(n int, s step) step {
	return func(b *bench, q *connector.Query) error {
		var all sync.WaitGroup
		for range n {
			all.Go(func() { _ = s(b, q) })
		}
		all.Wait()
		return nil
	}
}

// Whatever becomes of a query, Vantiq receives exactly one final response to it: one and no second, however long it waits.
func TestEveryQueryHasExactlyOneFinalResponse(t *testing.T) {
	var (
		first, other = object{"first": true}, object{"other": true}
		mine         = connector.QueryError{Code: "my.code", Template: "no"}
		err          = errors.New("no disk")
		later        = returns(connector.ErrAnswerLater)
	)
	const (
		limit    = 2 * time.Minute
		firstRow = `200 {"first":true}`
		empty    = "204"
		failed   = "400 "
	)
	for name, c := range map[string]struct {
		steps []step
		want  string        // the final response
		after time.Duration // at most
	}{
		"returns nil":            {[]step{}, empty, 0},
		"completes":              {[]step{completes(first)}, firstRow, 0},
		"completes without rows": {[]step{completes(nil)}, empty, 0},
		"fails":                  {[]step{fails(mine)}, failed + "my.code", 0},
		"sends rows and no end":  {[]step{sends(first)}, empty, 0},

		"errs":                    {[]step{returns(err)}, failed + connector.CodeHandlerError, 0},
		"errs with a query error": {[]step{returns(mine)}, failed + "my.code", 0},
		"errs after some rows":    {[]step{sends(first), returns(err)}, failed + connector.CodeHandlerError, 0},
		"errs after its answer":   {[]step{completes(first), returns(mine)}, firstRow, 0},

		"panics":                  {[]step{panics}, failed + connector.CodePanic, 0},
		"panics after some rows":  {[]step{sends(first), panics}, failed + connector.CodePanic, 0},
		"panics after its answer": {[]step{completes(first), panics}, firstRow, 0},
		"ends its goroutine":      {[]step{endsItsGoroutine}, failed + connector.CodePanic, 0},

		"hangs":                    {[]step{takes(time.Hour)}, failed + connector.CodeTimeout, limit},
		"hangs after some rows":    {[]step{sends(first), takes(time.Hour)}, failed + connector.CodeTimeout, limit},
		"hangs after its answer":   {[]step{completes(first), takes(time.Hour)}, firstRow, 0},
		"heeds its context":        {[]step{heedsItsContext}, failed + connector.CodeTimeout, limit},
		"answers after its limit":  {[]step{takes(limit + time.Second), completes(other)}, failed + connector.CodeTimeout, limit},
		"errs after its limit":     {[]step{takes(limit + time.Second), returns(mine)}, failed + connector.CodeTimeout, limit},
		"panics after its limit":   {[]step{takes(limit + time.Second), panics}, failed + connector.CodeTimeout, limit},
		"answers later":            {[]step{meanwhile(takes(time.Minute), completes(first)), later}, firstRow, time.Minute},
		"answers much later":       {[]step{meanwhile(takes(time.Hour), completes(other)), later}, failed + connector.CodeTimeout, limit},
		"never answers":            {[]step{later}, failed + connector.CodeTimeout, limit},
		"sends rows, never an end": {[]step{sends(first), later}, failed + connector.CodeTimeout, limit},

		"answers twice":                  {[]step{completes(first), completes(other)}, firstRow, 0},
		"answers, then fails":            {[]step{completes(first), fails(mine)}, firstRow, 0},
		"fails, then answers":            {[]step{fails(mine), completes(other)}, failed + "my.code", 0},
		"answers, then sends rows":       {[]step{completes(first), sends(other)}, firstRow, 0},
		"answers twice by reply address": {[]step{responds(first), responds(other)}, firstRow, 0},
		"answers a hundred times":        {[]step{atOnce(100, completes(first))}, firstRow, 0},
		"answers again when it is done":  {[]step{meanwhile(takes(time.Second), completes(other)), completes(first)}, firstRow, 0},

		"answers without a link":     {[]step{loses(vantiqtest.FIN), completes(first)}, firstRow, 3 * time.Second},
		"returns nil without a link": {[]step{loses(vantiqtest.RST)}, empty, 3 * time.Second},
		"answers after a reconnect":  {[]step{loses(1001), meanwhile(reconnects, completes(first)), later}, firstRow, 5 * time.Second},
		"answers twice after a reconnect": {
			[]step{loses(1001), meanwhile(reconnects, completes(first), completes(other)), later},
			firstRow, 5 * time.Second,
		},
		"answers before and after a reconnect": {[]step{completes(first), loses(vantiqtest.FIN), meanwhile(reconnects, completes(other))}, firstRow, 0},
		"completes its rows after a reconnect": {
			[]step{sends(first), loses(vantiqtest.FIN), meanwhile(reconnects, completes(other)), later},
			failed + connector.CodeInterrupted, 5 * time.Second,
		},
		"never answers after a reconnect":         {[]step{loses(vantiqtest.FIN), meanwhile(reconnects), later}, failed + connector.CodeTimeout, limit},
		"heeds its context when the link is lost": {[]step{loses(vantiqtest.FIN), heedsItsContext}, failed + connector.CodeInterrupted, 5 * time.Second},
		"hangs when the link is lost":             {[]step{loses(vantiqtest.FIN), takes(time.Hour)}, failed + connector.CodeInterrupted, 15 * time.Second},

		"does not exist": {nil, failed + connector.CodeNoHandler, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := setUp(t, nil, connector.Options{Logger: quiet})
				var handlers connector.Handlers
				if c.steps != nil {
					handlers = onQuery(func(_ context.Context, _ *connector.SourceConnection, q *connector.Query) error {
						return do(b, q, c.steps)
					})
				}
				b.connect(handlers)
				finals := b.finals()
				began := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
				defer cancel()
				_, _ = b.source.Query(ctx, nil)
				if took := time.Since(began); took > c.after {
					t.Errorf("the answer came after %v, want %v at most", took, c.after)
				}
				pass(2 * time.Hour) // for a second one
				if got := finals(); len(got) != 1 || got[0] != c.want {
					t.Errorf("the final responses are %q, want %q", got, c.want)
				}
				if s := b.conn.Stats(); s.QueriesOpen != 0 || s.Queries != 1 {
					t.Errorf("stats %+v", s)
				}
			})
		})
	}
}

// finals returns a function that lists the final responses which the server has received from now on.
func (b *bench) finals() (list func() []string) {
	j := &journal{}
	b.server.Intercept(func(_ *vantiqtest.Link, m protocol.Message) bool {
		if r, ok := m.(*protocol.Response); ok && !r.Partial() {
			text := string(r.Body)
			if e, err := protocol.ParseQueryError(r.Body); r.Err() != nil && err == nil {
				text = e.Code
			}
			j.add(strings.TrimSpace(fmt.Sprint(r.Status, " ", text)))
		}
		return false
	})
	return j.all
}

// Queries that no handler ever sees are answered, too.
func TestQueriesThatReachNoHandlerHaveExactlyOneFinalResponse(t *testing.T) {
	held := func(ctx context.Context, _ *connector.SourceConnection, q *connector.Query) error {
		pass(3 * time.Second)
		return q.Empty(ctx)
	}
	for name, c := range map[string]struct {
		options  connector.Options
		handlers connector.Handlers
		queries  int
		then     func(b *bench)
		want     map[string]int
	}{
		"because too many run and wait": {
			options:  connector.Options{MaxQueries: 1, MaxWaitingQueries: 1},
			handlers: onQuery(held),
			queries:  4,
			want:     map[string]int{"204": 2, "400 " + connector.CodeBusy: 2},
		},
		"because Connect has refused the configuration": {
			handlers: connector.Handlers{
				Connect: func(context.Context, *connector.SourceConnection, connector.Document) error {
					return connector.Permanent(errors.New("no port"))
				},
				Query: held,
			},
			queries: 2,
			want:    map[string]int{"400 " + connector.CodeNotConfigured: 2},
		},
		"because Connect never returns": {
			handlers: connector.Handlers{
				Connect: func(ctx context.Context, _ *connector.SourceConnection, _ connector.Document) error {
					<-ctx.Done()
					return ctx.Err()
				},
				Query: held,
			},
			queries: 2,
			want:    map[string]int{"400 " + connector.CodeTimeout: 2},
		},
		"because the connector shuts down": {
			options:  connector.Options{MaxQueries: 1},
			handlers: onQuery(held),
			queries:  3,
			then:     func(b *bench) { b.stop() },
			want:     map[string]int{"204": 1, "400 " + connector.CodeShutdown: 2},
		},
		"because the link was lost while they waited": {
			options:  connector.Options{MaxQueries: 1},
			handlers: onQuery(held),
			queries:  3,
			then:     func(b *bench) { b.source.Drop(vantiqtest.FIN) },
			want:     map[string]int{"204": 3}, // the next session's handlers see them
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				options := c.options
				options.Logger = quiet
				b := setUp(t, nil, options)
				b.run(c.handlers)
				b.must(b.source.WaitSession(b.soon(), 1))
				synctest.Wait()
				finals := b.finals()
				var all sync.WaitGroup
				for range c.queries {
					all.Go(func() {
						ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
						defer cancel()
						_, _ = b.source.Query(ctx, nil)
					})
				}
				synctest.Wait()
				if c.then != nil {
					c.then(b)
				}
				all.Wait()
				pass(time.Hour)
				got := map[string]int{}
				for _, final := range finals() {
					got[final]++
				}
				if fmt.Sprint(got) != fmt.Sprint(c.want) || len(b.source.Stray()) > 0 {
					t.Errorf("the final responses are %v, want %v; %d strays", got, c.want, len(b.source.Stray()))
				}
			})
		})
	}
}
