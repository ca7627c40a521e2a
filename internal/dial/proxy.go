package dial

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/net/proxy"
)

// ProxyFromEnvironment follows the usual variables; loopback targets need no proxy.
func ProxyFromEnvironment(target *url.URL) (*url.URL, error) {
	asHTTP := *target
	asHTTP.Scheme = map[string]string{"ws": "http", "wss": "https"}[target.Scheme]
	return http.ProxyFromEnvironment(&http.Request{URL: &asHTTP})
}

func (d *Dialer) connectVia(ctx context.Context, via *url.URL, address string) (net.Conn, error) {
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
		c, err := d.Network(ctx, "tcp", withPort(via, port))
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

// A TunnelError is the answer of an HTTP proxy that does not connect to the target.
type TunnelError struct {
	Address string // that it was asked to connect to
	Code    int
	Status  string // like "407 Proxy Authentication Required"
}

// Error returns what the proxy answered.
func (e *TunnelError) Error() string {
	return fmt.Sprintf("it answered CONNECT %s with %s", e.Address, e.Status)
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
	reader := bufio.NewReader(io.LimitReader(c, MaxResponse))
	response, err := http.ReadResponse(reader, request)
	if err != nil {
		return nil, err
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, &TunnelError{address, response.StatusCode, response.Status}
	}
	if reader.Buffered() > 0 {
		return nil, errors.New("it sent data before the tunnel was used")
	}
	return c, nil
}

// forward lets the SOCKS library dial through ours.
type forward struct{ d *Dialer }

func (f forward) Dial(_, address string) (net.Conn, error) {
	return f.d.Network(context.Background(), "tcp", address)
}

func (f forward) DialContext(ctx context.Context, _, address string) (net.Conn, error) {
	return f.d.Network(ctx, "tcp", address)
}

func withPort(u *url.URL, port string) string {
	if u.Port() != "" {
		port = u.Port()
	}
	return net.JoinHostPort(u.Hostname(), port)
}
