package doctor

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/vantiq-go/connectorsdk/internal/dial"
	"github.com/vantiq-go/connectorsdk/protocol"
)

// An attempt is a TCP connection that was opened, or was not.
type attempt struct {
	address net.Addr
	err     error
	took    time.Duration
}

// newDialer returns the dialer that a connector with x.options would use, but for watching what it does.
func (x *examination) newDialer() *dial.Dialer {
	address, err := protocol.TargetURL(x.options.TargetServer)
	if err != nil {
		return nil
	}
	target, err := url.Parse(address)
	if err != nil {
		return nil
	}
	proxy := x.options.Proxy
	if proxy == nil {
		proxy = dial.ProxyFromEnvironment
	}
	return &dial.Dialer{
		Target:          target,
		Header:          dial.Header(x.options.Header),
		TLS:             dial.TLSConfig(x.options.TLS, target.Hostname()),
		Network:         x.open,
		Proxy:           proxy,
		WriteBufferSize: 256 << 10, // as the default of a connector, so that even a long token leaves as a single frame
	}
}

// open opens a TCP connection as a connector does by default, and notes how.
func (x *examination) open(ctx context.Context, network, address string) (net.Conn, error) {
	began := time.Now()
	c, err := new(net.Dialer).DialContext(ctx, network, address)
	x.dialled = attempt{err: err, took: time.Since(began)}
	if err == nil {
		x.dialled.address = c.RemoteAddr()
	}
	return c, err
}

// reach takes the steps to a WebSocket.
func (x *examination) reach(ctx context.Context) (l *link, ok bool) {
	var c net.Conn
	defer func() {
		if !ok && c != nil {
			_ = c.Close() // nobody else has it, or it is closed already
		}
	}()
	var direct bool
	if !x.step(ctx, Proxy, func(ctx context.Context, s *Step) { c, direct = x.examineProxy(ctx, s) }) {
		return nil, false
	}
	if direct {
		if !x.step(ctx, Name, x.resolve) {
			return nil, false
		}
		if !x.step(ctx, TCP, func(ctx context.Context, s *Step) { c = x.examineTCP(ctx, s) }) {
			return nil, false
		}
	} else {
		x.notReached("left to the proxy", Name, TCP)
	}
	if x.dialer.Target.Scheme == "wss" {
		if !x.step(ctx, TLS, func(ctx context.Context, s *Step) { c = x.examineTLS(ctx, s, c) }) {
			return nil, false
		}
	} else {
		x.notReached("none, as targetServer begins with "+x.scheme()+"://", TLS)
	}
	ok = x.step(ctx, Upgrade, func(ctx context.Context, s *Step) { l = x.examineUpgrade(ctx, s, c) })
	return l, ok
}

// scheme returns how targetServer begins.
func (x *examination) scheme() string {
	scheme, _, _ := strings.Cut(strings.TrimSpace(x.options.TargetServer), "://")
	return strings.ToLower(scheme)
}

// examineProxy finds the proxy and connects through it, or tells that there is none.
func (x *examination) examineProxy(ctx context.Context, s *Step) (c net.Conn, direct bool) {
	origin, variables := "the configuration", proxyVariables(x.dialer.Target)
	if x.config.Proxy == nil {
		origin = strings.Join(variables, ", ")
	}
	via, err := x.dialer.Proxy(x.dialer.Target)
	switch {
	case err != nil:
		s.fail(err.Error(), "correct it, or set the property proxy; proxy=none is for none")
		return nil, false
	case via == nil && x.config.Proxy != nil:
		s.ok("none, as the configuration says")
		return nil, true
	case via == nil && len(variables) > 0 && !isProxyURL(os.Getenv(variables[0])):
		s.ok("none")
		s.doubt(origin + " is set, but is not the URL of a proxy, like http://proxy.example.com:3128, and is ignored")
		return nil, true
	case via == nil && len(variables) > 0:
		s.ok("none: " + origin + " is set, but not for this server (NO_PROXY, or a loopback address)")
		return nil, true
	case via == nil:
		s.ok("none")
		return nil, true
	}
	if password, ok := via.User.Password(); ok {
		pair := via.User.Username() + ":" + password
		x.hide(protocol.Secret(password), protocol.Secret(base64.StdEncoding.EncodeToString([]byte(pair))))
	}
	wait, cancel := x.patience(ctx)
	defer cancel()
	which := fmt.Sprintf("%s://%s from %s", via.Scheme, via.Host, origin)
	x.dialled = attempt{}
	c, err = x.dialer.Connect(wait, x.dialer.Address())
	if err == nil {
		_ = c.SetDeadline(time.Time{})
		s.ok(which + " connects to " + x.dialer.Address())
		return c, false
	}
	var refused *dial.TunnelError
	switch {
	case x.dialled.err != nil:
		s.fail(which+" cannot be reached: "+x.reason(x.dialled.err), "is the proxy's address right, and may this machine connect to it?"+
			" Without a proxy: proxy=none")
	case x.dialled.address == nil: // it was not even tried
		s.fail(which+" cannot be used: "+x.reason(cmp.Or(errors.Unwrap(err), err)), "correct it, or set the property proxy; proxy=none is for none")
	case errors.As(err, &refused):
		s.fail(which+": "+x.tunnel(refused).Error(), proxyAdvice(refused))
	default:
		s.fail(which+" can be reached, but does not connect to "+x.dialer.Address()+": "+x.reason(err),
			"is it a proxy of this kind? http, https and socks5 are known", dial.Hint(err))
	}
	return nil, false
}

func proxyAdvice(refused *dial.TunnelError) string {
	switch refused.Code {
	case http.StatusProxyAuthRequired:
		return "the proxy wants a user name and a password that it knows: proxy=http://USER:PASSWORD@HOST:PORT, with %-escapes for special characters"
	case http.StatusForbidden:
		return "the proxy does not allow connections to " + refused.Address + ": ask whoever runs it"
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return "the proxy cannot reach " + refused.Address + ": check targetServer, and whether the proxy knows the name"
	}
	return "is it a proxy that allows CONNECT?"
}

// proxyVariables returns those that are set, of the environment's variables that name a proxy for a target.
func proxyVariables(target *url.URL) (names []string) {
	name := map[string]string{"ws": "HTTP_PROXY", "wss": "HTTPS_PROXY"}[target.Scheme]
	for _, name := range []string{name, strings.ToLower(name)} {
		if os.Getenv(name) != "" {
			return []string{name} // the first one counts
		}
	}
	return nil
}

// isProxyURL reports whether net/http makes a URL of a variable's value.
func isProxyURL(value string) bool {
	_, err := url.Parse(value)
	if err != nil {
		_, err = url.Parse("http://" + value)
	}
	return err == nil
}

// resolve looks the server's name up, as a connector's dialer does.
func (x *examination) resolve(ctx context.Context, s *Step) {
	host := x.dialer.Target.Hostname()
	if net.ParseIP(host) != nil {
		s.ok(host + " is an address")
		return
	}
	wait, cancel := x.patience(ctx)
	defer cancel()
	addresses, err := net.DefaultResolver.LookupHost(wait, host)
	var failure *net.DNSError
	switch {
	case err == nil:
		slices.Sort(addresses)
		s.ok(host + " is " + strings.Join(addresses, ", "))
	case errors.As(err, &failure) && failure.IsNotFound:
		s.fail(host+" is not known: "+failure.Err, "check targetServer for a typing error; if only a proxy knows names outside, "+
			"set proxy, or the environment variable HTTPS_PROXY")
	case errors.As(err, &failure) && failure.IsTimeout, wait.Err() != nil:
		s.fail(host+": the name server gives no answer within "+x.Timeout.String(), "is this machine connected to the network?")
	default:
		s.fail(host+": "+x.reason(err), "is this machine connected to the network, and is its name server right?")
	}
}

func (x *examination) examineTCP(ctx context.Context, s *Step) net.Conn {
	wait, cancel := x.patience(ctx)
	defer cancel()
	c, err := x.dialer.Connect(wait, x.dialer.Address())
	if err == nil {
		s.ok(fmt.Sprintf("%s in %s", x.dialled.address, short(x.dialled.took)))
		return c
	}
	advice := "is this machine connected to the network, and may it connect there?"
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		advice = "nothing listens there: check the port in targetServer, and whether the server runs"
		if atLoopback(x.dialer.Target.Hostname()) {
			advice += `; for a local Vantiq there run "vantiqdev serve"`
		}
	case timedOut(err):
		advice = "a firewall may be in the way: ask for a way to the server, or set proxy"
	}
	s.fail(x.dialer.Address()+": "+x.reason(err), advice)
	return nil
}

func atLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// reason says why something on the network failed, without what the line says anyway.
func (x *examination) reason(err error) string {
	var system *os.SyscallError
	var operation *net.OpError
	switch {
	case timedOut(err):
		return "no answer within " + x.Timeout.String()
	case errors.As(err, &system):
		return system.Err.Error()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was closed without a word"
	case errors.As(err, &operation):
		return operation.Err.Error()
	}
	return x.foreign(err.Error()) // it may quote what came
}

func timedOut(err error) bool {
	var failure net.Error
	return errors.Is(err, errPatience) || errors.As(err, &failure) && failure.Timeout()
}

// short returns a duration with no more digits than say something.
func short(d time.Duration) string {
	switch {
	case d >= time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d >= 10*time.Millisecond:
		return d.Round(time.Millisecond).String()
	}
	return d.Round(10 * time.Microsecond).String()
}
