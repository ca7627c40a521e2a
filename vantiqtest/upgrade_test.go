package vantiqtest_test

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// silentUpgrade never answers a request.
func silentUpgrade(asked chan<- context.Context) vantiqtest.UpgradeHook {
	return func(_ http.ResponseWriter, r *http.Request) bool {
		asked <- r.Context()
		<-r.Context().Done()
		return true
	}
}

func TestUpgradeAnsweredOtherwise(t *testing.T) {
	for name, test := range map[string]struct {
		hook     vantiqtest.UpgradeHook
		status   int
		location string
		body     string
	}{
		"bad gateway": {func(w http.ResponseWriter, _ *http.Request) bool {
			http.Error(w, "no upstream", http.StatusBadGateway)
			return true
		}, 502, "", "no upstream\n"},
		"redirect": {func(w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, "https://elsewhere.example/", http.StatusMovedPermanently)
			return true
		}, 301, "https://elsewhere.example/", ""},
		"an ordinary page": {func(w http.ResponseWriter, _ *http.Request) bool {
			_, _ = io.WriteString(w, "<html>")
			return true
		}, 200, "", "<html>"},
		"nothing": {func(http.ResponseWriter, *http.Request) bool { return true }, 200, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			server := start(t)
			remove := server.InterceptUpgrade(test.hook)
			_, response, err := tryDial(t, server, nil)
			if !errors.Is(err, websocket.ErrBadHandshake) || response.StatusCode != test.status {
				t.Fatalf("got %v, %+v, want status %d", err, response, test.status)
			}
			body, _ := io.ReadAll(response.Body)
			if response.Header.Get("Location") != test.location || !strings.HasPrefix(string(body), test.body) {
				t.Errorf("got %v, %q", response.Header, body)
			}
			remove()
			remove()
			dial(t, server, nil)
		})
	}
}

func TestUpgradeHookSeesTheRequest(t *testing.T) {
	server := start(t)
	seen := make(chan *http.Request, 1)
	server.InterceptUpgrade(func(_ http.ResponseWriter, r *http.Request) bool {
		seen <- r
		return false
	})
	dial(t, server, nil)
	if r := <-seen; r.URL.Path != "/api/v1/wsock/websocket" || r.RemoteAddr == "" || r.Header.Get("Upgrade") != "websocket" {
		t.Errorf("saw %+v", r)
	}
}

func TestUnansweredUpgradeEndsWithTheServer(t *testing.T) {
	server := start(t)
	asked := make(chan context.Context, 1)
	server.InterceptUpgrade(silentUpgrade(asked))
	failed := make(chan error)
	go func() {
		_, _, err := tryDial(t, server, nil)
		failed <- err
	}()
	ctx := <-asked
	server.Close()
	<-ctx.Done()
	if err := <-failed; err == nil {
		t.Error("the upgrade succeeded")
	}
}

func TestOnlyTheEndpointIsServed(t *testing.T) {
	server := start(t)
	for path, want := range map[string]int{
		"/":                           404,
		"/api/v1/wsock":               404,
		"/api/v1/wsock/websocket":     400, // found, but not an upgrade
		"/x/api/v2/wsock/websocket":   400,
		"/api/v1/wsock/websocket/sub": 404,
	} {
		response, err := http.Get(server.URL() + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("GET %s: status %d, want %d", path, response.StatusCode, want)
		}
	}
}

func TestTLS(t *testing.T) {
	server := start(t, vantiqtest.WithTLS(nil))
	if !strings.HasPrefix(server.URL(), "https://127.0.0.1:") {
		t.Errorf("URL is %s", server.URL())
	}
	source := server.Source("EchoSource", nil)
	connected(t, server, nil, "EchoSource", "s").silent(source)

	dialer := websocket.Dialer{}
	_, _, err := dialer.DialContext(within(t), "wss"+strings.TrimPrefix(server.URL(), "https")+"/api/v1/wsock/websocket", nil)
	var unknown x509.UnknownAuthorityError
	if !errors.As(err, &unknown) {
		t.Errorf("without the server's certificate dialling fails with %v", err)
	}
}

func TestTLSInMemory(t *testing.T) {
	network := vantiqtest.NewNetwork()
	server := start(t, vantiqtest.WithTLS(nil), vantiqtest.WithNetwork(network))
	source := server.Source("EchoSource", nil)
	c := connected(t, server, network, "EchoSource", "s")
	c.silent(source)
	source.Drop(vantiqtest.FIN)
	if err := c.ended(); !websocket.IsCloseError(err, websocket.CloseAbnormalClosure) {
		t.Errorf("ended with %v", err)
	}
}

func TestWithListener(t *testing.T) {
	listener, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	server := start(t, vantiqtest.WithListener(listener))
	if !strings.HasPrefix(server.URL(), "http://127.0.0.1:") {
		t.Errorf("URL is %s", server.URL())
	}
	dial(t, server, nil)
	server.Stop(vantiqtest.FIN)
	server.Start()
	dial(t, server, nil)
}

func TestNoHTTPAtAll(t *testing.T) {
	server := start(t)
	conn, err := net.Dial("tcp", strings.TrimPrefix(server.URL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, _ = io.WriteString(conn, "EHLO\r\n\r\n")
	if answer, err := io.ReadAll(conn); len(answer) != 0 || err != nil {
		t.Errorf("got %q, %v", answer, err)
	}
}
