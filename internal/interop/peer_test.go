package interop_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vantiq-go/connectorsdk/internal/interop"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

func TestPeersInEveryScenario(t *testing.T) {
	for name, newPeer := range peers {
		t.Run(name, func(t *testing.T) {
			play(t, func(t *testing.T, scenario string, play func(*testing.T, local)) {
				t.Run(scenario, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						network := vantiqtest.NewNetwork()
						vantiq := newDirect(t, network)
						run(t, newPeer(target(t, vantiq.server, network)))
						play(t, vantiq)
					})
				})
			})
		})
	}
}

// eachPeer runs test for each peer in a bubble of virtual time, with a local Vantiq to which nobody has connected yet.
func eachPeer(t *testing.T, name string, test func(t *testing.T, name string, vantiq *direct, newPeer func() peer)) {
	t.Helper()
	for sdk, newPeer := range peers {
		t.Run(sdk+"/"+name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := vantiqtest.NewNetwork()
				vantiq := newDirect(t, network)
				test(t, sdk, vantiq, func() peer { return newPeer(target(t, vantiq.server, network)) })
			})
		})
	}
}

func TestWrongTokenEndsPeers(t *testing.T) {
	for name, wanted := range map[string]string{
		"Python": "interop: the token was rejected: 401 :: authFailure:invalid authToken",
		"Java":   `interop: the token was rejected: [{"code":"authFailure","message":"invalid authToken","params":[]}]`,
	} {
		t.Run(name, func(t *testing.T) {
			vantiq := newDirect(t, nil)
			to := target(t, vantiq.server, nil)
			to.Token = "guess"
			if err := peers[name](to).Run(within(t)); err == nil || err.Error() != wanted {
				t.Errorf("it ended with %v, want %s", err, wanted)
			}
		})
	}
}

// Python authenticates anew on a new link for every new session; Java stays on its link.
func TestLinksOfPeersAfterReconnectRequired(t *testing.T) {
	eachPeer(t, "three refusals", func(t *testing.T, sdk string, vantiq *direct, newPeer func() peer) {
		run(t, newPeer())
		vantiq.WaitSession(1)
		first := vantiq.source.Link().ID()
		vantiq.Reactivate(3)
		vantiq.WaitSession(2)
		connects := vantiq.source.Connects()
		if len(connects) != 5 {
			t.Fatalf("there were %d connects, want 5: one, three refused, one", len(connects))
		}
		for i, connect := range connects {
			wanted := first
			if sdk == "Python" {
				wanted += uint64(i)
			}
			if connect.Link != wanted || (connect.Refused != nil) != (1 <= i && i <= 3) || connect.Secret != connects[0].Secret {
				t.Errorf("connect %d was on link %d, want %d; refused: %v", i, connect.Link, wanted, connect.Refused)
			}
		}
	})
}

func TestJavaGivesUpALinkAfterTenConnectsInTheReactivationWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := vantiqtest.NewNetwork()
		vantiq := newDirect(t, network)
		vantiq.Reactivate(12)
		run(t, interop.NewJava(target(t, vantiq.server, network)))
		began := time.Now()
		vantiq.WaitSession(1)
		links := map[uint64]int{}
		for _, connect := range vantiq.source.Connects() {
			links[connect.Link]++
		}
		if links[1] != 10 || links[2] != 3 || time.Since(began) != 5*time.Second {
			t.Errorf("connects by link: %v, after %v", links, time.Since(began))
		}
	})
}

// How long a source is without its connector is a matter of the SDK, and of how the local Vantiq ends a link.
func TestPeersComeBack(t *testing.T) {
	for _, test := range []struct {
		peer string
		how  vantiqtest.Drop
		from time.Duration
		to   time.Duration
	}{
		{"Python", 1000, 0, 0},
		{"Python", 1001, 0, 0},
		{"Python", 1012, 500 * time.Millisecond, 500 * time.Millisecond},
		{"Python", vantiqtest.FIN, 500 * time.Millisecond, 500 * time.Millisecond},
		{"Python", vantiqtest.RST, 500 * time.Millisecond, 500 * time.Millisecond},
		{"Python", vantiqtest.Vanish, 20 * time.Second, 41 * time.Second}, // a ping every 20 s, 20 s for its pong
		{"Java", 1000, 5 * time.Second, 15 * time.Second},                 // the close frame goes unnoticed
		{"Java", 1001, 5 * time.Second, 15 * time.Second},
		{"Java", vantiqtest.FIN, 5 * time.Second, 5 * time.Second},
		{"Java", vantiqtest.RST, 5 * time.Second, 5 * time.Second},
		{"Java", vantiqtest.Vanish, 10 * time.Second, 15 * time.Second}, // a ping every 5 s, 5 s for its pong
	} {
		t.Run(test.peer+"/"+test.how.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := vantiqtest.NewNetwork()
				var closed []time.Time
				vantiq := observed(t, network, func(e vantiqtest.Event) {
					if e.Kind == vantiqtest.LinkClosed {
						closed = append(closed, e.Time)
					}
				})
				run(t, peers[test.peer](target(t, vantiq.server, network)))
				vantiq.WaitSession(1)
				time.Sleep(time.Second) // so that it is between two pings
				dropped := time.Now()
				vantiq.Drop(test.how)
				if vanished := test.how == vantiqtest.Vanish; vantiq.source.Connected() != vanished {
					t.Errorf("connected: %t", !vanished)
				}
				vantiq.WaitSession(2)
				if took := time.Since(dropped); took < test.from || took > test.to {
					t.Errorf("it was back after %v, want %v to %v", took, test.from, test.to)
				}
				synctest.Wait()
				if len(closed) != 1 || test.how != vantiqtest.Vanish && closed[0].Sub(dropped) > time.Second {
					t.Errorf("the link was closed at %v, dropped at %v; want at most a second in between", closed, dropped)
				}
				if usurped := vantiq.source.Connects()[1].Usurped; usurped != (test.how == vantiqtest.Vanish) {
					t.Errorf("it usurped its own session: %t", usurped)
				}
			})
		})
	}
}

func TestPingsKeepASessionForHours(t *testing.T) {
	for name, wanted := range map[string]int{"Python": 24 * 60 * 3, "Java": 24 * 60 * 12} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				pings := 0
				network := vantiqtest.NewNetwork()
				vantiq := observed(t, network, func(e vantiqtest.Event) {
					if e.Kind == vantiqtest.PingReceived {
						pings++
					}
				})
				run(t, peers[name](target(t, vantiq.server, network)))
				vantiq.WaitSession(1)
				time.Sleep(24*time.Hour + time.Second)
				synctest.Wait()
				if pings != wanted || vantiq.Sessions() != 1 {
					t.Errorf("%d pings, want %d; %d sessions, want 1", pings, wanted, vantiq.Sessions())
				}
			})
		})
	}
}

// Two connectors with one secret take the source from each other for ever. A Python comes back at once, so it is told to
// live once only.
func TestSameSecretUsurps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := vantiqtest.NewNetwork()
		vantiq := newDirect(t, network)
		to := target(t, vantiq.server, network)
		first, second := once(t, to), once(t, to)
		ended := first()
		vantiq.WaitSession(1)
		_ = second()
		vantiq.WaitSession(2)
		if err := <-ended; err != nil {
			t.Errorf("the usurped connector's link ended with %v, want nil: a clean end, after which it comes back at once", err)
		}
		if connect, l := vantiq.source.Connects()[1], vantiq.source.Link(); !connect.Usurped || l == nil || l.ID() != connect.Link {
			t.Errorf("the second connect was %+v", connect)
		}
	})
}

// A connector with another secret waits until the first has gone.
func TestAnotherSecretIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := vantiqtest.NewNetwork()
		vantiq := newDirect(t, network)
		first, second := target(t, vantiq.server, network), target(t, vantiq.server, network)
		end := run(t, interop.NewJava(first))
		vantiq.WaitSession(1)
		second.Secret = "another"
		if err := <-once(t, second)(); err != nil {
			t.Errorf("the refused connector's link ended with %v, want nil: it comes back at once", err)
		}
		if refused := vantiq.source.Connects()[1].Refused; refused == nil || refused.Status != 409 {
			t.Errorf("refused with %v, want status 409", refused)
		}
		run(t, interop.NewJava(second))
		time.Sleep(time.Minute)
		if vantiq.Sessions() != 1 || len(vantiq.source.Connects()) < 10 {
			t.Errorf("%d sessions after %d connects, want 1", vantiq.Sessions(), len(vantiq.source.Connects()))
		}
		_ = end()
		vantiq.WaitSession(2)
	})
}

// once returns what starts the life of one link of a Python; it ends with the test.
func once(t *testing.T, to interop.Target) (start func() (ended <-chan error)) {
	ctx, stop := context.WithTimeout(context.Background(), patience)
	var running sync.WaitGroup
	t.Cleanup(func() {
		stop()
		running.Wait()
	})
	return func() <-chan error {
		ended := make(chan error, 1)
		running.Go(func() { ended <- (&interop.Python{Target: to}).Attempt(ctx) })
		return ended
	}
}

func TestJavaHasFiveNotificationsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := vantiqtest.NewNetwork()
		vantiq := newDirect(t, network)
		vantiq.source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
		run(t, interop.NewJava(target(t, vantiq.server, network)))
		vantiq.WaitSession(1)
		for n := range 20 {
			if err := vantiq.Publish(fmt.Sprintf(`{"n":%d}`, n)); err != nil {
				t.Fatal(err)
			}
		}
		for round, wanted := range []int{5, 5, 5, 5, 1} { // what was configured, then the twenty
			time.Sleep(time.Hour)
			if got := len(vantiq.source.Notifications()); got != wanted {
				t.Errorf("round %d: %d notifications, want %d", round, got, wanted)
			}
			vantiq.source.ReleaseAcknowledgements(-1)
		}
	})
}

// Vantiq may say a status or more before the configuration. The SDK for Python bears ten.
func TestStatusesBeforeTheConfiguration(t *testing.T) {
	for _, statuses := range []int{1, 10, 11} {
		eachPeer(t, fmt.Sprint(statuses), func(t *testing.T, sdk string, vantiq *direct, newPeer func() peer) {
			vantiq.source.Inject(vantiqtest.Fault{Op: protocol.OpConnectExtension, Statuses: statuses})
			run(t, newPeer())
			wanted := 1
			if sdk == "Python" && statuses > 10 {
				wanted = 2
			}
			vantiq.WaitSession(wanted)
			time.Sleep(time.Minute)
			if got := vantiq.Sessions(); got != wanted {
				t.Errorf("%d sessions, want %d", got, wanted)
			}
		})
	}
}

// Python's SDK takes either kind of message. Java's takes binary ones only, which is why the local Vantiq sends these.
func TestKindsOfMessages(t *testing.T) {
	for name, newPeer := range peers {
		for _, kinds := range [][]vantiqtest.FrameKind{nil, {vantiqtest.Text}, {vantiqtest.Text, vantiqtest.Binary}} {
			t.Run(fmt.Sprint(name, kinds), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					network := vantiqtest.NewNetwork()
					vantiq := newDirect(t, network, vantiqtest.WithFrames(kinds...))
					run(t, newPeer(target(t, vantiq.server, network)))
					time.Sleep(time.Second)
					if wanted := name == "Python" || kinds == nil; vantiq.source.Connected() != wanted {
						t.Errorf("connected: %t, want %t", !wanted, wanted)
					}
					if name == "Python" {
						wantRows(t, vantiq, `{"rows":9,"partial":2}`, 9)
					}
				})
			})
		}
	}
}

// A larger message ends the link of the SDK for Python, again and again if it is sent again.
func TestPythonTakesAMebibyte(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := vantiqtest.NewNetwork()
		vantiq := newDirect(t, network, vantiqtest.WithMaxMessage(2<<20))
		run(t, &interop.Python{Target: target(t, vantiq.server, network)})
		vantiq.WaitSession(1)
		takesAMebibyte(t, vantiq)
	})
}

func takesAMebibyte(t *testing.T, vantiq *direct) {
	t.Helper()
	_ = vantiq.Notification()
	around := len(protocol.AppendPublish(nil, sourceName, protocol.Document{})) + 512 // what Vantiq writes beside the message
	fits := fmt.Sprintf(`{"text":"%s"}`, strings.Repeat("-", 1<<20-around))
	if err := vantiq.Publish(fits); err != nil {
		t.Fatal(err)
	}
	want(t, vantiq.Notification(), `{"published":`+fits+`}`)
	if err := vantiq.Publish(fmt.Sprintf(`{"text":"%s"}`, strings.Repeat("-", 1<<20))); err != nil {
		t.Fatal(err)
	}
	began(t, vantiq, 2, firstConfig)
}
