package connector_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// Here somebody on the network poses as the server, or listens.

// A wire records all that connectors send over a connection.
type wire struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (w *wire) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

func (w *wire) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// impostor accepts connections, does what a TLS server does with them, and returns all that it can decrypt.
func impostor(t *testing.T, config *tls.Config) (address string, decrypted func() string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	w := &wire{}
	all.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(patience))
				_, _ = io.Copy(w, tls.Server(c, config))
			})
		}
	})
	stop := sync.OnceFunc(func() {
		_ = listener.Close()
		all.Wait()
	})
	t.Cleanup(stop)
	return "https://" + listener.Addr().String(), func() string {
		stop()
		return w.String()
	}
}

// Not even the HTTP request, whose headers may hold a password, is sent before the server is who it should be.
func TestAServerThatIsNotVerifiedSeesNoByte(t *testing.T) {
	good, trust := certificate(t, "127.0.0.1", time.Now().Add(time.Hour))
	otherHost, trustOther := certificate(t, "vantiq.example.com", time.Now().Add(time.Hour))
	expired, trustExpired := certificate(t, "127.0.0.1", time.Now().Add(-time.Hour))
	for name, c := range map[string]struct {
		certificate tls.Certificate
		client      *tls.Config
		newest      uint16
		want        bool // bytes
	}{
		"verified":                {good, &tls.Config{RootCAs: trust}, 0, true},
		"system's roots":          {good, nil, 0, false},
		"unknown authority":       {good, &tls.Config{RootCAs: x509.NewCertPool()}, 0, false},
		"another host":            {otherHost, &tls.Config{RootCAs: trustOther}, 0, false},
		"expired":                 {expired, &tls.Config{RootCAs: trustExpired}, 0, false},
		"TLS 1.1":                 {good, &tls.Config{RootCAs: trust}, tls.VersionTLS11, false},
		"unknown authority, 1.2":  {good, &tls.Config{RootCAs: x509.NewCertPool()}, tls.VersionTLS12, false},
		"verified, TLS 1.2":       {good, &tls.Config{RootCAs: trust}, tls.VersionTLS12, true},
		"verification is skipped": {otherHost, &tls.Config{InsecureSkipVerify: true}, 0, true}, //nolint:gosec // what is tested
	} {
		t.Run(name, func(t *testing.T) {
			address, decrypted := impostor(t, &tls.Config{Certificates: []tls.Certificate{c.certificate}, MinVersion: tls.VersionTLS10, MaxVersion: c.newest})
			conn, err := connector.New("EchoSource", connector.Options{
				TargetServer: address, AuthToken: "local-token", TLS: c.client, FailOnConnectionError: true,
				HandshakeTimeout: 2 * time.Second, Header: http.Header{"X-Password": {"hunter2"}},
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := conn.Run(t.Context()); err == nil {
				t.Error("Run returned nil")
			}
			if got := decrypted(); (got != "") != c.want || strings.Contains(got, "local-token") {
				t.Errorf("the server saw %q", got)
			}
		})
	}
}

// What a proxy, or whoever listens, sees of a link with TLS is where it goes.
func TestAProxySeesNothingOfALinkWithTLS(t *testing.T) {
	address, tunnels := proxyServer(t, http.StatusOK)
	seen := &wire{}
	roots := x509.NewCertPool()
	b := setUpOn(t, nil, connector.Options{
		TLS:             &tls.Config{RootCAs: roots},
		ReconnectSecret: "hunter3",
		Header:          http.Header{"X-Password": {"hunter4"}},
		Proxy: func(*url.URL) (*url.URL, error) {
			return &url.URL{Scheme: "http", Host: address, User: url.UserPassword("me", "hunter2")}, nil
		},
		DialContext: tapped(seen),
	}, vantiqtest.WithTLS(nil))
	*roots = *b.server.RootCAs()
	b.connect(echo())
	text := seen.String()
	if tunnels.Load() != 1 || !strings.HasPrefix(text, "CONNECT 127.0.0.1:") {
		t.Errorf("the proxy saw %.200q", text)
	}
	for _, secret := range []string{"local-token", "hunter3", "hunter4", "validate", "EchoSource", "websocket"} {
		if strings.Contains(text, secret) {
			t.Errorf("the proxy saw %s", secret)
		}
	}
}

// Neither a redirect nor a server that does not speak TLS makes a connector send anything elsewhere or in the clear.
func TestNothingIsSentElsewhereOrInTheClear(t *testing.T) {
	seen := &wire{}
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") }))
	defer elsewhere.Close()
	plain := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusMovedPermanently))
	defer plain.Close()
	for _, target := range []string{plain.URL, strings.Replace(plain.URL, "http://", "https://", 1)} {
		conn, err := connector.New("EchoSource", connector.Options{
			TargetServer: target, AuthToken: "local-token", FailOnConnectionError: true, DialContext: tapped(seen),
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.Run(t.Context()); err == nil {
			t.Error("Run returned nil")
		}
	}
	if text := seen.String(); strings.Contains(text, "local-token") || strings.Count(text, "HTTP/1.1") != 1 {
		t.Errorf("sent was %q", text)
	}
}

// A message of which a part is missing, control frames without end and one byte at a time neither fill the memory nor
// keep the connector from noticing that the session is over.
func TestAPeerThatTricklesIsKeptWithoutCost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{Logger: quiet})
		proceed := make(chan struct{})
		var once atomic.Bool
		b.server.InterceptUpgrade(func(w http.ResponseWriter, r *http.Request) bool {
			if once.Swap(true) {
				return false
			}
			c := hijackWebSocket(t, w, r)
			defer c.Close()
			before := held()
			check := func() {
				pass(time.Second)
				if after := held(); after-before > 8<<20 {
					t.Errorf("%d MiB are held", (after-before)>>20)
				}
			}
			say := func(frames ...byte) { _, _ = c.Write(frames) }
			say(bytes.Repeat([]byte{0x89, 1, 'p'}, 100_000)...) // pings, and nobody reads the pongs
			check()
			go io.Copy(io.Discard, c)                                    //nolint:errcheck // until the end
			say(0x01, 1, '{')                                            // a text message begins
			say(bytes.Repeat([]byte{0x00, 0}, 100_000)...)               // and goes on with nothing in it
			say(bytes.Repeat([]byte{0x8a, 0}, 100_000)...)               // pongs nobody asked for, in between
			say(0x00, 127, 0x7f, 255, 255, 255, 255, 255, 255, 255, '{') // nine exabytes, announced
			check()
			close(proceed)
			pass(time.Hour)
			return true
		})
		b.run(echo())
		<-proceed
		b.must(b.conn.WaitConnected(b.soon())) // on another link: the handshake has a limit
	})
}

// tapped dials, and writes all that is sent to w.
func tapped(w io.Writer) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return copying{c, w}, nil
	}
}

type copying struct {
	net.Conn
	w io.Writer
}

func (t copying) Write(p []byte) (int, error) {
	_, _ = t.w.Write(p)
	return t.Conn.Write(p)
}

// hijackWebSocket accepts an upgrade and returns the connection, for frames that no library writes.
func hijackWebSocket(t *testing.T, w http.ResponseWriter, r *http.Request) net.Conn {
	t.Helper()
	ws, err := new(websocket.Upgrader).Upgrade(w, r, nil)
	if err != nil {
		t.Fatal(err)
	}
	return ws.NetConn()
}
