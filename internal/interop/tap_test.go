package interop_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// A tap lies between a connector and the local Vantiq and writes down what each says, as it stands on the wire: of Vantiq
// all but acknowledgements, which come when they come.
type tap struct {
	URL string // for targetServer

	mu        sync.Mutex
	connector []string
	vantiq    []string
	addresses map[string]string
}

func newTap(t *testing.T, url string) *tap {
	t.Helper()
	p := &tap{addresses: map[string]string{}}
	var open sync.WaitGroup
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		open.Add(1)
		defer open.Done()
		upgrader := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
		near, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		far, _, err := websocket.DefaultDialer.Dial(url, nil)
		if err != nil {
			_ = near.Close()
			return
		}
		p.write(&p.connector, upgrade(r))
		p.write(&p.vantiq, "upgrade")
		done := make(chan struct{})
		go func() {
			defer close(done)
			p.relay(near, far, &p.vantiq)
		}()
		p.relay(far, near, &p.connector)
		<-done
	}))
	t.Cleanup(func() {
		server.Close()
		open.Wait()
	})
	p.URL = server.URL
	return p
}

// upgrade describes a request: its path, and those headers that the SDKs do not send if they are there.
func upgrade(r *http.Request) string {
	line := "upgrade " + r.URL.Path
	for _, header := range []string{"Origin", "Authorization", "Cookie", "Sec-Websocket-Protocol"} {
		if r.Header.Get(header) != "" {
			line += " with " + header
		}
	}
	return line
}

// relay passes messages on until the socket ends.
func (p *tap) relay(to, from *websocket.Conn, lines *[]string) {
	from.SetCloseHandler(func(code int, _ string) error { // before it is answered
		frame := websocket.FormatCloseMessage(code, "")
		if lines == &p.connector {
			p.write(lines, fmt.Sprintf("close %d", code))
		}
		_ = to.WriteControl(websocket.CloseMessage, frame, time.Now().Add(patience))
		_ = from.WriteControl(websocket.CloseMessage, frame, time.Now().Add(patience))
		return nil
	})
	for {
		kind, frame, err := from.ReadMessage()
		if err != nil {
			_ = to.Close()
			return
		}
		if string(frame) != acknowledgement {
			p.write(lines, map[int]string{websocket.TextMessage: "text ", websocket.BinaryMessage: "binary "}[kind]+string(frame))
		}
		if to.WriteMessage(kind, frame) != nil {
			_ = from.Close()
			return
		}
	}
}

const acknowledgement = `{"status":200}`

var (
	uuid    = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
	routing = regexp.MustCompile(`"address":"` + uuid.String() + `"`)
	secret  = regexp.MustCompile(`("reconnectSecret": ?")[^"]*"`)
)

// write adds a line, in which the reconnect secret and what Vantiq draws at random have names.
func (p *tap) write(lines *[]string, line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	line = secret.ReplaceAllString(line, `${1}SECRET"`)
	line = routing.ReplaceAllString(line, `"address":"ADDRESS"`)
	line = uuid.ReplaceAllStringFunc(line, func(drawn string) string {
		if p.addresses[drawn] == "" {
			p.addresses[drawn] = fmt.Sprintf("REPLY-%d", len(p.addresses)+1)
		}
		return p.addresses[drawn]
	})
	*lines = append(*lines, line)
}

// heard returns what was written down so far.
func (p *tap) heard() (connector, vantiq string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.connector, "\n") + "\n", strings.Join(p.vantiq, "\n") + "\n"
}
