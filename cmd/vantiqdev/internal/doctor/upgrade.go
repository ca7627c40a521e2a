package doctor

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/gorilla/websocket"

	"github.com/vantiq-go/connectorsdk/internal/dial"
)

// examineUpgrade opens the WebSocket.
func (x *examination) examineUpgrade(ctx context.Context, s *Step, c net.Conn) *link {
	began := time.Now()
	l, response, err := x.upgrade(ctx, c)
	if err == nil {
		s.ok(fmt.Sprintf("101 in %s at %s", short(time.Since(began)), x.dialer.Target.Path))
		return l
	}
	if response != nil {
		response = x.response(response)
	}
	plain := x.dialer.Target.Scheme == "ws"
	switch {
	case plain && (response == nil || response.StatusCode == http.StatusBadRequest) && !timedOut(err) && x.speaksTLS(ctx):
		s.fail(x.dialer.Address()+" speaks TLS, not HTTP", "targetServer should begin with https:// there, or name the port for HTTP")
	case errors.Is(err, websocket.ErrBadHandshake) && response != nil:
		s.fail(dial.DescribeResponse(response)+x.words(response), statusAdvice(response))
	case x.heard == dial.MaxResponse:
		s.fail(fmt.Sprintf("the answer is longer than %d KiB and has not ended", dial.MaxResponse>>10), dial.NotVantiq)
	case timedOut(err) && x.heard > 0:
		s.fail("no end of the answer within "+x.Timeout.String(), "something listens there and talks, but does not answer the upgrade: "+dial.NotVantiq)
	case timedOut(err):
		s.fail(x.reason(err), "something listens there and says nothing: "+dial.NotVantiq)
	case x.certificateShown:
		s.fail(x.reason(err), certificateRefused)
	case x.certificateWanted: // with TLS 1.3 this comes to light only now
		s.fail("the server ended the connection: it had asked for a client certificate, and got none", dial.ClientCertificateWanted)
	default:
		s.fail(x.reason(err), dial.NotVantiq)
	}
	return nil
}

// upgrade opens the WebSocket on a connection to the server.
func (x *examination) upgrade(ctx context.Context, c net.Conn) (*link, *http.Response, error) {
	wait, cancel := x.patience(ctx)
	defer cancel()
	bounded := &boundedConn{Conn: c, left: dial.MaxResponse}
	ws, response, err := x.dialer.Upgrade(wait, bounded)
	if err != nil {
		x.heard = dial.MaxResponse - bounded.left
		return nil, response, err
	}
	bounded.left = -1
	return newLink(ws, x.options.MaxInbound), response, nil
}

// A boundedConn ends when more than so many bytes have come, unless left is negative.
type boundedConn struct {
	net.Conn
	left int
}

func (c *boundedConn) Read(p []byte) (int, error) {
	switch {
	case c.left < 0:
		return c.Conn.Read(p)
	case c.left == 0:
		return 0, errors.New("the answer is too long")
	}
	n, err := c.Conn.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}

// statusAdvice says what a status instead of 101 usually means.
func statusAdvice(response *http.Response) string {
	if _, err := response.Location(); err == nil {
		return "set targetServer to the address that it points to, if that is your Vantiq server"
	}
	switch response.StatusCode {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return "a gateway answers, which cannot reach Vantiq behind it: is the server running? If it is, the gateway may not know targetServer's address"
	case http.StatusProxyAuthRequired:
		return "a proxy answers that wants a user name and a password: set proxy=http://USER:PASSWORD@HOST:PORT"
	case http.StatusUnauthorized, http.StatusForbidden:
		return "something before Vantiq wants to know who is there (Vantiq itself asks later, on the WebSocket): " + dial.NotVantiq
	case http.StatusTooManyRequests:
		return "the server is being asked too often: wait, and try again"
	}
	return dial.NotVantiq + " It is what a browser shows for Vantiq, without what follows the host"
}

var (
	unseen = regexp.MustCompile(`(?is)<(script|style|head)\b.*?(</(script|style|head)>|$)`)
	tag    = regexp.MustCompile(`<[^>]*>`)
)

// words returns the beginning of what a response says to people.
func (x *examination) words(response *http.Response) string {
	if _, err := response.Location(); err == nil {
		return "" // that has been said
	}
	const kept = 1024 // of a body, by gorilla
	body, _ := io.ReadAll(io.LimitReader(response.Body, kept))
	text := string(body)
	if strings.Contains(response.Header.Get("Content-Type"), "html") || strings.HasPrefix(strings.TrimSpace(text), "<") {
		text = html.UnescapeString(tag.ReplaceAllString(unseen.ReplaceAllString(text, " "), " "))
	}
	text = strings.ToValidUTF8(text, "")
	if len(body) == kept {
		text += "…"
	}
	text = strings.Join(strings.Fields(x.foreign(text)), " ")
	const limit = 160
	if runes := []rune(text); len(runes) > limit {
		text = string(runes[:limit]) + "…"
	}
	server := response.Header.Get("Server")
	switch {
	case text == "" && server == "":
		return ""
	case text == "":
		return fmt.Sprintf(" (%.60s)", server)
	case server == "":
		return fmt.Sprintf(": %q", text)
	}
	return fmt.Sprintf(" (%.60s): %q", server, text)
}
