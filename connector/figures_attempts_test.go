package connector_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// A siege is a source that something keeps from being connected, and what is attempted meanwhile.
type siege struct {
	*bench
	network  *vantiqtest.Network
	dial     func(ctx context.Context, network, address string) (net.Conn, error)
	handlers connector.Handlers

	mu       sync.Mutex
	attempts [kinds][]time.Time
}

// What is counted.
const (
	dials    = iota // TCP connections that were asked for
	connects        // connectExtensions that the server received
	calls           // calls of the Connect handler
	kinds
)

func (s *siege) count(kind int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attempts[kind] = append(s.attempts[kind], time.Now())
}

// A cause keeps a source from being connected, for ever.
type cause struct {
	name    string
	options connector.Options
	server  vantiqtest.Option
	strike  func(s *siege)
	most    bound
	calm    bool // nothing fails: there is no error to be told
}

// A bound is the most of any kind of attempts: in the first minute, and per minute in the sixth to tenth. As waits are
// random, bounds leave room above the worst of 300 runs.
type bound struct {
	rate
	apart time.Duration // connectExtensions are at least so far apart
}

var (
	redials   = bound{rate{80, 8}, time.Second} // nothing but the wait is between two attempts: up to age/6, in the end 30 s
	claims    = bound{rate{32, 4}, time.Second} // connectExtensions are a second apart, and more with age
	handshake = bound{rate{3, 3}, time.Second}  // each attempt takes until the deadline of the handshake
	failing   = bound{rate{16, 4}, 0}           // the waits of the Connect handler: 0.5 s to 30 s
	once      = bound{rate{1, 0}, 0}
)

func causes(t *testing.T) []cause {
	wrongToken := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(wrongToken, []byte("wrong"), 0o600); err != nil {
		t.Fatal(err)
	}
	const validate, connect = protocol.OpValidate, protocol.OpConnectExtension
	const reconnect, configure = `{"op":"reconnectRequired"}`, `{"op":"configureExtension","object":{"config":{}}}`
	return []cause{
		{name: "the name does not resolve", most: redials, strike: func(s *siege) {
			s.dial = func(context.Context, string, string) (net.Conn, error) {
				return nil, &net.DNSError{Err: "no such host", Name: "vantiq.test", IsNotFound: true}
			}
		}},
		{name: "TCP is refused", most: redials, strike: func(s *siege) { s.server.Stop(vantiqtest.FIN) }},
		{name: "TCP is not answered", most: handshake, strike: func(s *siege) { s.network.Partition() }},
		{name: "TLS: the certificate is not trusted", most: redials, server: vantiqtest.WithTLS(nil)},
		{name: "the upgrade is not answered", most: handshake, strike: func(s *siege) {
			s.server.InterceptUpgrade(func(_ http.ResponseWriter, r *http.Request) bool {
				<-r.Context().Done()
				return true
			})
		}},
		{name: "the upgrade is answered 200", most: redials, strike: upgraded(200)},
		{name: "the upgrade is answered 401", most: redials, strike: upgraded(401)},
		{name: "the upgrade is answered 404", most: redials, strike: upgraded(404)},
		{name: "the upgrade is answered 502", most: redials, strike: upgraded(502)},

		{name: "`validate` is not answered", most: handshake, strike: inject(vantiqtest.Fault{Op: validate, Ignore: true})},
		{name: "`validate` ends the link", most: redials, strike: inject(vantiqtest.Fault{Op: validate, Ignore: true, Drop: vantiqtest.FIN})},
		{name: "`validate` is answered 503", most: redials, strike: replied(validate, `{"status":503}`)},
		{name: "`validate` is answered 429", most: redials, strike: replied(validate, `{"status":429}`)},
		{name: "the token is rejected (`authToken`)", most: once, options: connector.Options{AuthToken: "wrong"}},
		{name: "the token is rejected (`authTokenFile`)", most: bound{rate{3, 2.5}, 0}, options: connector.Options{AuthTokenFile: wrongToken}},

		{name: "`connectExtension` is not answered", most: handshake, strike: inject(vantiqtest.Fault{Op: connect, Ignore: true})},
		{name: "the source does not exist", most: claims, strike: func(s *siege) { s.source.Refuse(-1, &protocol.StatusError{Status: 404}) }},
		{name: "the source is taken by another connector", most: claims, strike: func(s *siege) { s.rival("another secret") }},
		{name: "the source is reactivated and never ready", most: bound{rate{66, 61}, 100 * time.Millisecond},
			strike: func(s *siege) { s.source.Reactivating(-1) }},
		{name: "`configureExtension` has no configuration", most: claims, strike: replied(connect, `{"op":"configureExtension","object":{}}`)},

		{name: "closed at once: 1000", most: claims, strike: configured(drop(1000))},
		{name: "closed at once: 1001", most: claims, strike: configured(drop(1001))},
		{name: "closed at once: 1012", most: claims, strike: configured(drop(1012))},
		{name: "closed at once: end of TCP", most: claims, strike: configured(drop(vantiqtest.FIN))},
		{name: "closed at once: reset", most: claims, strike: configured(drop(vantiqtest.RST))},
		{name: "closed 10 s after each configuration", most: bound{rate{8, 4}, time.Second}, strike: configured(later(10*time.Second, drop(1012)))},
		{name: "closed 31 s after each configuration", most: bound{rate{2, 2.5}, 0}, strike: configured(later(31*time.Second, drop(1012)))},
		{name: "half open 1 s after each configuration", most: bound{rate{4, 3}, time.Second}, strike: configured(later(time.Second, drop(vantiqtest.Vanish)))},
		{name: "acknowledgements cease in each session", most: bound{rate{8, 4}, time.Second}, strike: func(s *siege) {
			s.handlers.Connect = func(ctx context.Context, c *connector.SourceConnection, _ connector.Document) error {
				s.source.SetAcknowledgements(vantiqtest.Acknowledgements{})
				err := errors.Join(c.SendNotification(ctx, object{}), c.Flush(ctx))
				s.source.SetAcknowledgements(vantiqtest.Acknowledgements{None: true})
				return errors.Join(err, c.SendNotification(ctx, object{}))
			}
		}},
		{name: "another connector with the same secret (both counted)", most: bound{rate{60, 6}, 0},
			options: connector.Options{ReconnectSecret: "same"}, strike: func(s *siege) { s.rival("same") }},

		{name: "`reconnectRequired` instead of each configuration", most: claims, calm: true, strike: replied(connect, reconnect)},
		{name: "`reconnectRequired` after each configuration", most: claims, calm: true, strike: configured(say(1, reconnect))},
		{name: "`reconnectRequired` 1,000 times after each configuration", most: claims, calm: true, strike: configured(say(1000, reconnect))},
		{name: "`reconnectRequired` 1,000 times, 31 s after each configuration", most: bound{rate{4, 6}, time.Second}, calm: true,
			strike: configured(later(31*time.Second, say(1000, reconnect)))},
		{name: "a new configuration each second", most: bound{rate{61, 61}, 0}, calm: true, strike: configured(func(l *vantiqtest.Link) {
			go func() {
				for {
					select {
					case <-time.After(time.Second):
						l.Send(configure)
					case <-l.Done():
						return
					}
				}
			}()
		})},

		{name: "the Connect handler errs", most: failing, strike: connecting(func() error { return errors.New("no database") })},
		{name: "the Connect handler panics", most: failing, strike: connecting(func() error { panic("no database") })},
		{name: "the Connect handler errs: Permanent", most: once, strike: connecting(func() error { return connector.Permanent(errors.New("no host")) })},
	}
}

// --- what strikes

// inject lets a fault strike every time.
func inject(f vantiqtest.Fault) func(*siege) {
	f.Times = -1
	return func(s *siege) { s.server.Inject(f) }
}

func replied(op, text string) func(*siege) { return inject(vantiqtest.Fault{Op: op, Answer: text}) }

func upgraded(status int) func(*siege) {
	return func(s *siege) {
		s.server.InterceptUpgrade(func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(status)
			return true
		})
	}
}

// configured does something to a link after each configuration.
func configured(do func(l *vantiqtest.Link)) func(*siege) {
	return func(s *siege) {
		s.server.Intercept(func(l *vantiqtest.Link, m protocol.Message) bool {
			if _, ok := m.(*protocol.ConnectExtension); !ok {
				return false
			}
			l.Handle(m)
			do(l)
			return true
		})
	}
}

func drop(how vantiqtest.Drop) func(*vantiqtest.Link) {
	return func(l *vantiqtest.Link) { l.Drop(how) }
}

func say(times int, text string) func(*vantiqtest.Link) {
	return func(l *vantiqtest.Link) {
		for range times {
			l.Send(text)
		}
	}
}

func later(d time.Duration, do func(*vantiqtest.Link)) func(*vantiqtest.Link) {
	return func(l *vantiqtest.Link) { time.AfterFunc(d, func() { do(l) }) }
}

// connecting is what the Connect handler does.
func connecting(do func() error) func(*siege) {
	return func(s *siege) {
		s.handlers.Connect = func(context.Context, *connector.SourceConnection, connector.Document) error { return do() }
	}
}

// --- how it is measured

// What the server sees of one source per minute for each cause, over ten minutes: never a hot loop, quick at first, and
// some attempts a minute for as long as it takes.
func TestFiguresOfAttempts(t *testing.T) {
	runs := measured(20, 1)
	figure(t, "| Cause | dials | connectExtensions | calls of Connect | at most |")
	figure(t, "| --- | --- | --- | --- | --- |")
	for _, c := range causes(t) {
		t.Run(strings.NewReplacer("`", "", ",", "").Replace(c.name), func(t *testing.T) {
			var mean [kinds]rate
			var worst rate
			for range runs {
				synctest.Test(t, func(t *testing.T) {
					for kind, r := range besiege(t, c) {
						mean[kind].first += r.first / float64(runs)
						mean[kind].late += r.late / float64(runs)
						worst = rate{max(worst.first, r.first), max(worst.late, r.late)}
					}
				})
			}
			figure(t, "| %s | %v | %v | %v | %v |", c.name, mean[dials], mean[connects], mean[calls], worst)
			if worst.first > c.most.first || worst.late > c.most.late {
				t.Errorf("%v attempts a minute, at most %v are right", worst, c.most.rate)
			}
		})
	}
}

// A rate is attempts per minute: in the first, and on average in the sixth to tenth.
type rate struct{ first, late float64 }

func (r rate) String() string {
	switch {
	case r.first < 0.5:
		return "–"
	case r.late == 0:
		return fmt.Sprintf("%.0f, then none", r.first)
	}
	return fmt.Sprintf("%.0f, then %.1f", r.first, r.late)
}

// besiege lets a cause strike for ten minutes.
func besiege(t *testing.T, c cause) (rates [kinds]rate) {
	s := &siege{network: vantiqtest.NewNetwork(), handlers: echo()}
	s.dial = s.network.DialContext
	c.options.DialContext = s.countedDial
	c.options.Logger = quiet
	server := []vantiqtest.Option{vantiqtest.WithNetwork(s.network)}
	if c.server != nil {
		server = append(server, c.server)
	}
	s.bench = setUpOn(t, nil, c.options, server...)
	if c.strike != nil {
		c.strike(s)
	}
	s.attempts = [kinds][]time.Time{} // what strike has cost does not count
	s.server.Intercept(func(_ *vantiqtest.Link, m protocol.Message) bool {
		if _, ok := m.(*protocol.ConnectExtension); ok {
			s.count(connects)
		}
		return false
	})
	connect := s.handlers.Connect
	s.handlers.Connect = func(ctx context.Context, conn *connector.SourceConnection, config connector.Document) error {
		s.count(calls)
		if connect == nil {
			return nil
		}
		return connect(ctx, conn, config)
	}
	began := time.Now()
	s.run(s.handlers)
	pass(10*time.Minute - 1)
	synctest.Wait()

	s.mu.Lock()
	defer s.mu.Unlock()
	most := 0.0
	for kind, attempts := range s.attempts {
		for i, at := range attempts {
			switch minute := at.Sub(began) / time.Minute; {
			case minute == 0:
				rates[kind].first++
			case minute >= 5:
				rates[kind].late += 1.0 / 5
			}
			if kind == connects && i > 0 && at.Sub(attempts[i-1]) < c.most.apart {
				t.Errorf("connectExtensions %d and %d are %v apart", i-1, i, at.Sub(attempts[i-1]))
			}
		}
		most = max(most, rates[kind].late)
	}
	if most < 0.5 && c.most.late > 0 {
		t.Errorf("it has given up: %.1f attempts a minute", most)
	}
	if s.conn.Stats().LastError == "" && !c.calm {
		t.Error("no last error")
	}
	return rates
}

// countedDial dials and counts it.
func (s *siege) countedDial(ctx context.Context, network, address string) (net.Conn, error) {
	s.count(dials)
	return s.dial(ctx, network, address)
}

// rival runs another connector for the source. It is connected when rival returns.
func (s *siege) rival(secret protocol.Secret) {
	conn, err := connector.New("EchoSource", connector.Options{
		TargetServer: s.server.URL(), AuthToken: "local-token", ReconnectSecret: secret,
		DialContext: s.countedDial,
	})
	s.must(err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- conn.Run(ctx) }()
	s.t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			s.t.Error(err)
		}
	})
	s.must(conn.WaitConnected(s.soon()))
}
