package connector_test

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/vantiq-go/connectorsdk/connector"
)

// Here a server or a proxy attacks before the WebSocket is open.

// babble writes HTTP headers until nobody takes them, or 64 MiB are written, and returns how many bytes that were.
func babble(c net.Conn, status string) (written int) {
	text := []byte("HTTP/1.1 " + status + "\r\n")
	line := []byte("X-More: " + strings.Repeat("a", 4000) + "\r\n")
	for written < 64<<20 {
		n, err := c.Write(text)
		written += n
		if err != nil {
			return written
		}
		text = line
	}
	return written
}

// What may be taken before the connection is closed, what the network holds included.
const muchTooLong = 8 << 20

func TestAnEndlessAnswerToTheUpgradeIsCutOff(t *testing.T) {
	for _, status := range []string{"101 Switching Protocols", "404 Not Found"} {
		synctest.Test(t, func(t *testing.T) {
			b := setUp(t, nil, connector.Options{FailOnConnectionError: true})
			written := make(chan int, 1)
			b.upgradeOnce(func(w http.ResponseWriter, _ *http.Request) {
				c, _, err := w.(http.Hijacker).Hijack()
				if err != nil {
					t.Error(err)
				}
				written <- babble(c, status)
			})
			b.run(echo())
			err := b.endsWithin(patience)
			if err == nil || !strings.Contains(err.Error(), "too long") {
				t.Errorf("%s: Run returned %v", status, err)
			}
			if n := <-written; n > muchTooLong {
				t.Errorf("%s: %d bytes of headers were read", status, n)
			}
		})
	}
}

func TestAnEndlessAnswerOfAProxyIsCutOff(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	written := make(chan int, 1)
	go func() {
		defer listener.Close()
		c, err := listener.Accept()
		if err != nil {
			t.Error(err)
			written <- 0
			return
		}
		defer c.Close()
		written <- babble(c, "200 OK")
	}()
	conn, err := connector.New("EchoSource", connector.Options{
		TargetServer: "https://vantiq.example.com", AuthToken: "local-token", FailOnConnectionError: true,
		Proxy: func(*url.URL) (*url.URL, error) { return &url.URL{Scheme: "http", Host: listener.Addr().String()}, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Run(t.Context()); err == nil {
		t.Error("Run returned nil")
	}
	if n := <-written; n > muchTooLong {
		t.Errorf("%d bytes of headers were read", n)
	}
}

// The WebSocket library inflates what comes if the server says so, asked or not: a megabyte would become a gigabyte.
func TestCompressionIsNeitherOfferedNorAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{FailOnConnectionError: true})
		said := make(chan string, 1)
		b.upgradeOnce(func(w http.ResponseWriter, r *http.Request) {
			if offered := r.Header.Get("Sec-WebSocket-Extensions"); offered != "" {
				t.Errorf("%q was offered", offered)
			}
			r.Header.Set("Sec-WebSocket-Extensions", "permessage-deflate; server_no_context_takeover; client_no_context_takeover")
			ws, err := (&websocket.Upgrader{EnableCompression: true}).Upgrade(w, r, nil)
			if err != nil {
				t.Error(err)
			}
			defer ws.Close() //nolint:errcheck // on the way out
			_ = ws.SetReadDeadline(time.Now().Add(patience))
			_, text, err := ws.ReadMessage()
			said <- fmt.Sprint(string(text), err)
		})
		b.run(echo())
		if err := b.endsWithin(patience); err == nil || !strings.Contains(err.Error(), "not offered") {
			t.Errorf("Run returned %v", err)
		}
		if text := <-said; strings.Contains(text, "local-token") {
			t.Errorf("the connector said %s", text)
		}
	})
}

// Each byte keeps the connection alive, but not the patience with it.
func TestASlowHandshakeEndsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{FailOnConnectionError: true})
		b.upgradeOnce(func(w http.ResponseWriter, _ *http.Request) {
			c, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
			}
			text := "HTTP/1.1 101 Switching Protocols\r\nX-Slow: " + strings.Repeat("a", 3600)
			for _, letter := range []byte(text) {
				if _, err := c.Write([]byte{letter}); err != nil {
					return
				}
				pass(time.Second)
			}
		})
		began := time.Now()
		b.run(echo())
		if err := b.endsWithin(time.Hour); err == nil || time.Since(began) > 31*time.Second {
			t.Errorf("Run returned %v after %v", err, time.Since(began))
		}
	})
}
