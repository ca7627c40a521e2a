package vantiqtest_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"

	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait of these tests; in a synctest bubble it is virtual.
const patience = 10 * time.Second

func start(t testing.TB, opts ...vantiqtest.Option) *vantiqtest.Server {
	t.Helper()
	server := vantiqtest.NewServer(opts...)
	t.Cleanup(server.Close)
	return server
}

func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// A client is a connector reduced to its wire: it says what a test tells it, and reads what the server says.
type client struct {
	t  testing.TB
	ws *websocket.Conn
}

// dial opens a link; network is nil for TCP.
func dial(t testing.TB, server *vantiqtest.Server, network *vantiqtest.Network) *client {
	t.Helper()
	c, _, err := tryDial(t, server, network)
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	return c
}

func tryDial(t testing.TB, server *vantiqtest.Server, network *vantiqtest.Network) (*client, *http.Response, error) {
	t.Helper()
	url, err := protocol.TargetURL(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	dialer := websocket.Dialer{TLSClientConfig: &tls.Config{RootCAs: server.RootCAs()}}
	if network != nil {
		dialer.NetDialContext = network.DialContext
	}
	ws, response, err := dialer.DialContext(within(t), url, nil)
	if err != nil {
		return nil, response, err
	}
	t.Cleanup(func() { _ = ws.Close() })
	return &client{t, ws}, response, nil
}

// connected dials and goes through the whole handshake.
func connected(t testing.TB, server *vantiqtest.Server, network *vantiqtest.Network, source string, secret protocol.Secret) *client {
	t.Helper()
	c := dial(t, server, network)
	c.validate(server.Token())
	c.connect(source, secret)
	return c
}

func (c *client) validate(token string) {
	c.t.Helper()
	c.send(protocol.AppendValidate(nil, protocol.Secret(token)))
	if r := receive[*protocol.Response](c); r.Status != 200 {
		c.t.Fatalf("validate was answered with %v", r.Err())
	}
}

func (c *client) connect(source string, secret protocol.Secret) protocol.Document {
	c.t.Helper()
	c.send(protocol.AppendConnectExtension(nil, source, secret))
	return receive[*protocol.ConfigureExtension](c).Config
}

// refused sends a connectExtension and returns the server's refusal.
func (c *client) refused(source string, secret protocol.Secret) *protocol.StatusError {
	c.t.Helper()
	c.send(protocol.AppendConnectExtension(nil, source, secret))
	return receive[*protocol.Response](c).Err()
}

func (c *client) notify(source, event string) {
	c.t.Helper()
	c.send(protocol.AppendNotification(nil, source, json.RawMessage(event)))
}

func (c *client) respond(q *protocol.Query, code int, body string) {
	c.t.Helper()
	c.send(protocol.AppendQueryResponse(nil, q.ReplyAddress, code, json.RawMessage(body)))
}

func (c *client) send(frame []byte) {
	c.t.Helper()
	if err := c.ws.WriteMessage(websocket.TextMessage, frame); err != nil {
		c.t.Fatalf("send: %v", err)
	}
}

func (c *client) read() (kind int, frame []byte, err error) {
	_ = c.ws.SetReadDeadline(time.Now().Add(patience))
	return c.ws.ReadMessage()
}

// receive reads the next message, which must be of type M.
func receive[M protocol.Message](c *client) M {
	c.t.Helper()
	_, frame, err := c.read()
	if err != nil {
		c.t.Fatalf("receive: %v", err)
	}
	message, err := new(protocol.Decoder).Decode(frame)
	if err != nil {
		c.t.Fatalf("receive: %v in %s", err, frame)
	}
	typed, ok := message.(M)
	if !ok {
		c.t.Fatalf("received %s, want a %T", frame, typed)
	}
	return typed
}

// statuses reads n statuses.
func (c *client) statuses(n int) (statuses []int) {
	c.t.Helper()
	for range n {
		statuses = append(statuses, receive[*protocol.Response](c).Status)
	}
	return statuses
}

// ended reads to the end of the link and returns how it ended.
func (c *client) ended() error {
	c.t.Helper()
	for {
		if _, _, err := c.read(); err != nil {
			if e := net.Error(nil); errors.As(err, &e) && e.Timeout() {
				c.t.Fatal("the link did not end")
			}
			return err
		}
	}
}

// silent checks that nothing has arrived but what a publish, sent as a marker now, is preceded by.
func (c *client) silent(source *vantiqtest.Source) {
	c.t.Helper()
	if err := source.Publish(within(c.t), map[string]any{"marker": true}); err != nil {
		c.t.Fatal(err)
	}
	if m := receive[*protocol.Publish](c); m.Message.String() != `{"marker":true}` {
		c.t.Fatalf("received %v, want the marker", m.Message)
	}
}

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var e *protocol.StatusError
	if !errors.As(err, &e) || len(e.Details) != 1 || e.Details[0].Code != code {
		t.Errorf("got error %v, want one with code %s", err, code)
	}
}

const notFound = "com.accessg2.ag2rs.streams.source.not_found"
