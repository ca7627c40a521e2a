package connector_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// journaled notes Connect and Close, and Publish if it is set.
func journaled(j *journal, publish bool) connector.Handlers {
	h := connector.Handlers{
		Connect: func(_ context.Context, _ *connector.SourceConnection, config connector.Document) error {
			j.add("connect " + config.String())
			return nil
		},
		Close: func(_ context.Context, _ *connector.SourceConnection, cause error) error {
			switch {
			case cause == nil:
				j.add("close for good")
			case errors.Is(cause, connector.ErrReconnectRequired):
				j.add("close to reconnect")
			default:
				j.add("close lost")
			}
			return nil
		},
	}
	if publish {
		h.Publish = func(_ context.Context, _ *connector.SourceConnection, message connector.Document) error {
			j.add("publish " + message.String())
			return nil
		}
	}
	return h
}

func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// session waits until the source's n-th session is there and the connector has noticed.
func (b *bench) session(n int) {
	b.t.Helper()
	b.must(b.source.WaitSession(b.soon(), n))
	for b.conn.Stats().Sessions < uint64(n) || b.conn.State() != connector.Connected {
		b.must(b.soon().Err())
		synctest.Wait()
		b.must(b.conn.WaitConnected(b.soon()))
	}
}

// pass lets virtual time pass.
func pass(d time.Duration) { <-time.After(d) }

func TestALostLinkComesBackByItself(t *testing.T) {
	for _, how := range []vantiqtest.Drop{1000, 1001, 1012, 4000, vantiqtest.FIN, vantiqtest.RST} {
		t.Run(how.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := &journal{}
				b := setUp(t, object{"a": 1}, connector.Options{}).connect(journaled(j, true))
				pass(time.Minute) // a good session
				began := time.Now()
				b.source.Drop(how)
				b.session(2)
				if took := time.Since(began); took > time.Second {
					t.Errorf("back after %v", took)
				}
				b.must(b.source.Publish(b.soon(), object{"n": 1}))
				synctest.Wait()
				b.must(b.end())
				expect(t, j.all(), `connect {"a":1}`, "close lost", `connect {"a":1}`, `publish {"n":1}`, "close for good")
				if s := b.conn.Stats(); s.Reconnects != 1 || s.Sessions != 2 || s.LastError == "" {
					t.Errorf("stats %+v", s)
				}
			})
		})
	}
}

func TestAHalfOpenLinkIsNoticedWithinThirtySeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{}).connect(echo())
		pass(time.Minute)
		began := time.Now()
		b.source.Drop(vantiqtest.Vanish)
		b.must(b.conn.SendNotification(b.soon(), object{"n": 1})) // to nobody
		b.session(2)
		if took := time.Since(began); took > 30*time.Second {
			t.Errorf("noticed after %v", took)
		}
		if event, err := b.source.Notification(b.soon()); err != nil || event.String() != `{"n":1}` {
			t.Errorf("what was sent to nobody: %v, %v", event, err)
		}
		if connects := b.source.Connects(); len(connects) != 2 || !connects[1].Usurped || connects[0].Secret != connects[1].Secret {
			t.Errorf("it did not take over by its secret: %+v", connects)
		}
	})
}

func TestASilentButLivingLinkIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{}).connect(echo())
		pass(24 * time.Hour)
		if s := b.conn.Stats(); s.Reconnects != 0 {
			t.Errorf("reconnects: %d (%s)", s.Reconnects, s.LastError)
		}
	})
}

func TestPingsCanBeSwitchedOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var pings atomic.Int64
		b := setUp(t, nil, connector.Options{PingInterval: -1}, vantiqtest.WithObserver(func(e vantiqtest.Event) {
			if e.Kind == vantiqtest.PingReceived {
				pings.Add(1)
			}
		})).connect(echo())
		pass(time.Hour)
		if pings.Load() > 0 || b.conn.Stats().Reconnects > 0 {
			t.Errorf("%d pings, %d reconnects", pings.Load(), b.conn.Stats().Reconnects)
		}
	})
}

// While the queue is full because a handler is slow, the reader does not read, and so sees no pongs. That is no proof
// that the peer is dead.
func TestABusyHandlerIsNotMistakenForADeadPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{PublishQueue: 4})
		var handled atomic.Int64
		b.connect(connector.Handlers{Publish: func(context.Context, *connector.SourceConnection, connector.Document) error {
			pass(2 * time.Minute)
			handled.Add(1)
			return nil
		}})
		const messages = 20
		go func() {
			for n := range messages {
				if err := b.source.Publish(context.Background(), object{"n": n, "pad": strings.Repeat("x", 10_000)}); err != nil {
					t.Error(err)
				}
			}
		}()
		pass(messages*2*time.Minute + time.Minute)
		if s := b.conn.Stats(); handled.Load() != messages || s.Reconnects != 0 {
			t.Errorf("%d handled, %d reconnects (%s)", handled.Load(), s.Reconnects, s.LastError)
		}
	})
}

func TestReconnectRequiredBeginsANewSessionOnTheSameLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		b := setUp(t, object{"a": 1}, connector.Options{}).connect(journaled(j, false))
		pass(time.Minute)
		link := b.source.Link().ID()
		b.source.Reactivating(3)
		began := time.Now()
		b.source.Reconfigure(object{"a": 2})
		b.session(2)
		if now := b.source.Link().ID(); now != link {
			t.Errorf("link %d became %d", link, now)
		}
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("it took %v", took)
		}
		b.must(b.end())
		expect(t, j.all(), `connect {"a":1}`, "close to reconnect", `connect {"a":2}`, "close for good")
	})
}

func TestAConfigurationInsideASessionBeginsANewOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		b := setUp(t, object{"a": 1}, connector.Options{}).connect(journaled(j, true))
		b.must(b.source.SendRaw(`{"op":"configureExtension","object":{"config":{"a":2}}}`))
		b.must(b.source.SendRaw(`{"op":"publish","object":{"n":1}}`))
		synctest.Wait()
		if connects := len(b.source.Connects()); connects != 1 {
			t.Errorf("%d connects", connects)
		}
		b.must(b.end())
		expect(t, j.all(), `connect {"a":1}`, "close to reconnect", `connect {"a":2}`, `publish {"n":1}`, "close for good")
	})
}

func TestReactivationIsRetriedOnTheSameLink(t *testing.T) {
	for _, times := range []int{1, 3, 50} {
		synctest.Test(t, func(t *testing.T) {
			b := setUp(t, nil, connector.Options{})
			b.source.Reactivating(times)
			began := time.Now()
			b.run(echo())
			ctx, cancel := context.WithTimeout(context.Background(), time.Duration(times)*time.Second)
			defer cancel()
			b.must(b.conn.WaitConnected(ctx))
			if dials := len(b.server.Dials()); dials != 1 {
				t.Errorf("%d times: %d links", times, dials)
			}
			connects := b.source.Connects()
			if len(connects) != times+1 {
				t.Errorf("%d times: %d connects", times, len(connects))
			}
			if gap := connects[1].Time.Sub(connects[0].Time); gap < 100*time.Millisecond {
				t.Errorf("the first retry came after %v", gap)
			}
			t.Logf("%d refusals: %v", times, time.Since(began))
		})
	}
}

// rates counts how many attempts fall into each minute.
func rates(began time.Time, attempts []time.Time) (perMinute []int) {
	for _, at := range attempts {
		minute := int(at.Sub(began) / time.Minute)
		for len(perMinute) <= minute {
			perMinute = append(perMinute, 0)
		}
		perMinute[minute]++
	}
	return perMinute
}

func TestAttemptsAreBoundedWhateverTheCause(t *testing.T) {
	drop := func(how vantiqtest.Drop) func(b *bench) {
		return func(b *bench) {
			b.server.Inject(vantiqtest.Fault{Op: protocol.OpConnectExtension, Times: -1, Drop: how})
		}
	}
	for cause, strike := range map[string]func(b *bench){
		"refused":             func(b *bench) { b.source.Refuse(-1, &protocol.StatusError{Status: 409}) },
		"closed 1000 at once": drop(1000),
		"closed 1012 at once": drop(1012),
		"FIN at once":         drop(vantiqtest.FIN),
		"RST at once":         drop(vantiqtest.RST),
		"validate answered 503": func(b *bench) {
			b.server.Inject(vantiqtest.Fault{Op: protocol.OpValidate, Times: -1, Answer: `{"status":503}`})
		},
		"validate ends the link": func(b *bench) {
			b.server.Inject(vantiqtest.Fault{Op: protocol.OpValidate, Times: -1, Ignore: true, Drop: vantiqtest.FIN})
		},
		"validate unanswered": func(b *bench) { b.server.Inject(vantiqtest.Fault{Op: protocol.OpValidate, Times: -1, Ignore: true}) },
		"connect unanswered": func(b *bench) {
			b.server.Inject(vantiqtest.Fault{Op: protocol.OpConnectExtension, Times: -1, Ignore: true})
		},
		"no config": func(b *bench) {
			b.server.Inject(vantiqtest.Fault{Op: protocol.OpConnectExtension, Times: -1, Answer: `{"op":"configureExtension","object":{}}`})
		},
		"reconnectRequired after each config": func(b *bench) {
			b.server.Intercept(func(l *vantiqtest.Link, m protocol.Message) bool {
				if _, ok := m.(*protocol.ConnectExtension); ok {
					l.Handle(m)
					l.Send(`{"op":"reconnectRequired"}`)
					return true
				}
				return false
			})
		},
		"reconnectRequired instead of a config": func(b *bench) {
			b.server.Inject(vantiqtest.Fault{Op: protocol.OpConnectExtension, Times: -1, Answer: `{"op":"reconnectRequired"}`})
		},
		"upgrade answered 502": func(b *bench) {
			b.server.InterceptUpgrade(func(w http.ResponseWriter, _ *http.Request) bool {
				http.Error(w, "bad gateway", http.StatusBadGateway)
				return true
			})
		},
	} {
		t.Run(cause, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := setUp(t, nil, connector.Options{})
				strike(b)
				began := time.Now()
				var connects []time.Time
				b.server.Intercept(func(_ *vantiqtest.Link, m protocol.Message) bool {
					if _, ok := m.(*protocol.ConnectExtension); ok {
						connects = append(connects, time.Now())
					}
					return false
				})
				b.run(echo())
				pass(10 * time.Minute)
				synctest.Wait()
				attempts := connects
				if dials := b.server.Dials(); len(dials) > len(attempts) {
					attempts = dials
				}
				perMinute := rates(began, attempts)
				t.Logf("attempts per minute: %v", perMinute)
				if perMinute[0] > 60 {
					t.Errorf("%d attempts in the first minute", perMinute[0])
				}
				late := 0
				for _, n := range perMinute[min(5, len(perMinute)):] {
					late += n
				}
				if late > 5*9 {
					t.Errorf("%d attempts in the last five minutes", late)
				}
				if len(attempts) < 10 {
					t.Errorf("only %d attempts in ten minutes", len(attempts))
				}
				for i := 1; i < len(connects); i++ {
					if gap := connects[i].Sub(connects[i-1]); gap < time.Second {
						t.Errorf("connects %d and %d are %v apart", i-1, i, gap)
					}
				}
				if b.conn.Stats().LastError == "" && cause[:9] != "reconnect" {
					t.Error("no last error")
				}
			})
		})
	}
}

func TestARejectedTokenIsFinal(t *testing.T) {
	for name, answer := range map[string]string{
		"list":     `{"status":401,"body":[{"code":"authFailure","message":"invalid authToken hunter2"}]}`,
		"object":   `{"status":401,"body":{"code":"authFailure","message":"invalid authToken hunter2"}}`,
		"string":   `{"status":403,"body":"invalid authToken hunter2"}`,
		"no body":  `{"status":403}`,
		"odd body": `{"status":400,"body":[null,7]}`,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := setUp(t, nil, connector.Options{AuthToken: "hunter2"})
				b.server.Inject(vantiqtest.Fault{Op: protocol.OpValidate, Answer: answer})
				b.run(echo())
				err := <-b.ended
				b.ended <- err
				var status *connector.StatusError
				if !errors.As(err, &status) || status.Status < 400 || strings.Contains(err.Error(), "hunter2") {
					t.Errorf("Run returned %v", err)
				}
				if strings.Contains(answer, "invalid") && !strings.Contains(err.Error(), "invalid authToken [redacted]") {
					t.Errorf("the server's words are missing: %v", err)
				}
				if waited := b.conn.WaitConnected(b.soon()); !errors.Is(waited, err) {
					t.Errorf("WaitConnected returned %v", waited)
				}
				if err := b.conn.SendNotification(b.soon(), object{}); !errors.Is(err, connector.ErrClosed) {
					t.Errorf("sending returned %v", err)
				}
			})
		})
	}
	t.Run("behind 12 statuses", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := setUp(t, nil, connector.Options{})
			b.server.Inject(vantiqtest.Fault{Op: protocol.OpValidate, Statuses: 12, Answer: `{"status":401,"body":[{"code":"authFailure","message":"invalid authToken"}]}`})
			b.server.Inject(vantiqtest.Fault{Op: protocol.OpConnectExtension, Ignore: true, Times: -1})
			b.run(echo())
			err := <-b.ended
			b.ended <- err
			if err == nil || !strings.Contains(err.Error(), "invalid authToken") {
				t.Errorf("Run returned %v", err)
			}
		})
	})
}

func TestWithATokenFileARejectedTokenIsTriedAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	write := func(token string) {
		if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{AuthTokenFile: file})
		b.run(echo()) // the file does not exist yet
		pass(10 * time.Second)
		write("wrong")
		pass(5 * time.Minute)
		if n := len(b.server.Dials()); n < 5 || n > 40 {
			t.Errorf("%d attempts in five minutes", n)
		}
		began := time.Now()
		write("local-token")
		b.must(b.conn.WaitConnected(b.soon()))
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("the new token was tried after %v", took)
		}
	})
}

func TestFailOnConnectionError(t *testing.T) {
	for name, strike := range map[string]func(b *bench){
		"nobody listens": func(b *bench) { b.server.Stop(vantiqtest.FIN) },
		"refused":        func(b *bench) { b.source.Refuse(1, &protocol.StatusError{Status: 404}) },
		"503":            func(b *bench) { b.server.Inject(vantiqtest.Fault{Op: protocol.OpValidate, Answer: `{"status":503}`}) },
	} {
		synctest.Test(t, func(t *testing.T) {
			b := setUp(t, nil, connector.Options{FailOnConnectionError: true})
			strike(b)
			b.run(echo())
			err := <-b.ended
			b.ended <- err
			if err == nil {
				t.Errorf("%s: Run returned nil", name)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) { // but only before the first session
		b := setUp(t, nil, connector.Options{FailOnConnectionError: true}).connect(echo())
		b.server.Stop(vantiqtest.FIN)
		pass(time.Minute)
		b.server.Start()
		b.session(2)
	})
}

func TestTheConnectHandlerIsCalledUntilItAccepts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		b := setUp(t, object{"a": 1}, connector.Options{})
		handlers := journaled(j, true)
		failures := 3
		handlers.Connect = func(_ context.Context, _ *connector.SourceConnection, _ connector.Document) error {
			if failures--; failures >= 0 {
				j.add("connect fails")
				return errors.New("the database is down")
			}
			j.add("connect")
			return nil
		}
		handlers.Query = func(context.Context, *connector.SourceConnection, *connector.Query) error { return nil }
		b.run(handlers)
		b.must(b.source.WaitSession(b.soon(), 1))
		b.must(b.source.Publish(b.soon(), object{"n": 1}))
		synctest.Wait()
		if state := b.conn.State(); state != connector.Configuring {
			t.Errorf("state %v", state)
		}
		_, err := b.source.Query(b.soon(), nil)
		if e := queryError(t, err); e.Code != connector.CodeNotConfigured || !strings.Contains(e.Message(), "the database is down") {
			t.Error(e)
		}
		b.must(b.conn.WaitConnected(b.soon()))
		if _, err := b.source.Query(b.soon(), nil); err != nil {
			t.Error(err)
		}
		b.must(b.end())
		expect(t, j.all(), "connect fails", "connect fails", "connect fails", "connect", `publish {"n":1}`, "close for good")
		if links := len(b.server.Dials()); links != 1 {
			t.Errorf("%d links", links)
		}
	})
}

func TestAQueryWaitsForTheFirstConnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{})
		b.run(connector.Handlers{
			Connect: func(context.Context, *connector.SourceConnection, connector.Document) error {
				pass(5 * time.Second)
				return nil
			},
			Query: echo().Query,
		})
		b.must(b.source.WaitSession(b.soon(), 1))
		if rows, err := b.source.Query(b.soon(), object{"a": 1}); err != nil || len(rows) != 1 {
			t.Errorf("%v, %v", rows, err)
		}
	})
}

func TestAPermanentErrorWaitsForANewConfiguration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, object{"good": false}, connector.Options{})
		var calls atomic.Int64
		b.run(connector.Handlers{Connect: func(_ context.Context, _ *connector.SourceConnection, config connector.Document) error {
			calls.Add(1)
			if config.String() == `{"good":false}` {
				return connector.Permanent(errors.New("general.port: missing"))
			}
			return nil
		}, Query: echo().Query})
		b.must(b.source.WaitSession(b.soon(), 1))
		pass(time.Hour)
		if calls.Load() != 1 || b.conn.Stats().Reconnects != 0 {
			t.Errorf("%d calls, %d reconnects", calls.Load(), b.conn.Stats().Reconnects)
		}
		_, err := b.source.Query(b.soon(), nil)
		if e := queryError(t, err); e.Code != connector.CodeNotConfigured || !strings.Contains(e.Message(), "general.port: missing") {
			t.Error(e)
		}
		b.source.Reconfigure(object{"good": true})
		b.must(b.conn.WaitConnected(b.soon()))
	})
}

func TestPublishesBeforeTheFirstConnectAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{PublishQueue: 10})
		release := make(chan struct{})
		var handled atomic.Int64
		b.run(connector.Handlers{
			Connect: func(context.Context, *connector.SourceConnection, connector.Document) error {
				<-release
				return nil
			},
			Publish: func(context.Context, *connector.SourceConnection, connector.Document) error {
				handled.Add(1)
				return nil
			},
		})
		b.must(b.source.WaitSession(b.soon(), 1))
		for n := range 15 {
			b.must(b.source.Publish(b.soon(), object{"n": n}))
		}
		synctest.Wait()
		close(release)
		synctest.Wait()
		if s := b.conn.Stats(); handled.Load() != 10 || s.PublishesDropped != 5 {
			t.Errorf("%d handled, %d dropped", handled.Load(), s.PublishesDropped)
		}
	})
}

func TestWhatALostSessionDidNotHandleTheNextOneDoesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		b := setUp(t, nil, connector.Options{})
		handlers := journaled(j, false)
		release := make(chan struct{})
		handlers.Publish = func(_ context.Context, _ *connector.SourceConnection, message connector.Document) error {
			<-release
			j.add("publish " + message.String())
			return nil
		}
		b.connect(handlers)
		for n := range 3 {
			b.must(b.source.Publish(b.soon(), object{"n": n}))
		}
		synctest.Wait()
		b.source.Drop(vantiqtest.FIN)
		synctest.Wait()
		close(release)
		b.session(2)
		b.must(b.source.Publish(b.soon(), object{"n": 3}))
		synctest.Wait()
		expect(t, j.all(), "connect {}", `publish {"n":0}`, "close lost", "connect {}", `publish {"n":1}`, `publish {"n":2}`, `publish {"n":3}`)
	})
}

func TestAnAnswerGivenAfterTheLinkWasLostLeavesWithTheNextSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{})
		got, answer := make(chan *connector.Query), make(chan struct{})
		b.connect(onQuery(func(ctx context.Context, _ *connector.SourceConnection, q *connector.Query) error {
			got <- q
			<-answer
			return q.Complete(ctx, object{"late": true})
		}))
		result := make(chan error, 1)
		go func() {
			rows, err := b.source.Query(b.soon(), nil)
			if err == nil && fmt.Sprint(rows) != `[{"late":true}]` {
				err = fmt.Errorf("rows %v", rows)
			}
			result <- err
		}()
		q := <-got
		b.source.Drop(vantiqtest.FIN)
		synctest.Wait()
		if q.Context().Err() != nil {
			t.Error("its context ended with the link")
		}
		close(answer)
		b.must(<-result)
		if stray := b.source.Stray(); len(stray) > 0 {
			t.Errorf("more than one answer: %+v", stray)
		}
	})
}

func TestAnAnswerOfWhichAPartLeftOnALostLinkIsInterrupted(t *testing.T) {
	for _, then := range []string{"complete", "partial", "fail"} {
		synctest.Test(t, func(t *testing.T) {
			b := setUp(t, nil, connector.Options{})
			half, goOn := make(chan struct{}), make(chan struct{})
			later := make(chan error, 1)
			b.connect(onQuery(func(_ context.Context, _ *connector.SourceConnection, q *connector.Query) error {
				if err := q.Partial(context.Background(), object{"n": 1}); err != nil {
					return err
				}
				close(half)
				go func() {
					<-goOn
					switch then {
					case "complete":
						later <- q.Complete(context.Background(), object{"n": 2})
					case "partial":
						later <- q.Partial(context.Background(), object{"n": 2})
					case "fail":
						later <- q.Fail(context.Background(), connector.QueryError{Code: "my.code"})
					}
				}()
				return connector.ErrAnswerLater
			}))
			result := make(chan error, 1)
			go func() {
				_, err := b.source.Query(b.soon(), nil)
				result <- err
			}()
			<-half
			synctest.Wait()
			b.source.Drop(vantiqtest.FIN)
			b.session(2)
			close(goOn)
			want := connector.CodeInterrupted
			if then == "fail" {
				want = "my.code"
			}
			if e := queryError(t, <-result); e.Code != want {
				t.Errorf("%s: %v", then, e)
			}
			if err := <-later; (then == "partial") != errors.Is(err, connector.ErrNotConnected) {
				t.Errorf("%s returned %v", then, err)
			}
		})
	}
}

func TestHandlersThatIgnoreTheirContextAreLeftBehindButConnectAndCloseArePaired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		b := setUp(t, nil, connector.Options{})
		handlers := journaled(j, false)
		forever := make(chan struct{})
		var closeTakes atomic.Int64
		closing := handlers.Close
		handlers.Close = func(ctx context.Context, c *connector.SourceConnection, cause error) error {
			pass(time.Duration(closeTakes.Load()))
			return closing(ctx, c, cause)
		}
		handlers.Query = func(context.Context, *connector.SourceConnection, *connector.Query) error {
			<-forever
			return nil
		}
		handlers.Publish = func(ctx context.Context, _ *connector.SourceConnection, message connector.Document) error {
			if message.String() == `{"hang":true}` {
				<-forever
			}
			j.add("publish " + message.String())
			return nil
		}
		b.connect(handlers)
		b.must(b.conn.Go(func(ctx context.Context) error {
			<-ctx.Done()
			j.add("background work ends")
			return ctx.Err()
		}))
		b.must(b.source.Publish(b.soon(), object{"hang": true}))
		answered := make(chan error, 1)
		go func() {
			_, err := b.source.Query(b.soon(), nil)
			answered <- err
		}()
		synctest.Wait()
		closeTakes.Store(int64(3 * time.Second))
		began := time.Now()
		b.source.Drop(vantiqtest.FIN)
		b.session(2)
		if took := time.Since(began); took < 15*time.Second || took > 17*time.Second {
			t.Errorf("the next session began after %v: 2 s grace, 10 s patience and 3 s of Close were due", took)
		}
		if e := queryError(t, <-answered); e.Code != connector.CodeInterrupted {
			t.Error(e)
		}
		b.must(b.source.Publish(b.soon(), object{"n": 2}))
		synctest.Wait()
		expect(t, j.all(), "connect {}", "background work ends", "close lost", "connect {}", `publish {"n":2}`)
		if s := b.conn.Stats(); s.Abandoned != 2 {
			t.Errorf("%d were left behind", s.Abandoned)
		}
		close(forever)
		synctest.Wait()
		b.must(b.source.Publish(b.soon(), object{"n": 3}))
		synctest.Wait()
	})
}

func TestTheReconnectSecretStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{}).connect(echo())
		for n := range 10 {
			b.source.Drop(vantiqtest.FIN)
			b.session(n + 2)
		}
		connects := b.source.Connects()
		for _, c := range connects {
			if c.Secret != connects[0].Secret || !strings.HasPrefix(string(c.Secret), "EchoSource_") || len(c.Secret) < 30 {
				t.Errorf("a secret of %d characters", len(c.Secret))
			}
		}
	})
}

func TestTheUpgradeMustBeAnsweredWith101(t *testing.T) {
	for _, status := range []int{200, 301, 401, 404, 502} {
		synctest.Test(t, func(t *testing.T) {
			b := setUp(t, nil, connector.Options{FailOnConnectionError: true})
			b.server.InterceptUpgrade(func(w http.ResponseWriter, _ *http.Request) bool {
				w.Header().Set("Location", "https://elsewhere.example.com/path")
				w.WriteHeader(status)
				return true
			})
			b.run(echo())
			err := <-b.ended
			b.ended <- err
			if err == nil || !strings.Contains(err.Error(), fmt.Sprint(status)) || !strings.Contains(err.Error(), "targetServer") {
				t.Errorf("%d: %v", status, err)
			}
			if status == 301 && !strings.Contains(err.Error(), "elsewhere.example.com") {
				t.Errorf("it does not say where to: %v", err)
			}
		})
	}
}

func TestOneBadMessageDoesNotEndTheLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{MaxInbound: 1 << 20}).connect(echo())
		for _, frame := range []string{
			"", "{", "[1,2]", `"text"`, "null", `{"op":"publish","object":{"a":}`, `{"op":5}`, `{"op":null}`, `{"status":"200"}`, `{"op":"somethingNew","object":1}`,
			`{"op":"validate","object":"x"}`, `{"op":"publish","object":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + "}",
			`{"op":"publish","object":{"pad":"` + strings.Repeat("x", 3<<20) + `"}}`, `{"status":500,"body":[{"code":"c","message":"m"}]}`, "\xff\xfe",
		} {
			b.must(b.source.SendRaw(frame))
		}
		_, err := b.source.Query(b.soon(), object{"pad": strings.Repeat("x", 3<<20)})
		if e := queryError(t, err); e.Code != connector.CodeTooLarge {
			t.Error(e)
		}
		if rows, err := b.source.Query(b.soon(), object{"a": 1}); err != nil || len(rows) != 1 {
			t.Errorf("%v, %v", rows, err)
		}
		if s := b.conn.Stats(); s.Reconnects != 0 {
			t.Errorf("reconnects: %s", s.LastError)
		}
	})
}

func TestDocumentsGoThroughAnEchoUnchanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{}).connect(echo())
		for _, text := range []string{
			`{"n":9007199254740993,"x":1.10,"e":-1E+400}`, `{"t":"\u0000 😀 </script> \u2028 é"}`, `{"s":"\ud800"}`, `{"a":[[],{}],"b":null}`, `{"":""}`,
		} {
			b.must(b.source.SendRaw(`{"op":"publish","object":` + text + `}`))
			event, err := b.source.Notification(b.soon())
			if err != nil || event.String() != text {
				t.Errorf("%s came back as %s, %v", text, event, err)
			}
		}
	})
}

func TestStatusesBeforeTheConfigurationDoNotCount(t *testing.T) {
	for _, n := range []int{0, 1, 12} {
		synctest.Test(t, func(t *testing.T) {
			b := setUp(t, nil, connector.Options{})
			b.source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
			b.server.Inject(vantiqtest.Fault{Op: protocol.OpConnectExtension, Statuses: n})
			b.connect(echo())
			for i := range 20 {
				b.must(b.conn.SendNotification(b.soon(), object{"i": i}))
			}
			synctest.Wait()
			if got := len(b.source.Notifications()); got != 5 {
				t.Errorf("%d early statuses: %d notifications in flight, want 5", n, got)
			}
			b.source.SetAcknowledgements(vantiqtest.Acknowledgements{})
			b.must(b.conn.Flush(b.soon()))
		})
	}
}
