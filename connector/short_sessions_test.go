package connector_test

import (
	"context"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

const hintOfAnother = "does another connector use this source and the same reconnect secret?"

// A server that closes each link as soon as it has configured it is connected to at once, then more and more rarely.
func TestSessionsThatEndAtOnceAreBegunMoreAndMoreRarely(t *testing.T) {
	ways := map[string]vantiqtest.Drop{"1000": 1000, "1001": 1001, "1012": 1012, "nothing": vantiqtest.FIN, "RST": vantiqtest.RST}
	for name, how := range ways {
		t.Run(name+" behind the configuration", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := setUp(t, nil, connector.Options{Logger: quiet})
				b.server.Inject(vantiqtest.Fault{Op: protocol.OpConnectExtension, Times: -1, Drop: how})
				b.countShortSessions(nil)
			})
		})
		t.Run(name+" when connected", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := &record{}
				var b *bench
				b = setUp(t, nil, connector.Options{Logger: log.logger(), Hooks: []connector.Hook{onState(func(_, to connector.State, _ error) {
					if to == connector.Connected {
						b.source.Drop(how)
					}
				})}})
				b.countShortSessions(log)
			})
		})
	}
}

// countShortSessions runs the source for ten minutes, in which all its sessions are short. If they are certain to have
// begun, log is theirs.
func (b *bench) countShortSessions(log *record) {
	j := &journal{}
	b.run(journaled(j, false))
	pass(10*time.Minute - time.Second)
	synctest.Wait()

	var connects []time.Time
	for _, c := range b.source.Connects() {
		connects = append(connects, c.Time)
	}
	began := connects[0]
	perMinute := rates(began, connects)
	b.t.Logf("connects per minute: %v", perMinute)
	if again := connects[1].Sub(began); again > 2*time.Second {
		b.t.Errorf("the first reconnect came after %v", again)
	}
	for i := range len(connects) - 1 {
		// They are at least so far apart: a second, then a twelfth of the time that it has lasted, then 15 seconds.
		least := min(max(time.Second, connects[i].Sub(began)/12), 15*time.Second)
		if apart := connects[i+1].Sub(connects[i]); apart < least {
			b.t.Errorf("%v after the beginning, connects are %v apart, want %v at least", connects[i].Sub(began), apart, least)
		}
	}
	if len(perMinute) != 10 || slices.Min(perMinute) == 0 {
		b.t.Errorf("it gave up: connects per minute %v", perMinute)
	}
	if dials := len(b.server.Dials()); dials > len(connects)+1 { // one link may wait to connect
		b.t.Errorf("%d links for %d connects", dials, len(connects))
	}

	b.must(b.end())
	open, sessions := false, 0
	for _, line := range j.all() {
		if connect := strings.HasPrefix(line, "connect"); connect == open {
			b.t.Fatalf("Connect and Close do not take turns: %v", j.all())
		}
		if open = !open; open {
			sessions++
		}
	}
	if open {
		b.t.Error("a Connect was left without its Close")
	}
	if log != nil {
		if sessions != len(connects) {
			b.t.Errorf("%d sessions of %d connects", sessions, len(connects))
		}
		if said := warnings(b.t, log); len(said) != 2 || !strings.Contains(said[1], hintOfAnother) {
			b.t.Errorf("want a warning, and one that guesses:\n%s", strings.Join(said, ""))
		}
	}
}

// Two processes with the same secret take the source from each other for ever, but no faster than the waits allow.
func TestTwoConnectorsWithTheSameSecretDoNotFightFast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := vantiqtest.NewNetwork()
		server := vantiqtest.NewServer(vantiqtest.WithNetwork(network))
		defer server.Close()
		source := server.Source("EchoSource", nil)
		var all sync.WaitGroup
		ctx, stop := context.WithCancel(context.Background())
		var dials [2][]time.Time
		var logs [2]record
		began := time.Now()
		for n := range dials {
			conn, err := connector.New("EchoSource", connector.Options{
				TargetServer: server.URL(), AuthToken: "local-token", ReconnectSecret: "shared", Logger: logs[n].logger(),
				DialContext: func(ctx context.Context, family, address string) (net.Conn, error) {
					dials[n] = append(dials[n], time.Now())
					return network.DialContext(ctx, family, address)
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			all.Go(func() {
				if err := conn.Run(ctx); err != nil {
					t.Error(err)
				}
			})
		}
		pass(10*time.Minute - time.Second)
		stop()
		all.Wait()

		connects := source.Connects()
		usurped := 0
		for _, c := range connects {
			if c.Usurped {
				usurped++
			}
		}
		if usurped < 10 || len(connects) > 300 {
			t.Errorf("%d connects, of which %d took the source over", len(connects), usurped)
		}
		for n, of := range dials {
			perMinute := rates(began, of)
			t.Logf("connector %d, attempts per minute: %v", n, perMinute)
			if perMinute[0] > 60 || slices.Max(perMinute[5:]) > 9 {
				t.Errorf("connector %d attempts too often: %v per minute", n, perMinute)
			}
		}
		if !strings.Contains(strings.Join(append(warnings(t, &logs[0]), warnings(t, &logs[1])...), ""), hintOfAnother) {
			t.Errorf("neither warns of the other:\n%s", logs[0].String())
		}
	})
}
