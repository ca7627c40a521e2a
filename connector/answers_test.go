package connector_test

import (
	"context"
	"errors"
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

// ask asks so many queries at once, each for at most limit, and then returns how many had rows, as many as were wanted,
// and how many had which query error; the rest had no answer.
func (b *bench) ask(queries, rows int, limit time.Duration) (fine int, codes map[string]int) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	codes = map[string]int{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for range queries {
		all.Go(func() {
			got, err := b.source.Query(ctx, nil)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil && len(got) != rows:
				b.t.Errorf("an answer of %d rows counts as complete, %d were given", len(got), rows)
			case err == nil:
				fine++
			case ctx.Err() == nil:
				codes[codeOf(err)]++
			}
		})
	}
	all.Wait()
	return fine, codes
}

// codeOf returns the code of a query error, or says what else an error is.
func codeOf(err error) string {
	var e protocol.QueryError
	if errors.As(err, &e) {
		return e.Code
	}
	return err.Error()
}

// A partial answer that had waited too long was dropped, and the final one behind it was not: rows were missing.
func TestAnAnswerWithoutItsExpiredPartIsInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{})
		later := make(chan *connector.Query, 1)
		b.connect(onQuery(func(_ context.Context, _ *connector.SourceConnection, q *connector.Query) error {
			later <- q
			return connector.ErrAnswerLater
		}))
		go func() {
			q := <-later
			b.server.Stop(vantiqtest.FIN)
			pass(time.Second)
			if err := q.Partial(context.Background(), []object{{"n": 1}, {"n": 2}}); err != nil {
				t.Error(err)
			}
			pass(50 * time.Second)
			if err := q.Complete(context.Background(), []object{{"n": 3}}); err != nil {
				t.Error(err)
			}
			pass(15 * time.Second)
			b.server.Start()
		}()
		fine, codes := b.ask(1, 3, 10*time.Minute)
		if fine != 0 || codes[connector.CodeInterrupted] != 1 {
			t.Errorf("%d complete answers, errors %v", fine, codes)
		}
		if s := b.conn.Stats(); s.AnswersInterrupted != 1 || s.QueriesOpen != 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

// Rows stops with ErrNotConnected between two parts. The query was then told that the handler had failed.
func TestRowsCutByALostLinkAreInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{Logger: quiet})
		b.connect(onQuery(func(ctx context.Context, _ *connector.SourceConnection, q *connector.Query) error {
			return connector.Rows(ctx, q, func(yield func(object, error) bool) {
				for n := range 1000 {
					if !yield(object{"n": n, "pad": strings.Repeat("x", 10_000)}, nil) {
						return
					}
				}
			})
		}))
		b.server.Inject(vantiqtest.Fault{Op: vantiqtest.OpResponse, Skip: 2, Drop: vantiqtest.FIN})
		go func() {
			if err := b.source.WaitDisconnected(b.soon()); err != nil {
				t.Error(err)
			}
			b.server.Stop(vantiqtest.FIN)
			pass(10 * time.Second)
			b.server.Start()
		}()
		if fine, codes := b.ask(1, 1000, 10*time.Minute); fine != 0 || codes[connector.CodeInterrupted] != 1 {
			t.Errorf("%d complete answers, errors %v", fine, codes)
		}
	})
}

// When a write failed, all answers of its batch were sent again, those too that had left before the failure.
func TestAnswersThatLeftBeforeALostWriteAreNotSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{Logger: quiet})
		b.connect(onQuery(func(ctx context.Context, _ *connector.SourceConnection, q *connector.Query) error {
			return q.Complete(ctx, object{"pad": strings.Repeat("x", 200_000)})
		}))
		link := b.source.Link()
		link.HoldReads(true)
		go func() {
			pass(time.Second)
			b.server.Inject(vantiqtest.Fault{Op: vantiqtest.OpResponse, Skip: 20, Drop: vantiqtest.RST})
			link.HoldReads(false)
		}()
		// Those that left and did not arrive have no answer: nobody can know which they are.
		if fine, codes := b.ask(40, 1, 3*time.Minute); fine < 35 || len(codes) > 0 {
			t.Errorf("%d complete answers, errors %v", fine, codes)
		}
		pass(time.Minute)
		if n := len(b.source.Stray()); n > 0 {
			t.Errorf("%d queries had a second final answer", n)
		}
	})
}

const megabyte = 1_000_000

// megabyteOf returns rows that are a megabyte together.
func megabyteOf(rows int) (all []object) {
	for range rows {
		all = append(all, object{"pad": strings.Repeat("x", megabyte/rows)})
	}
	return all
}

func TestAnswersGivenWithoutALinkAreBounded(t *testing.T) {
	for _, rows := range []int{1, 5} { // in one message, in several
		synctest.Test(t, func(t *testing.T) {
			const queries = 24
			group := connector.NewGroup(1)
			b := setUp(t, nil, connector.Options{Logger: quiet, Group: group, MaxOutbound: megabyte * 11 / 10 / rows}, vantiqtest.WithMaxMessage(2*megabyte))
			later := make(chan *connector.Query, queries)
			b.connect(onQuery(func(_ context.Context, _ *connector.SourceConnection, q *connector.Query) error {
				later <- q
				return connector.ErrAnswerLater
			}))
			go func() {
				synctest.Wait() // for all queries
				b.server.Stop(vantiqtest.FIN)
				pass(time.Second)
				for range queries {
					if err := (<-later).Complete(context.Background(), megabyteOf(rows)); err != nil {
						t.Error(err)
					}
					if _, held := group.Held(); held > 16<<20 {
						t.Errorf("%d MB of answers are held without a link", held/megabyte)
					}
				}
				b.server.Start()
			}()
			fine, codes := b.ask(queries, rows, 2*time.Minute)
			if fine < 14 || fine > 16 || codes[connector.CodeInterrupted] != queries-fine {
				t.Errorf("%d rows each: %d of %d answers arrived, errors %v", rows, fine, queries, codes)
			}
			synctest.Wait()
			if s := b.conn.Stats(); s.AnswersInterrupted != uint64(queries-fine) {
				t.Errorf("stats %+v", s)
			}
			if _, held := group.Held(); held != 0 || len(b.source.Stray()) > 0 {
				t.Errorf("%d bytes are still held, %d stray answers", held, len(b.source.Stray()))
			}
		})
	}
}

// What a server does not read waits in memory: queries that come, and those that wait for a slot, are then refused.
func TestAnswersThatNobodyReadsAreBounded(t *testing.T) {
	for name, first := range map[string]bool{"queries that come": false, "queries that wait": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const running, queries = 8, 60
				b := setUp(t, nil, connector.Options{Logger: quiet, MaxQueries: running})
				answer, allThere := megabyteOf(5), make(chan struct{})
				var given atomic.Int64
				b.connect(onQuery(func(ctx context.Context, _ *connector.SourceConnection, q *connector.Query) error {
					<-allThere
					given.Add(1)
					return q.Complete(ctx, answer)
				}))
				link := b.source.Link()
				link.HoldReads(true)
				if !first {
					close(allThere)
				}
				var fine, busy atomic.Int64
				var all sync.WaitGroup
				for range queries {
					all.Go(func() {
						switch _, err := b.source.Query(b.soon(), nil); {
						case err == nil:
							fine.Add(1)
						case codeOf(err) == connector.CodeBusy:
							busy.Add(1)
						}
					})
					synctest.Wait()
				}
				if first {
					close(allThere)
					synctest.Wait()
				}
				// 16 MiB may wait and as much may be on its way, and each running handler may add one answer.
				if most := int64(2*(16<<20/megabyte+1) + running); given.Load() > most {
					t.Errorf("%d MB of answers were given to a server that reads none, want at most %d", given.Load(), most)
				}
				link.HoldReads(false)
				all.Wait()
				if fine.Load() < 10 || fine.Load()+busy.Load() != queries {
					t.Errorf("of %d queries, %d had their rows and %d were told that the connector is busy", queries, fine.Load(), busy.Load())
				}
			})
		})
	}
}
