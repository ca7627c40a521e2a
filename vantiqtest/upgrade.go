package vantiqtest

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"time"

	"github.com/gorilla/websocket"
)

// An UpgradeHook sees an HTTP request before it becomes a link, and reports whether it has answered it: with
// http.Error, http.Redirect or otherwise. It may block for as long as the server is not to answer, and should then
// return when the request's context ends, which it does when the server drops the connection.
type UpgradeHook func(w http.ResponseWriter, r *http.Request) (handled bool)

// InterceptUpgrade lets hook see every HTTP request from now on, before the hooks added earlier, until remove is
// called. It runs on the goroutine of its connection, for several at a time.
func (s *Server) InterceptUpgrade(hook UpgradeHook) (remove func()) {
	return s.upgradeIntercepts.add(hook)
}

const (
	requestPatience = 30 * time.Second // for the TLS handshake and the HTTP request
	readBuffer      = 8 << 10
)

// errNothingSaid ends a connection that was closed again at once: a probe's, or one that a browser opened in advance.
var errNothingSaid = errors.New("nothing was asked")

// endpoint is where the server speaks WebSocket; everything else is not found.
var endpoint = regexp.MustCompile(`^.*/api/v[0-9]+/wsock/websocket$`)

// upgrade takes a link from its TCP connection to its WebSocket. It is done without net/http's server, so that every
// goroutine is one of ours and every byte can be tampered with.
func (l *Link) upgrade() (*websocket.Conn, error) {
	_ = l.raw.SetDeadline(time.Now().Add(requestPatience))
	if l.server.tls != nil {
		conn := tls.Server(l.raw, l.server.tls)
		if err := conn.Handshake(); err != nil {
			return nil, fmt.Errorf("TLS handshake: %w", err)
		}
		l.writer.conn = conn
	}
	reader := bufio.NewReaderSize(l.writer.conn, readBuffer)
	request, err := http.ReadRequest(reader)
	switch {
	case err == io.EOF: //nolint:errorlint // and not what wraps it: no byte has come
		return nil, errNothingSaid
	case err != nil:
		return nil, fmt.Errorf("HTTP request: %w", err)
	}
	_ = l.raw.SetDeadline(time.Time{})

	w := &upgradeResponse{conn: l.writer.conn, reader: reader, header: http.Header{}}
	request = request.WithContext(l.ctx)
	request.RemoteAddr = l.raw.RemoteAddr().String()
	agent := request.UserAgent()
	l.agent.Store(&agent)
	for hook := range l.server.upgradeIntercepts.all() {
		if hook(w, request) {
			return nil, w.finish()
		}
	}
	if !endpoint.MatchString(request.URL.Path) {
		http.Error(w, "not found: the WebSocket endpoint is /api/v1/wsock/websocket", http.StatusNotFound)
		return nil, w.finish()
	}
	upgrader := websocket.Upgrader{
		CheckOrigin:     func(*http.Request) bool { return true },
		WriteBufferSize: 1, // the least: our own writer writes
	}
	ws, err := upgrader.Upgrade(w, request, nil)
	if err != nil && !w.hijacked {
		return nil, w.finish()
	}
	return ws, err
}

// An upgradeResponse collects the answer to a request that does not become a link.
type upgradeResponse struct {
	conn     net.Conn
	reader   *bufio.Reader
	hijacked bool

	header http.Header
	status int
	body   bytes.Buffer
}

func (w *upgradeResponse) Header() http.Header { return w.header }

func (w *upgradeResponse) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *upgradeResponse) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(p)
}

// Hijack hands the connection over to the WebSocket library.
func (w *upgradeResponse) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.hijacked = true
	return w.conn, bufio.NewReadWriter(w.reader, bufio.NewWriterSize(w.conn, 1)), nil
}

// A refusal is the end of a request that was answered with an HTTP status instead of an upgrade.
type refusal int

func (r refusal) Error() string {
	return fmt.Sprintf("answered with HTTP status %d %s", int(r), http.StatusText(int(r)))
}

// finish sends what was collected, and returns how the request ended.
func (w *upgradeResponse) finish() error {
	w.WriteHeader(http.StatusOK)
	response := http.Response{
		StatusCode:    w.status,
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        w.header,
		Body:          io.NopCloser(&w.body),
		ContentLength: int64(w.body.Len()),
		Close:         true,
	}
	_ = w.conn.SetDeadline(time.Now().Add(closePatience))
	if err := response.Write(w.conn); err != nil {
		return err
	}
	return refusal(w.status)
}
