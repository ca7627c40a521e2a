package connector

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/net/proxy"

	"github.com/vantiq-go/connectorsdk/protocol"
)

// A dialer opens WebSockets to one target server.
type dialer struct {
	target       *url.URL
	header       http.Header
	tls          *tls.Config
	dialNetwork  func(ctx context.Context, network, address string) (net.Conn, error)
	proxyFor     func(target *url.URL) (*url.URL, error)
	maxOutbound  int
	writeTimeout time.Duration
	writeBuffers websocket.BufferPool
}

func newDialer(o *Options) *dialer {
	address, _ := protocol.TargetURL(o.TargetServer) // checked by validate
	target, _ := url.Parse(address)
	writeTimeout := o.HandshakeTimeout
	if o.PingInterval > 0 {
		writeTimeout = o.PingInterval + o.PingTimeout
	}
	return &dialer{
		target:       target,
		header:       withUserAgent(o.Header),
		tls:          tlsConfig(o.TLS, target.Hostname()),
		dialNetwork:  o.DialContext,
		proxyFor:     o.Proxy,
		maxOutbound:  o.MaxOutbound,
		writeTimeout: writeTimeout,
		writeBuffers: o.Group.writeBuffers(o.MaxOutbound),
	}
}

// userAgent tells gateways' logs, and vantiqdev, who calls.
const userAgent = "vantiq-connectorsdk-go"

var onlyUserAgent = http.Header{"User-Agent": {userAgent}} // shared by all sources without headers of their own

func withUserAgent(header http.Header) http.Header {
	if len(header) == 0 {
		return onlyUserAgent
	}
	if _, given := header["User-Agent"]; !given {
		header = header.Clone()
		header.Set("User-Agent", userAgent)
	}
	return header
}

func tlsConfig(configured *tls.Config, host string) *tls.Config {
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

// readBufferSize is small because most links are idle: conn reads ahead when one is not.
const readBufferSize = 1024

// maxResponse bounds what a server or a proxy may say before the WebSocket is open: net/http reads headers without end.
const maxResponse = 64 << 10

// dial opens a WebSocket. Its errors say what to do.
func (d *dialer) dial(ctx context.Context) (*websocket.Conn, *conn, error) {
	var under atomic.Pointer[conn]
	opened := func(c net.Conn, err error) (net.Conn, error) {
		if err != nil {
			return nil, err
		}
		under.Store(newConn(c, d.writeTimeout))
		if ctx.Err() != nil { // before anybody could have closed it
			_ = c.Close()
			return nil, context.Cause(ctx)
		}
		return under.Load(), nil
	}
	upgrade := websocket.Dialer{
		NetDialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			return opened(d.connect(ctx, address))
		},
		NetDialTLSContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			return opened(d.connectTLS(ctx, address))
		},
		ReadBufferSize:  readBufferSize,
		WriteBufferSize: d.maxOutbound, // so that every message leaves as a single frame
		WriteBufferPool: d.writeBuffers,
	}
	// gorilla turns ctx into a deadline of the connection, but does not notice that it is cancelled.
	defer context.AfterFunc(ctx, func() {
		if c := under.Load(); c != nil {
			_ = c.SetDeadline(time.Unix(1, 0))
		}
	})()
	ws, response, err := upgrade.DialContext(ctx, d.target.String(), d.header)
	if err != nil {
		if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
			<-ctx.Done() // the connection's deadline, which is the same, may have come first
		}
		if ctx.Err() != nil {
			err = fmt.Errorf("%w (%w)", context.Cause(ctx), err)
		}
		return nil, nil, fmt.Errorf("connecting to %s: %w", d.target.Redacted(), tame(explain(err, response)))
	}
	if extensions := response.Header.Get("Sec-WebSocket-Extensions"); extensions != "" { // gorilla would inflate all that comes
		_ = ws.Close()
		return nil, nil, fmt.Errorf("connecting to %s: the server uses the WebSocket extension %.100q, which was not offered", d.target.Redacted(), extensions)
	}
	under.Load().gather()
	return ws, under.Load(), nil
}

func (d *dialer) connectTLS(ctx context.Context, address string) (net.Conn, error) {
	plain, err := d.connect(ctx, address)
	if err != nil {
		return nil, err
	}
	secure := tls.Client(plain, d.tls)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = plain.Close()
		return nil, err
	}
	return secure, nil
}

// connect opens a TCP connection to address, through the proxy if there is one. It is done here because gorilla, given
// both a proxy and a TLS dial function, leaves out TLS to the server.
func (d *dialer) connect(ctx context.Context, address string) (net.Conn, error) {
	via, err := d.proxyFor(d.target)
	if err != nil {
		return nil, fmt.Errorf("finding the proxy: %w", err)
	}
	if via == nil {
		return d.open(ctx, address)
	}
	c, err := d.connectVia(ctx, via, address)
	if err != nil {
		// Not its path: in a malformed URL that may be where the password is.
		return nil, fmt.Errorf("through the proxy %s://%s: %w", via.Scheme, via.Host, err)
	}
	return c, nil
}

func (d *dialer) connectVia(ctx context.Context, via *url.URL, address string) (net.Conn, error) {
	switch via.Scheme {
	case "socks5", "socks5h":
		var auth *proxy.Auth
		if via.User != nil {
			password, _ := via.User.Password()
			auth = &proxy.Auth{User: via.User.Username(), Password: password}
		}
		socks, err := proxy.SOCKS5("tcp", withPort(via, "1080"), auth, forward{d})
		if err != nil {
			return nil, err
		}
		return socks.(proxy.ContextDialer).DialContext(ctx, "tcp", address)
	case "http", "https":
		port := map[string]string{"http": "80", "https": "443"}[via.Scheme]
		c, err := d.open(ctx, withPort(via, port))
		if err != nil {
			return nil, err
		}
		if via.Scheme == "https" {
			c = tls.Client(c, &tls.Config{ServerName: via.Hostname(), MinVersion: tls.VersionTLS12})
		}
		tunnel, err := requestTunnel(ctx, c, via, address)
		if err != nil {
			_ = c.Close()
		}
		return tunnel, err
	}
	return nil, fmt.Errorf("scheme %q is not supported: use http, https or socks5", via.Scheme)
}

// requestTunnel asks an HTTP proxy to connect c to address.
func requestTunnel(ctx context.Context, c net.Conn, via *url.URL, address string) (net.Conn, error) {
	defer context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })()
	if deadline, ok := ctx.Deadline(); ok {
		_ = c.SetDeadline(deadline)
	}
	request := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: address}, Host: address, Header: http.Header{}}
	if via.User != nil {
		password, _ := via.User.Password()
		credentials := base64.StdEncoding.EncodeToString([]byte(via.User.Username() + ":" + password))
		request.Header.Set("Proxy-Authorization", "Basic "+credentials)
	}
	if err := request.Write(c); err != nil {
		return nil, err
	}
	reader := bufio.NewReader(io.LimitReader(c, maxResponse))
	response, err := http.ReadResponse(reader, request)
	if err != nil {
		return nil, err
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("it answered CONNECT %s with %s", address, response.Status)
	}
	if reader.Buffered() > 0 {
		return nil, errors.New("it sent data before the tunnel was used")
	}
	return c, nil
}

// open opens a TCP connection and asks the kernel to give up on it as early as the ping would.
func (d *dialer) open(ctx context.Context, address string) (net.Conn, error) {
	c, err := d.dialNetwork(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	if tcp, ok := c.(*net.TCPConn); ok {
		setUserTimeout(tcp, d.writeTimeout)
	}
	return c, nil
}

// forward lets the SOCKS library dial through ours.
type forward struct{ d *dialer }

func (f forward) Dial(_, address string) (net.Conn, error) {
	return f.d.open(context.Background(), address)
}

func (f forward) DialContext(ctx context.Context, _, address string) (net.Conn, error) {
	return f.d.open(ctx, address)
}

func withPort(u *url.URL, port string) string {
	if u.Port() != "" {
		port = u.Port()
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// proxyFromEnvironment follows the usual variables; loopback targets need no proxy.
func proxyFromEnvironment(target *url.URL) (*url.URL, error) {
	asHTTP := *target
	asHTTP.Scheme = map[string]string{"ws": "http", "wss": "https"}[target.Scheme]
	return http.ProxyFromEnvironment(&http.Request{URL: &asHTTP})
}

// tame returns an error whose text can be printed, and is not long: a server, a proxy or a certificate may have a word in it.
func tame(err error) error {
	text := err.Error()
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

// explain adds to an error of the network what a person can do about it.
func explain(err error, response *http.Response) error {
	if errors.Is(err, websocket.ErrBadHandshake) && response != nil {
		return explainStatus(response)
	}
	var unknownAuthority x509.UnknownAuthorityError
	var wrongHost x509.HostnameError
	var invalid x509.CertificateInvalidError
	var notTLS tls.RecordHeaderError
	var hint string
	switch {
	case errors.As(err, &unknownAuthority):
		hint = "if the server uses a private authority, name its certificate in tlsCaFile"
	case errors.As(err, &wrongHost):
		hint = "targetServer must use a host name that is in the server's certificate"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		hint = "the server's certificate must be renewed, or this machine's clock is wrong"
	case errors.As(err, &notTLS):
		hint = "the server does not speak TLS at this port: does targetServer want http, or another port?"
	case strings.Contains(err.Error(), "tls: certificate required"), strings.Contains(err.Error(), "tls: bad certificate"):
		hint = "the server wants a client certificate: set tlsCertFile and tlsKeyFile"
	default:
		return err
	}
	return fmt.Errorf("%w; %s", err, hint)
}

// explainStatus describes an upgrade that was not answered with 101: usually somebody else listens at that address.
func explainStatus(response *http.Response) error {
	text := fmt.Sprintf("the WebSocket upgrade was answered with %s instead of 101", response.Status)
	if location, err := response.Location(); err == nil {
		text += fmt.Sprintf(" and points to %s://%s, which is not followed because the auth token must not travel on", location.Scheme, location.Host)
	}
	if response.StatusCode == http.StatusSwitchingProtocols {
		text = "the server answered the WebSocket upgrade with 101 but without the headers of a WebSocket"
	}
	return errors.New(text + ": is targetServer the address of a Vantiq server?")
}
