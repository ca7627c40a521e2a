package connector_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// handshakeTime is the default of Options.HandshakeTimeout.
const handshakeTime = 30 * time.Second

// What goes wrong before the configuration has come is tried again on a new link, after a wait; what nobody answers, when
// the handshake's time is up.
func TestAHandshakeThatFailsIsTriedAgain(t *testing.T) {
	const late = "did not complete the handshake in time"
	inject := func(fault vantiqtest.Fault) func(b *bench) {
		return func(b *bench) {
			fault.Times = 3
			b.server.Inject(fault)
		}
	}
	validate := func(fault vantiqtest.Fault) func(b *bench) {
		fault.Op = protocol.OpValidate
		return inject(fault)
	}
	connect := func(fault vantiqtest.Fault) func(b *bench) {
		fault.Op = protocol.OpConnectExtension
		return inject(fault)
	}
	for name, c := range map[string]struct {
		strike func(b *bench)
		takes  time.Duration // each attempt
		says   string
	}{
		"503 to validate":                              {validate(vantiqtest.Fault{Answer: `{"status":503,"body":"starting up"}`}), 0, "starting up"},
		"503 without a body to validate":               {validate(vantiqtest.Fault{Answer: `{"status":503}`}), 0, "503"},
		"429 to validate":                              {validate(vantiqtest.Fault{Answer: `{"status":429}`}), 0, "429"},
		"408 to validate":                              {validate(vantiqtest.Fault{Answer: `{"status":408}`}), 0, "408"},
		"EOF instead of an answer to validate":         {validate(vantiqtest.Fault{Ignore: true, Drop: vantiqtest.FIN}), 0, "without a close frame"},
		"RST instead of an answer to validate":         {validate(vantiqtest.Fault{Ignore: true, Drop: vantiqtest.RST}), 0, "reset"},
		"1012 instead of an answer to validate":        {validate(vantiqtest.Fault{Ignore: true, Drop: 1012}), 0, "1012"},
		"EOF instead of an answer to connectExtension": {connect(vantiqtest.Fault{Ignore: true, Drop: vantiqtest.FIN}), 0, "without a close frame"},
		"silence to validate":                          {validate(vantiqtest.Fault{Ignore: true}), handshakeTime, late},
		"silence to connectExtension":                  {connect(vantiqtest.Fault{Ignore: true}), handshakeTime, late},
		"silence to the upgrade": {func(b *bench) {
			var requests atomic.Int64
			b.server.InterceptUpgrade(func(_ http.ResponseWriter, r *http.Request) bool {
				if requests.Add(1) > 3 {
					return false
				}
				<-r.Context().Done()
				return true
			})
		}, handshakeTime, late},
		"nothing but statuses": {func(b *bench) {
			var connects atomic.Int64
			b.server.Intercept(func(l *vantiqtest.Link, m protocol.Message) bool {
				if _, ok := m.(*protocol.ConnectExtension); !ok || connects.Add(1) > 3 {
					return false
				}
				drip := time.NewTicker(5 * time.Second)
				go func() {
					defer drip.Stop()
					for {
						select {
						case <-drip.C:
							l.Send(`{"status":200}`)
						case <-l.Done():
							return
						}
					}
				}()
				return true
			})
		}, handshakeTime, late},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var dials, failures []time.Time
				hook := onState(func(_, to connector.State, _ error) {
					switch to {
					case connector.Dialing:
						dials = append(dials, time.Now())
					case connector.Waiting:
						failures = append(failures, time.Now())
					}
				})
				var open atomic.Int64
				b := setUp(t, nil, connector.Options{Hooks: []connector.Hook{hook}}, vantiqtest.WithObserver(func(e vantiqtest.Event) {
					switch e.Kind {
					case vantiqtest.LinkOpened:
						open.Add(1)
					case vantiqtest.LinkClosed:
						open.Add(-1)
					}
				}))
				c.strike(b)
				began := time.Now()
				b.run(echo())
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
				defer cancel()
				b.must(b.conn.WaitConnected(ctx))
				synctest.Wait()
				if len(dials) != 4 || len(failures) != 3 {
					t.Fatalf("%d failures, then the %dth handshake succeeded", len(failures), len(dials))
				}
				for i, failed := range failures {
					// What fails behind a connectExtension comes up to a second later: these are kept apart.
					if took := failed.Sub(dials[i]); took < c.takes || took > c.takes+time.Second {
						t.Errorf("attempt %d was given up after %v, want %v", i, took, c.takes)
					}
					wait, most := dials[i+1].Sub(failed), max(500*time.Millisecond, failed.Sub(began)/6)
					if wait <= 0 || wait > most {
						t.Errorf("attempt %d began after a wait of %v, want up to %v", i+1, wait, most)
					}
				}
				if s := b.conn.Stats(); !strings.Contains(s.LastError, c.says) {
					t.Errorf("it says %q, want %q", s.LastError, c.says)
				}
				if n := open.Load(); n != 1 {
					t.Errorf("%d links are open", n)
				}
			})
		})
	}
}

// A dial that nobody answers ends with the handshake's time as well: the cable is pulled.
func TestADialIntoTheVoidIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := vantiqtest.NewNetwork()
		network.Partition()
		b := setUpIn(t, network, nil, connector.Options{}).run(echo())
		pass(handshakeTime - time.Millisecond)
		if s := b.conn.Stats(); s.LastError != "" || b.conn.State() != connector.Dialing {
			t.Errorf("it is %v, and says %q", b.conn.State(), s.LastError)
		}
		pass(2 * time.Millisecond)
		if s := b.conn.Stats(); !strings.Contains(s.LastError, "did not complete the handshake in time") {
			t.Errorf("it says %q", s.LastError)
		}
		network.Heal()
		b.must(b.conn.WaitConnected(b.soon()))
	})
}

// Statuses that come before the configuration acknowledge nothing, and prove nothing either: neither that the server
// acknowledges notifications, nor that it acknowledges responses.
func TestStatusesBeforeTheConfigurationDoNotCount(t *testing.T) {
	// Each begins a session with so many statuses before its configuration.
	for when, begin := range map[string]func(b *bench, statuses int){
		"of the first session": func(b *bench, statuses int) {
			b.server.Inject(vantiqtest.Fault{Op: protocol.OpConnectExtension, Statuses: statuses})
			b.connect(echo())
		},
		"after a lost link": func(b *bench, statuses int) {
			b.connect(echo())
			_, err := b.source.Query(b.soon(), nil) // a status that finds nothing in flight could now be taken for its own
			b.must(err)
			b.server.Inject(vantiqtest.Fault{Op: protocol.OpConnectExtension, Statuses: statuses})
			b.source.Drop(vantiqtest.FIN)
			b.session(2)
		},
		"after reconnectRequired": func(b *bench, statuses int) {
			b.connect(echo())
			_, err := b.source.Query(b.soon(), nil)
			b.must(err)
			b.server.Inject(vantiqtest.Fault{Op: protocol.OpConnectExtension, Statuses: statuses})
			b.source.RequireReconnect()
			b.session(2)
		},
		"with notifications unacknowledged": func(b *bench, statuses int) {
			b.connect(echo())
			b.source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
			for n := range 5 {
				b.must(b.conn.SendNotification(b.soon(), object{"n": n}))
			}
			synctest.Wait()
			b.source.Notifications() // they will come again
			b.server.Inject(vantiqtest.Fault{Op: protocol.OpConnectExtension, Statuses: statuses})
			b.source.Drop(vantiqtest.FIN)
			b.session(2)
		},
	} {
		for _, statuses := range []int{0, 1, 12} {
			t.Run(fmt.Sprintf("%d %s", statuses, when), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := setUp(t, nil, connector.Options{})
					begin(b, statuses)
					before := b.conn.Stats()
					b.source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
					for n := before.Queued; n < 20; n++ {
						b.must(b.conn.SendNotification(b.soon(), object{"n": n}))
					}
					synctest.Wait()
					first := b.received()
					if s := b.conn.Stats(); len(first) != 5 || s.Acknowledged != 0 || s.Queued != 20 {
						t.Errorf("%d notifications in flight, want 5; stats %+v", len(first), s)
					}
					b.source.SetAcknowledgements(vantiqtest.Acknowledgements{})
					b.must(b.conn.Flush(b.soon()))
					if err := inOrder(append(first, b.received()...), 20); err != nil {
						t.Error(err)
					}
					// If responses were thought to be acknowledged too, the next status would be taken for one's.
					_, err := b.source.Query(b.soon(), nil)
					b.must(err)
					b.must(b.conn.SendNotification(b.soon(), object{"n": 20}))
					b.must(b.conn.Flush(b.soon()))
					if s := b.conn.Stats(); s.Acknowledged != 21 || s.Reconnects != before.Reconnects {
						t.Errorf("before %+v, now %+v", before, s)
					}
				})
			})
		}
	}
	for _, statuses := range []int{0, 1, 12} {
		t.Run(fmt.Sprintf("%d of a server that never acknowledges", statuses), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := setUp(t, nil, connector.Options{})
				b.source.SetAcknowledgements(vantiqtest.Acknowledgements{None: true})
				b.server.Inject(vantiqtest.Fault{Op: protocol.OpConnectExtension, Statuses: statuses})
				b.connect(echo())
				for n := range 20 {
					b.must(b.conn.SendNotification(b.soon(), object{"n": n}))
				}
				b.must(b.conn.Flush(b.soon())) // written now, if not yet received
				synctest.Wait()
				if err := inOrder(b.received(), 20); err != nil {
					t.Error(err)
				}
				if s := b.conn.Stats(); s.Reconnects != 0 {
					t.Errorf("its link is replaced for lack of acknowledgements: %s", s.LastError)
				}
			})
		})
	}
}

func TestReactivationIsRetriedOnTheSameLink(t *testing.T) {
	for _, times := range []int{1, 3, 50} {
		t.Run(fmt.Sprintf("%d times", times), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := setUp(t, nil, connector.Options{})
				b.source.Reactivating(times)
				b.run(echo())
				b.must(b.conn.WaitConnected(b.soon()))
				if dials := len(b.server.Dials()); dials != 1 {
					t.Errorf("%d links", dials)
				}
				connects := b.source.Connects()
				if len(connects) != times+1 {
					t.Fatalf("%d connects for %d refusals", len(connects), times)
				}
				before := 100 * time.Millisecond
				for i := range times {
					delay := connects[i+1].Time.Sub(connects[i].Time)
					if delay < before || delay > time.Second || i > 0 && before < time.Second && delay == before {
						t.Errorf("delay %d is %v, the one before it %v: want delays that grow from 100 ms to 1 s", i, delay, before)
					}
					before = delay
				}
				if times == 50 && before != time.Second {
					t.Errorf("the last delay is %v", before)
				}
			})
		})
	}
}

// Gateways' logs and vantiqdev's console say which SDK calls.
func TestTheUpgradeNamesItsUserAgent(t *testing.T) {
	for want, header := range map[string]http.Header{
		"vantiq-connectorsdk-go":      nil,
		"vantiq-connectorsdk-go mine": {"X-Mine": {"mine"}},
		"my-connector/1 mine":         {"User-Agent": {"my-connector/1"}, "X-Mine": {"mine"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := setUp(t, nil, connector.Options{Header: header})
			seen := make(chan string, 1)
			b.server.InterceptUpgrade(func(_ http.ResponseWriter, r *http.Request) bool {
				seen <- strings.TrimSpace(r.UserAgent() + " " + r.Header.Get("X-Mine"))
				return false
			})
			b.connect(echo())
			if got := <-seen; got != want || b.source.Link().UserAgent() == "" {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}
