package interop

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// A Target says where a peer connects to, and as whom.
type Target struct {
	URL         string // of the WebSocket, like ws://127.0.0.1:8400/api/v1/wsock/websocket
	Token       string
	Source      string
	Secret      string                                                               // the reconnect secret, as it is sent
	DialContext func(ctx context.Context, network, address string) (net.Conn, error) // nil: TCP
}

// A RejectedError says that the auth token was not accepted. Neither SDK tries again then.
type RejectedError struct{ Answer string }

// Error returns the server's answer.
func (e *RejectedError) Error() string { return "interop: the token was rejected: " + e.Answer }

// A socket is a WebSocket on which messages of one kind are sent.
type socket struct {
	ws    *websocket.Conn
	kind  int // of what is sent
	pongs chan struct{}

	writing sync.Mutex
}

// dial opens a socket. Both SDKs' libraries offer compression and send neither an Origin nor an Authorization.
func (t Target) dial(ctx context.Context, kind int, agent string) (*socket, error) {
	dialer := websocket.Dialer{NetDialContext: t.DialContext, EnableCompression: true, HandshakeTimeout: 10 * time.Second}
	ws, _, err := dialer.DialContext(ctx, t.URL, http.Header{"User-Agent": {agent}}) //nolint:bodyclose // gorilla has read the body to its end, and says that it need not be closed
	if err != nil {
		return nil, fmt.Errorf("interop: dial: %w", err)
	}
	s := &socket{ws: ws, kind: kind, pongs: make(chan struct{}, 1)}
	ws.SetPongHandler(func(string) error {
		select {
		case s.pongs <- struct{}{}:
		default:
		}
		return nil
	})
	return s, nil
}

func (s *socket) send(frame []byte) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	return s.ws.WriteMessage(s.kind, frame)
}

// leave ends the socket without waiting for Vantiq. Both SDKs send the close code 1000.
func (s *socket) leave() {
	s.sayGoodbye()
	_ = s.ws.Close()
}

// leaveAnswered ends the socket when Vantiq has answered the close frame. Nobody else may read.
func (s *socket) leaveAnswered() {
	s.sayGoodbye()
	_ = s.ws.SetReadDeadline(time.Now().Add(closePatience))
	for {
		if _, _, err := s.ws.NextReader(); err != nil {
			_ = s.ws.Close()
			return
		}
	}
}

// closePatience is how long a peer waits for the answer to a close frame.
const closePatience = 10 * time.Second

func (s *socket) sayGoodbye() {
	goodbye := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
	_ = s.ws.WriteControl(websocket.CloseMessage, goodbye, time.Now().Add(time.Second))
}

// keepAlive sends a ping every interval and ends the socket when one is not answered within patience. It returns when ctx
// ends.
func (s *socket) keepAlive(ctx context.Context, interval, patience time.Duration) {
	for pause(ctx, interval) {
		if s.ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(patience)) != nil || !s.ponged(ctx, patience) {
			_ = s.ws.Close()
			return
		}
	}
}

func (s *socket) ponged(ctx context.Context, patience time.Duration) bool {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-s.pongs:
		return true
	case <-timer.C:
		return false
	case <-ctx.Done():
		return true
	}
}

// pause waits, and reports whether ctx is still alive.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// closedWith returns the code of the close frame that ended a socket, or 0 if there was none.
func closedWith(err error) int {
	var closed *websocket.CloseError
	if errors.As(err, &closed) && closed.Code != websocket.CloseAbnormalClosure {
		return closed.Code
	}
	return 0
}
