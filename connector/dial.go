package connector

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"time"

	"github.com/gorilla/websocket"

	"github.com/vantiq-go/connectorsdk/internal/dial"
	"github.com/vantiq-go/connectorsdk/internal/shown"
	"github.com/vantiq-go/connectorsdk/protocol"
)

// A dialer opens the WebSockets of a source connection. How, is in package dial.
type dialer struct {
	dial.Dialer
	writeTimeout time.Duration
	redact       func(string) string
}

func newDialer(o *Options, redact func(string) string) *dialer {
	address, _ := protocol.TargetURL(o.TargetServer) // checked by validate
	target, _ := url.Parse(address)
	writeTimeout := o.HandshakeTimeout
	if o.PingInterval > 0 {
		writeTimeout = o.PingInterval + o.PingTimeout
	}
	return &dialer{
		Dialer: dial.Dialer{
			Target:          target,
			Header:          dial.Header(o.Header),
			TLS:             dial.TLSConfig(o.TLS, target.Hostname()),
			Network:         impatiently(o.DialContext, writeTimeout),
			Proxy:           o.Proxy,
			WriteBufferSize: o.MaxOutbound, // so that every message leaves as a single frame
			WriteBuffers:    o.Group.writeBuffers(o.MaxOutbound),
		},
		writeTimeout: writeTimeout,
		redact:       redact,
	}
}

// dial opens a WebSocket. Its errors say what to do.
func (d *dialer) dial(ctx context.Context) (*websocket.Conn, *conn, error) {
	var under *conn
	ws, err := d.Dial(ctx, func(c net.Conn) net.Conn {
		under = newConn(c, d.writeTimeout)
		return under
	})
	if err != nil {
		return nil, nil, fmt.Errorf("connecting to %s: %w", shown.URL(d.Target.String()), retell(err, d.redact(err.Error())))
	}
	under.gather()
	return ws, under, nil
}

// A dialFunc is the type of Options.DialContext.
type dialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

// impatiently returns open, but for asking the kernel to give up on the connections as early as the ping would.
func impatiently(open dialFunc, timeout time.Duration) dialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := open(ctx, network, address)
		if err != nil {
			return nil, err
		}
		if tcp, ok := c.(*net.TCPConn); ok {
			setUserTimeout(tcp, timeout)
		}
		return c, nil
	}
}

// tame returns an error whose text can be printed, and is not long: a server, a proxy or a certificate may have a word in it.
func tame(err error) error { return retell(err, err.Error()) }

// retell does so with another text for it.
func retell(err error, text string) error {
	const limit = 1000
	if len(text) > limit {
		text = text[:limit] + "…"
	}
	if text = protocol.Printable(text); text == err.Error() {
		return err
	}
	return &tamedError{text, err}
}

type tamedError struct {
	text string
	err  error
}

func (e *tamedError) Error() string { return e.text }
func (e *tamedError) Unwrap() error { return e.err }
