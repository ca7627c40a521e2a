package connector_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// onState is a hook that is told states only.
type onState func(from, to connector.State, cause error)

func (f onState) OnState(_ string, from, to connector.State, cause error) { f(from, to, cause) }

func TestTheStatesOfALife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		b := setUp(t, nil, connector.Options{Hooks: []connector.Hook{onState(func(from, to connector.State, cause error) {
			line := fmt.Sprintf("%v → %v", from, to)
			if cause != nil {
				line += " because"
			}
			j.add(line)
		})}}).connect(echo())
		b.source.RequireReconnect()
		b.session(2)
		b.source.Drop(vantiqtest.FIN)
		b.session(3)
		b.must(b.end())
		expect(t, j.all(),
			"Idle → Dialing", "Dialing → Authenticating", "Authenticating → Connecting", "Connecting → Configuring", "Configuring → Connected",
			"Connected → Connecting because", "Connecting → Configuring", "Configuring → Connected",
			"Connected → Waiting because", "Waiting → Dialing",
			"Dialing → Authenticating", "Authenticating → Connecting", "Connecting → Configuring", "Configuring → Connected",
			"Connected → Draining", "Draining → Closed")
	})
}

// One deadline is for all of the handshake, from dialling to the configuration, wherever a server falls silent.
func TestTheHandshakeHasThirtySeconds(t *testing.T) {
	for name, c := range map[string]struct {
		strike func(b *bench, network *vantiqtest.Network)
		limit  time.Duration // 0: the default
	}{
		"nobody answers the dial": {strike: func(_ *bench, network *vantiqtest.Network) { network.Partition() }},
		"nobody answers the upgrade": {strike: func(b *bench, _ *vantiqtest.Network) {
			b.server.InterceptUpgrade(func(_ http.ResponseWriter, r *http.Request) bool {
				<-r.Context().Done()
				return true
			})
		}},
		"nobody answers validate": {strike: func(b *bench, _ *vantiqtest.Network) {
			b.server.Inject(vantiqtest.Fault{Op: protocol.OpValidate, Ignore: true})
		}},
		"nobody answers connectExtension": {strike: func(b *bench, _ *vantiqtest.Network) {
			b.server.Inject(vantiqtest.Fault{Op: protocol.OpConnectExtension, Ignore: true})
		}},
		"only statuses come": {strike: func(b *bench, _ *vantiqtest.Network) {
			b.server.Intercept(func(l *vantiqtest.Link, m protocol.Message) bool {
				if _, connects := m.(*protocol.ConnectExtension); !connects {
					return false
				}
				for range 20 {
					pass(4 * time.Second)
					l.Send(`{"status":200}`)
				}
				return true
			})
		}},
		"validate has used most of it": {strike: func(b *bench, _ *vantiqtest.Network) {
			b.server.Inject(vantiqtest.Fault{Op: protocol.OpValidate, Delay: 25 * time.Second})
			b.server.Inject(vantiqtest.Fault{Op: protocol.OpConnectExtension, Ignore: true})
		}},
		"less is configured": {limit: 7 * time.Second, strike: func(b *bench, _ *vantiqtest.Network) {
			b.server.Inject(vantiqtest.Fault{Op: protocol.OpConnectExtension, Ignore: true})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := vantiqtest.NewNetwork()
				b := setUpIn(t, network, nil, connector.Options{FailOnConnectionError: true, HandshakeTimeout: c.limit})
				c.strike(b, network)
				began, due := time.Now(), c.limit
				if due == 0 {
					due = 30 * time.Second
				}
				b.run(echo())
				err := b.endsWithin(patience)
				if took := time.Since(began); err == nil || took != due {
					t.Errorf("Run returned %v after %v", err, took)
				}
				network.Heal()
			})
		})
	}
}

// A status in answer to validate is final if it speaks of the token, and is not if it speaks of the moment.
func TestWhichAnswersToTheTokenAreFinal(t *testing.T) {
	for status, final := range map[int]bool{
		400: true, 401: true, 402: true, 403: true, 404: true, 409: true, 418: true, 422: true, 499: true,
		302: false, 408: false, 429: false, 500: false, 502: false, 503: false, 599: false,
	} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := setUp(t, nil, connector.Options{Logger: quiet})
				b.server.Inject(vantiqtest.Fault{Op: protocol.OpValidate, Times: 3, Answer: fmt.Sprintf(`{"status":%d}`, status)})
				b.run(echo())
				err := b.conn.WaitConnected(b.soon())
				var failed *connector.StatusError
				if got := errors.As(err, &failed) && failed.Status == status; got != final || !final && err != nil {
					t.Errorf("WaitConnected returned %v", err)
				}
			})
		})
	}
}

// What a person, or time, may mend is tried again for ever, so that nobody has to start the connector again.
func TestWhatMayBeMendedIsTriedAgainForEver(t *testing.T) {
	unreachable := func(err error) func(b *bench, dial *atomic.Pointer[error]) (mend func()) {
		return func(_ *bench, dial *atomic.Pointer[error]) (mend func()) {
			dial.Store(&err)
			return func() { dial.Store(nil) }
		}
	}
	refusal := func(status *connector.StatusError) func(*bench, *atomic.Pointer[error]) (mend func()) {
		return func(b *bench, _ *atomic.Pointer[error]) (mend func()) {
			b.source.Refuse(-1, status)
			return func() { b.source.Refuse(0, nil) }
		}
	}
	for cause, strike := range map[string]func(b *bench, dial *atomic.Pointer[error]) (mend func()){
		"the name is not known": unreachable(&net.DNSError{Err: "no such host", Name: "vantiq.test", IsNotFound: true}),
		"there is no route":     unreachable(&net.OpError{Op: "dial", Err: errors.New("no route to host")}),
		"nobody listens": func(b *bench, _ *atomic.Pointer[error]) (mend func()) {
			b.server.Stop(vantiqtest.FIN)
			return b.server.Start
		},
		"validate is not answered": func(b *bench, _ *atomic.Pointer[error]) (mend func()) {
			return b.server.Inject(vantiqtest.Fault{Op: protocol.OpValidate, Times: -1, Ignore: true})
		},
		"the source does not exist": refusal(&connector.StatusError{Status: 404}),
		"the source is taken":       refusal(&connector.StatusError{Status: 409}),
		"the source is forbidden":   refusal(&connector.StatusError{Status: 403}),
	} {
		t.Run(cause, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network, fails := vantiqtest.NewNetwork(), &atomic.Pointer[error]{}
				b := setUpOn(t, nil, connector.Options{Logger: quiet, DialContext: func(ctx context.Context, family, address string) (net.Conn, error) {
					if err := fails.Load(); err != nil {
						return nil, *err
					}
					return network.DialContext(ctx, family, address)
				}}, vantiqtest.WithNetwork(network))
				mend := strike(b, fails)
				b.run(echo())
				pass(6 * time.Hour)
				mend()
				b.must(b.conn.WaitConnected(b.soon()))
			})
		})
	}
	t.Run("TLS", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			certificates := x509.NewCertPool()
			b := setUp(t, nil, connector.Options{Logger: quiet, TLS: &tls.Config{RootCAs: certificates}}, vantiqtest.WithTLS(nil))
			b.run(echo())
			pass(30 * time.Minute)
			synctest.Wait()
			*certificates = *b.server.RootCAs() // somebody installs the certificate
			b.must(b.conn.WaitConnected(b.soon()))
		})
	})
}

func TestARejectedTokenFromAFileIsPresentedEveryThirtySeconds(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("wrong"), 0o600); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{Logger: quiet, AuthTokenFile: file})
		b.run(echo())
		pass(10*time.Minute + time.Second)
		dials := b.server.Dials()
		if len(dials) != 21 {
			t.Errorf("%d attempts in ten minutes", len(dials))
		}
		for n := 1; n < len(dials); n++ {
			if gap := dials[n].Sub(dials[n-1]); gap != 30*time.Second {
				t.Errorf("attempt %d came after %v", n, gap)
			}
		}
	})
}

func TestRetriesInTheReactivationWindowGrowFromATenthToOneSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{Logger: quiet})
		b.source.Reactivating(30)
		b.connect(echo())
		connects := b.source.Connects()
		before := time.Duration(0)
		for n := 1; n < len(connects); n++ {
			gap := connects[n].Time.Sub(connects[n-1].Time)
			if n == 1 && gap != 100*time.Millisecond || gap < before || gap > time.Second {
				t.Errorf("retry %d came after %v, the one before it after %v", n, gap, before)
			}
			before = gap
		}
		if before != time.Second || len(connects) != 31 {
			t.Errorf("the last of %d came after %v", len(connects), before)
		}
	})
}
