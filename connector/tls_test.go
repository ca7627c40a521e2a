package connector_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// certificate makes a certificate that is its own authority.
func certificate(t *testing.T, host string, expires time.Time) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: host}, NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: expires,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	if ip := net.ParseIP(host); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{host}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

func TestTLSFailuresSayWhichAndWhatToDo(t *testing.T) {
	good, trust := certificate(t, "127.0.0.1", time.Now().Add(time.Hour))
	otherHost, trustOther := certificate(t, "vantiq.example.com", time.Now().Add(time.Hour))
	expired, trustExpired := certificate(t, "127.0.0.1", time.Now().Add(-time.Hour))
	for name, c := range map[string]struct {
		server *tls.Config
		client *tls.Config
		plain  bool
		want   string
	}{
		"unknown authority":         {server: &tls.Config{Certificates: []tls.Certificate{good}}, client: &tls.Config{}, want: "tlsCaFile"},
		"wrong host":                {server: &tls.Config{Certificates: []tls.Certificate{otherHost}}, client: &tls.Config{RootCAs: trustOther}, want: "targetServer must use a host name"},
		"expired":                   {server: &tls.Config{Certificates: []tls.Certificate{expired}}, client: &tls.Config{RootCAs: trustExpired}, want: "must be renewed"},
		"client certificate wanted": {server: &tls.Config{Certificates: []tls.Certificate{good}, ClientAuth: tls.RequireAnyClientCert}, client: &tls.Config{RootCAs: trust}, want: "tlsCertFile"},
		"TLS too old":               {server: &tls.Config{Certificates: []tls.Certificate{good}, MaxVersion: tls.VersionTLS11}, client: &tls.Config{RootCAs: trust}, want: "protocol version"},
		"no TLS there":              {plain: true, client: &tls.Config{}, want: "does targetServer want http"},
	} {
		t.Run(name, func(t *testing.T) {
			var tokens atomic.Int64
			var options []vantiqtest.Option
			if !c.plain {
				options = append(options, vantiqtest.WithTLS(c.server))
			}
			server := vantiqtest.NewServer(options...)
			defer server.Close()
			server.Intercept(func(_ *vantiqtest.Link, m protocol.Message) bool {
				if _, ok := m.(*protocol.Validate); ok {
					tokens.Add(1)
				}
				return false
			})
			address := server.URL()
			if c.plain {
				other := httptest.NewServer(http.NotFoundHandler())
				defer other.Close()
				address = strings.Replace(other.URL, "http://", "https://", 1)
			}
			conn, err := connector.New("EchoSource", connector.Options{
				TargetServer: address, AuthToken: "local-token", TLS: c.client, FailOnConnectionError: true,
			})
			if err != nil {
				t.Fatal(err)
			}
			err = conn.Run(t.Context())
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
			if tokens.Load() > 0 {
				t.Error("the token was sent to a server that was not verified")
			}
		})
	}
}

// Nobody may be there to start the connector again when the certificate has been mended.
func TestTLSFailuresAreTriedAgain(t *testing.T) {
	good, trust := certificate(t, "127.0.0.1", time.Now().Add(time.Hour))
	unknown, _ := certificate(t, "127.0.0.1", time.Now().Add(time.Hour))
	otherHost, _ := certificate(t, "vantiq.example.com", time.Now().Add(time.Hour))
	expired, _ := certificate(t, "127.0.0.1", time.Now().Add(-time.Hour))
	for _, known := range []tls.Certificate{otherHost, expired} {
		leaf, err := x509.ParseCertificate(known.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		trust.AddCert(leaf)
	}
	for name, c := range map[string]struct {
		wrong *tls.Config
		want  string
	}{
		"unknown authority":         {wrong: &tls.Config{Certificates: []tls.Certificate{unknown}}, want: "tlsCaFile"},
		"wrong host":                {wrong: &tls.Config{Certificates: []tls.Certificate{otherHost}}, want: "targetServer must use a host name"},
		"expired":                   {wrong: &tls.Config{Certificates: []tls.Certificate{expired}}, want: "must be renewed"},
		"client certificate wanted": {wrong: &tls.Config{Certificates: []tls.Certificate{good}, ClientAuth: tls.RequireAnyClientCert}, want: "tlsCertFile"},
	} {
		t.Run(name, func(t *testing.T) {
			var wrong, tokens atomic.Int64
			right := &tls.Config{Certificates: []tls.Certificate{good}}
			served := right.Clone()
			served.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
				if wrong.Add(1) <= 2 {
					return c.wrong, nil
				}
				return right, nil
			}
			told := make(chan error, 10)
			hook := onState(func(_, to connector.State, cause error) {
				if to == connector.Waiting {
					told <- cause
				}
			})
			b := setUpOn(t, nil, connector.Options{TLS: &tls.Config{RootCAs: trust}, Hooks: []connector.Hook{hook}}, vantiqtest.WithTLS(served))
			b.server.Intercept(func(_ *vantiqtest.Link, m protocol.Message) bool {
				if _, ok := m.(*protocol.Validate); ok {
					tokens.Add(1)
				}
				return false
			})
			b.connect(echo())
			if dials := len(b.server.Dials()); dials != 3 || tokens.Load() != 1 {
				t.Errorf("%d dials; the token was sent %d times", dials, tokens.Load())
			}
			for range 2 {
				if err := <-told; !strings.Contains(err.Error(), c.want) {
					t.Errorf("got %v, want an error with %q", err, c.want)
				}
			}
		})
	}
}

func TestAClientCertificateIsShown(t *testing.T) {
	good, trust := certificate(t, "127.0.0.1", time.Now().Add(time.Hour))
	mine, trustMine := certificate(t, "connector", time.Now().Add(time.Hour))
	b := setUpOn(t, nil, connector.Options{TLS: &tls.Config{RootCAs: trust, Certificates: []tls.Certificate{mine}}},
		vantiqtest.WithTLS(&tls.Config{Certificates: []tls.Certificate{good}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: trustMine}))
	b.connect(echo())
}

// proxyServer is an HTTP proxy that knows CONNECT only and wants a password.
func proxyServer(t *testing.T, status int) (address string, tunnels *atomic.Int64) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() {
		_ = listener.Close()
		<-done
	})
	tunnels = &atomic.Int64{}
	go func() {
		defer close(done)
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go tunnel(c, status, tunnels)
		}
	}()
	return listener.Addr().String(), tunnels
}

func tunnel(c net.Conn, status int, tunnels *atomic.Int64) {
	defer c.Close()
	request, err := http.ReadRequest(bufio.NewReader(c))
	if err != nil || request.Method != http.MethodConnect {
		return
	}
	if user, password, ok := basicAuth(request); !ok || user != "me" || password != "hunter2" {
		status = http.StatusProxyAuthRequired
	}
	response := http.Response{StatusCode: status, ProtoMajor: 1, ProtoMinor: 1}
	if response.Write(c) != nil || status != http.StatusOK {
		return
	}
	target, err := net.Dial("tcp", request.Host)
	if err != nil {
		return
	}
	defer target.Close()
	tunnels.Add(1)
	go func() {
		_, _ = io.Copy(target, c)
		_ = target.Close()
	}()
	_, _ = io.Copy(c, target)
}

func basicAuth(request *http.Request) (user, password string, ok bool) {
	request.Header.Set("Authorization", request.Header.Get("Proxy-Authorization"))
	return request.BasicAuth()
}

func TestAProxyIsUsed(t *testing.T) {
	for _, secure := range []bool{false, true} {
		address, tunnels := proxyServer(t, http.StatusOK)
		via := &url.URL{Scheme: "http", Host: address, User: url.UserPassword("me", "hunter2")}
		roots := x509.NewCertPool()
		options := connector.Options{Proxy: func(*url.URL) (*url.URL, error) { return via, nil }, TLS: &tls.Config{RootCAs: roots}}
		var server []vantiqtest.Option
		if secure {
			server = append(server, vantiqtest.WithTLS(nil))
		}
		b := setUpOn(t, nil, options, server...)
		if secure {
			*roots = *b.server.RootCAs()
		}
		b.connect(echo())
		if tunnels.Load() != 1 {
			t.Errorf("TLS %v: %d tunnels", secure, tunnels.Load())
		}
		b.must(b.end())
	}
}

func TestAProxyThatRefusesIsNamedWithoutItsPassword(t *testing.T) {
	address, _ := proxyServer(t, http.StatusForbidden)
	for via, want := range map[string]string{
		"http://me:hunter2@" + address: "403 Forbidden",
		"http://me:hunter3@" + address: "407 Proxy Authentication Required",
		"ftp://me:hunter2@" + address:  "use http, https or socks5",
	} {
		u, err := url.Parse(via)
		if err != nil {
			t.Fatal(err)
		}
		conn, err := connector.New("EchoSource", connector.Options{
			TargetServer: "http://vantiq.example.com", AuthToken: "local-token", FailOnConnectionError: true,
			Proxy: func(*url.URL) (*url.URL, error) { return u, nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		err = conn.Run(context.Background())
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), address) || strings.Contains(err.Error(), "hunter") {
			t.Errorf("%s: %v", via, err)
		}
	}
}
