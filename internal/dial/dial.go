// Package dial opens the WebSocket of a link. The connector takes the whole way at once, with [Dialer.Dial]; vantiqdev
// doctor takes the same way step by step, and looks at each: [Dialer.Connect], [Dialer.Secure], [Dialer.Upgrade].
package dial

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

// A Dialer opens WebSockets to one target server. Its fields are not changed while it is used; it may then be used by
// several goroutines.
type Dialer struct {
	// Target is a URL that protocol.TargetURL returned: ws or wss, without a user.
	Target *url.URL
	// Header is added to the HTTP request that opens the WebSocket; [Header] returns a complete one.
	Header http.Header
	// TLS is for wss only; [TLSConfig] returns a complete one.
	TLS *tls.Config
	// Network opens a TCP connection, to the server or to the proxy.
	Network func(ctx context.Context, network, address string) (net.Conn, error)
	// Proxy returns the proxy for the target, or nil for none.
	Proxy func(target *url.URL) (*url.URL, error)

	// WriteBufferSize and WriteBuffers are gorilla's: a message leaves as a single frame if it fits.
	WriteBufferSize int
	WriteBuffers    websocket.BufferPool
}

// MaxResponse bounds what a server or a proxy may say before the WebSocket is open: net/http reads headers without end.
// Whoever reads the connection during the upgrade has to see to it.
const MaxResponse = 64 << 10

// readBufferSize is small because most links are idle: the connector reads ahead when one is not.
const readBufferSize = 1024

// userAgent tells gateways' logs, and vantiqdev, who calls.
const userAgent = "vantiq-connectorsdk-go"

var onlyUserAgent = http.Header{"User-Agent": {userAgent}} // shared by all sources without headers of their own

// Header returns the configured header, which may be nil, with a User-Agent if it has none. It must not be written to.
func Header(configured http.Header) http.Header {
	if len(configured) == 0 {
		return onlyUserAgent
	}
	if _, given := configured["User-Agent"]; !given {
		configured = configured.Clone()
		configured.Set("User-Agent", userAgent)
	}
	return configured
}

// TLSConfig returns what configured, which may be nil, amounts to for a server of that name.
func TLSConfig(configured *tls.Config, host string) *tls.Config {
	config := configured.Clone() // nil stays nil
	if config == nil {
		config = &tls.Config{}
	}
	if config.ServerName == "" {
		config.ServerName = host
	}
	if config.MinVersion == 0 {
		config.MinVersion = tls.VersionTLS12
	}
	config.NextProtos = []string{"http/1.1"} // a WebSocket cannot be opened over HTTP/2 here
	return config
}

// Dial opens a WebSocket. The connection below it, above TLS, is what wrap returns for it. The errors say what to do.
func (d *Dialer) Dial(ctx context.Context, wrap func(net.Conn) net.Conn) (*websocket.Conn, error) {
	ws, response, err := d.open(ctx, wrap, d.Connect, func(ctx context.Context, address string) (net.Conn, error) {
		plain, err := d.Connect(ctx, address)
		if err != nil {
			return nil, err
		}
		return d.Secure(ctx, plain)
	})
	if err != nil {
		return nil, explain(err, response)
	}
	return ws, nil
}

// Upgrade opens a WebSocket on a connection to the target, which it closes if that fails. If it was answered with
// anything but 101, the error is [websocket.ErrBadHandshake], and the response holds the first 1,024 bytes of the body.
func (d *Dialer) Upgrade(ctx context.Context, c net.Conn) (*websocket.Conn, *http.Response, error) {
	given := func(context.Context, string) (net.Conn, error) { return c, nil }
	ws, response, err := d.open(ctx, func(c net.Conn) net.Conn { return c }, given, given)
	if err != nil {
		_ = c.Close()
	}
	return ws, response, err
}

// A dialFunc opens a connection to an address.
type dialFunc func(ctx context.Context, address string) (net.Conn, error)

func (d *Dialer) open(ctx context.Context, wrap func(net.Conn) net.Conn, plain, secure dialFunc) (*websocket.Conn, *http.Response, error) {
	var under atomic.Pointer[net.Conn]
	opened := func(c net.Conn, err error) (net.Conn, error) {
		if err != nil {
			return nil, err
		}
		c = wrap(c)
		under.Store(&c)
		if ctx.Err() != nil { // before anybody could have closed it
			_ = c.Close()
			return nil, context.Cause(ctx)
		}
		return c, nil
	}
	upgrade := websocket.Dialer{
		NetDialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			return opened(plain(ctx, address))
		},
		NetDialTLSContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			return opened(secure(ctx, address))
		},
		ReadBufferSize:  readBufferSize,
		WriteBufferSize: d.WriteBufferSize,
		WriteBufferPool: d.WriteBuffers,
	}
	// gorilla turns ctx into a deadline of the connection, but does not notice that it is cancelled.
	defer context.AfterFunc(ctx, func() {
		if c := under.Load(); c != nil {
			_ = (*c).SetDeadline(time.Unix(1, 0))
		}
	})()
	ws, response, err := upgrade.DialContext(ctx, d.Target.String(), d.Header)
	if err != nil {
		if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
			<-ctx.Done() // the connection's deadline, which is the same, may have come first
		}
		if ctx.Err() != nil {
			err = fmt.Errorf("%w (%w)", context.Cause(ctx), err)
		}
		return nil, response, err
	}
	if extensions := response.Header.Get("Sec-WebSocket-Extensions"); extensions != "" { // gorilla would inflate all that comes
		_ = ws.Close()
		return nil, response, fmt.Errorf("the server uses the WebSocket extension %.100q, which was not offered", extensions)
	}
	return ws, response, nil
}

// Secure speaks TLS on a connection to the target, which it closes if that fails.
func (d *Dialer) Secure(ctx context.Context, plain net.Conn) (*tls.Conn, error) {
	secure := tls.Client(plain, d.TLS)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = plain.Close()
		return nil, err
	}
	return secure, nil
}

// Address returns the host and the port of the target.
func (d *Dialer) Address() string {
	return withPort(d.Target, map[string]string{"ws": "80", "wss": "443"}[d.Target.Scheme])
}

// Connect opens a TCP connection to address, through the proxy if there is one. It is done here because gorilla, given
// both a proxy and a TLS dial function, leaves out TLS to the server.
func (d *Dialer) Connect(ctx context.Context, address string) (net.Conn, error) {
	via, err := d.Proxy(d.Target)
	if err != nil {
		return nil, fmt.Errorf("finding the proxy: %w", err)
	}
	if via == nil {
		return d.Network(ctx, "tcp", address)
	}
	c, err := d.connectVia(ctx, via, address)
	if err != nil {
		// Not its path: in a malformed URL that may be where the password is.
		return nil, fmt.Errorf("through the proxy %s://%s: %w", via.Scheme, via.Host, err)
	}
	return c, nil
}
