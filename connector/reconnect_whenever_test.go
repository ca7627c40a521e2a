package connector_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

const reconnectRequired = `{"op":"reconnectRequired"}`

// Whenever Vantiq asks, and however often: Close of the old session if there was one, connectExtension on the same link,
// Connect of the new one.
func TestReconnectRequiredWhenever(t *testing.T) {
	const claim, open, again, end = "connectExtension", "connect {}", "close to reconnect", "close for good"
	behindConnects := func(times int, frames ...string) func(b *bench) {
		return func(b *bench) {
			b.server.Intercept(func(l *vantiqtest.Link, m protocol.Message) bool {
				if _, ok := m.(*protocol.ConnectExtension); !ok || times == 0 {
					return false
				}
				times--
				l.Handle(m)
				for _, frame := range frames {
					l.Send(frame)
				}
				return true
			})
		}
	}
	insteadOfConfigurations := func(times int) func(b *bench) {
		return func(b *bench) {
			b.server.Inject(vantiqtest.Fault{Op: protocol.OpConnectExtension, Times: times, Answer: reconnectRequired})
		}
	}
	for name, c := range map[string]struct {
		before func(b *bench) // what the server is made to do
		during func(b *bench) // when the source is connected
		want   []string
		turns  bool // instead of want: as often as they like, but in turns
		claims int  // connectExtensions; 0: as many as it takes
	}{
		"in session": {
			during: func(b *bench) { b.source.RequireReconnect() },
			want:   []string{claim, open, again, claim, open, end},
			claims: 2,
		},
		"in a session of a minute": {
			during: func(b *bench) {
				pass(time.Minute)
				b.source.RequireReconnect()
			},
			want:   []string{claim, open, again, claim, open, end},
			claims: 2,
		},
		"before the configuration": {
			before: insteadOfConfigurations(1),
			want:   []string{claim, open, end},
			claims: 2,
		},
		"before the configuration, three times": {
			before: insteadOfConfigurations(3),
			want:   []string{claim, open, end},
			claims: 4,
		},
		"just behind the configuration": {
			before: behindConnects(1, reconnectRequired),
			want:   []string{claim, open, again, claim, open, end},
			claims: 2,
		},
		"in a burst": {
			during: func(b *bench) {
				for range 200 {
					b.must(b.source.SendRaw(reconnectRequired))
				}
				b.source.RequireReconnect()
			},
			want:   []string{claim, open, again, claim, open, end},
			claims: 2,
		},
		"in a burst in a session of a minute": {
			during: func(b *bench) {
				pass(time.Minute)
				for range 200 {
					b.must(b.source.SendRaw(reconnectRequired))
				}
				b.source.RequireReconnect()
			},
			turns: true, // the first connectExtension comes at once, and so amid the burst
		},
		"in a burst behind the configuration": {
			before: behindConnects(1, slices.Repeat([]string{reconnectRequired}, 200)...),
			want:   []string{claim, open, again, claim, open, end},
			claims: 2,
		},
		"in bursts behind each of three configurations": {
			before: behindConnects(3, slices.Repeat([]string{reconnectRequired}, 50)...),
			want:   []string{claim, open, again, claim, open, again, claim, open, again, claim, open, end},
			claims: 4,
		},
		"ten times a second": {
			during: func(b *bench) {
				for range 100 {
					b.source.RequireReconnect()
					pass(100 * time.Millisecond)
				}
			},
			turns: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := &journal{}
				b := setUp(t, nil, connector.Options{Logger: quiet})
				var claims []time.Time
				if c.before != nil {
					c.before(b)
				}
				b.server.Intercept(func(_ *vantiqtest.Link, m protocol.Message) bool {
					if _, ok := m.(*protocol.ConnectExtension); ok {
						claims = append(claims, time.Now())
						j.add(claim)
					}
					return false
				})
				handlers := journaled(j, false)
				handlers.Publish = echo().Publish
				b.connect(handlers)
				if c.during != nil {
					c.during(b)
				}
				pass(patience)
				b.must(b.publishAll(1)) // it serves
				if _, err := b.source.Notification(b.soon()); err != nil {
					t.Error(err)
				}
				b.must(b.end())

				got := slices.CompactFunc(j.all(), func(a, b string) bool { return a == claim && b == claim }) // claimed until configured
				if c.turns {                                                                                   // as often as they like, but in turns
					c.want = append(slices.Repeat([]string{claim, open, again}, len(got)/3-1), claim, open, end)
				}
				expect(t, got, c.want...)
				if dials := len(b.server.Dials()); dials != 1 {
					t.Errorf("%d links: %s", dials, b.conn.Stats().LastError)
				}
				for i := range len(claims) - 1 {
					if apart := claims[i+1].Sub(claims[i]); apart < time.Second {
						t.Errorf("connectExtensions %d and %d are %v apart", i, i+1, apart)
					}
				}
				if c.claims > 0 && len(claims) != c.claims {
					t.Errorf("%d connectExtensions, want %d", len(claims), c.claims)
				}
			})
		})
	}
}

// A Connect handler that is asked to begin anew while it runs: its context ends, and the next is not called before it has
// returned. Only if it returned nil, Close is called.
func TestReconnectRequiredWhileConnectRuns(t *testing.T) {
	for name, c := range map[string]struct {
		returns error
		want    []string
	}{
		"and succeeds": {nil, []string{"begin", "context ends", "return", "close to reconnect", "begin", "return", "close for good"}},
		"and fails":    {errors.New("no database"), []string{"begin", "context ends", "return", "begin", "return", "close for good"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := &journal{}
				b := setUp(t, nil, connector.Options{})
				handlers := journaled(j, false)
				first := true
				handlers.Connect = func(ctx context.Context, _ *connector.SourceConnection, _ connector.Document) (err error) {
					j.add("begin")
					defer j.add("return")
					if !first {
						return nil
					}
					first = false
					<-ctx.Done()
					j.add("context ends")
					pass(5 * time.Second)
					return c.returns
				}
				b.run(handlers)
				b.must(b.source.WaitSession(b.soon(), 1))
				synctest.Wait()
				b.source.RequireReconnect()
				b.session(2)
				b.must(b.end())
				expect(t, j.all(), c.want...)
				if dials := len(b.server.Dials()); dials != 1 {
					t.Errorf("%d links", dials)
				}
			})
		})
	}
}

// A query that is open when Vantiq asks to reconnect is answered, once, on the same link.
func TestReconnectRequiredWithAQueryOutstanding(t *testing.T) {
	type query = *connector.Query
	row := func(n int) object { return object{"n": n} }
	for name, c := range map[string]struct {
		handle func(ctx context.Context, q query) error
		rows   string
		code   string
		within time.Duration
	}{
		"whose handler is nearly done": {handle: func(ctx context.Context, q query) error {
			select {
			case <-time.After(1500 * time.Millisecond):
				return q.Complete(ctx, row(1))
			case <-ctx.Done():
				return ctx.Err()
			}
		}, rows: `[{"n":1}]`, within: 3 * time.Second},
		"whose handler is in the middle of its rows": {handle: func(ctx context.Context, q query) error {
			err := q.Partial(ctx, row(1))
			pass(1500 * time.Millisecond)
			return errors.Join(err, q.Complete(ctx, row(2)))
		}, rows: `[{"n":1} {"n":2}]`, within: 3 * time.Second},
		"whose handler streams rows": {handle: func(ctx context.Context, q query) error {
			return connector.Rows(ctx, q, func(yield func(object, error) bool) {
				for n := range 3 {
					pass(500 * time.Millisecond)
					if !yield(row(n), nil) {
						return
					}
				}
			})
		}, rows: `[{"n":0} {"n":1} {"n":2}]`, within: 3 * time.Second},
		"whose handler heeds its context": {handle: func(ctx context.Context, _ query) error {
			<-ctx.Done()
			return ctx.Err()
		}, code: connector.CodeInterrupted, within: 4 * time.Second},
		"whose handler answers when its context ends": {handle: func(ctx context.Context, q query) error {
			<-ctx.Done()
			return q.Complete(ctx, row(1))
		}, rows: `[{"n":1}]`, within: 4 * time.Second},
		"whose handler ignores its context": {handle: func(context.Context, query) error {
			pass(30 * time.Second)
			return nil
		}, code: connector.CodeInterrupted, within: 15 * time.Second},
		"that is answered later": {handle: func(_ context.Context, q query) error {
			go func() {
				pass(30 * time.Second)
				_ = q.Complete(context.Background(), row(1)) // on the next session
			}()
			return connector.ErrAnswerLater
		}, rows: `[{"n":1}]`, within: 31 * time.Second},
		"that is forgotten": {handle: func(context.Context, query) error {
			return connector.ErrAnswerLater
		}, code: connector.CodeTimeout, within: 2 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := setUp(t, nil, connector.Options{})
				b.connect(onQuery(func(ctx context.Context, _ *connector.SourceConnection, q *connector.Query) error {
					return c.handle(ctx, q)
				}))
				b.outstanding(1, func() { b.source.RequireReconnect() }, c.rows, c.code, c.within)
			})
		})
	}
	t.Run("that waits for a slot", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := setUp(t, nil, connector.Options{MaxQueries: 1})
			b.connect(onQuery(func(ctx context.Context, _ *connector.SourceConnection, q *connector.Query) error {
				pass(1500 * time.Millisecond)
				return q.Complete(ctx, row(1))
			}))
			b.outstanding(4, func() { b.source.RequireReconnect() }, `[{"n":1}]`, "", 7*time.Second)
		})
	})
	t.Run("that comes behind it", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := setUp(t, nil, connector.Options{})
			b.connect(onQuery(func(ctx context.Context, c *connector.SourceConnection, q *connector.Query) error {
				if c.Stats().Sessions != 2 {
					t.Error("it is handled in the session that has ended")
				}
				return q.Complete(ctx, row(1))
			}))
			b.must(b.source.SendRaw(reconnectRequired)) // the server takes the session to go on
			b.outstanding(1, func() {}, `[{"n":1}]`, "", 2*time.Second)
		})
	})
}

// outstanding asks so many queries at once, lets something happen as soon as they are there, and checks that each is
// answered in time, in one way, once, and on the first link.
func (b *bench) outstanding(queries int, happens func(), rows, code string, within time.Duration) {
	b.t.Helper()
	answers := make(chan string, queries)
	for range queries {
		go func() {
			rows, err := b.source.Query(context.Background(), nil)
			if err != nil {
				answers <- codeOf(err)
				return
			}
			answers <- fmt.Sprint(rows)
		}()
	}
	synctest.Wait()
	happens()
	late := time.After(within + time.Millisecond)
	for range queries {
		select {
		case got := <-answers:
			if got != rows+code {
				b.t.Errorf("it was answered %s, want %s", got, rows+code)
			}
		case <-late:
			b.t.Fatalf("no answer within %v: %+v", within, b.conn.Stats())
		}
	}
	pass(time.Minute)
	b.session(2)
	if stray := b.source.Stray(); len(stray) > 0 {
		b.t.Errorf("and again: %+v", stray)
	}
	if s := b.conn.Stats(); s.QueriesOpen != 0 || s.Reconnects != 0 {
		b.t.Errorf("stats %+v", s)
	}
}
