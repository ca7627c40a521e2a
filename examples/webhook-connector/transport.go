package main

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/vantiq-go/connectorsdk/protocol"
)

// A host is one that requests may go to.
type host struct {
	base    *url.URL
	headers map[string]protocol.Secret // by canonical names
	private bool
}

// transports carry requests to allowed hosts only. Every request passes here, so also one that follows a redirect.
type transports struct {
	hosts           []host
	public, private *http.Transport // to addresses on the internet, and to private ones as well
}

func newTransports(hosts []host) transports {
	return transports{hosts, newTransport(isPublic), newTransport(isNear)}
}

func (t transports) close() {
	t.public.CloseIdleConnections()
	t.private.CloseIdleConnections()
}

// RoundTrip implements [http.RoundTripper]. It gives a request the credentials of the host that it goes to, and no others.
func (t transports) RoundTrip(r *http.Request) (*http.Response, error) {
	i := slices.IndexFunc(t.hosts, func(h host) bool { return sameHost(h.base, r.URL) })
	if i < 0 {
		return nil, fmt.Errorf("%s://%s is not among the allowed hosts", r.URL.Scheme, r.URL.Host)
	}
	h := t.hosts[i]
	r = r.Clone(r.Context())
	r.Header.Del("Referer") // where a redirect came from is nobody's business
	for name, value := range h.headers {
		r.Header.Set(name, string(value))
	}
	if h.private {
		return t.private.RoundTrip(r)
	}
	return t.public.RoundTrip(r)
}

func sameHost(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b)
}

func port(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "http":
		return "80"
	}
	return "443"
}

// newTransport returns a transport that connects to allowed addresses only. It looks at the address that is dialled and not
// at what a name means at some other time, and uses no proxy, which would dial elsewhere.
func newTransport(allowed func(netip.Addr) bool) *http.Transport {
	dialer := net.Dialer{
		Timeout: 10 * time.Second,
		Control: func(_, address string, _ syscall.RawConn) error { return check(address, allowed) },
	}
	return &http.Transport{
		DialContext:            dialer.DialContext,
		ForceAttemptHTTP2:      true,
		TLSHandshakeTimeout:    10 * time.Second,
		MaxIdleConnsPerHost:    16,
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}
}

func check(address string, allowed func(netip.Addr) bool) error {
	target, err := netip.ParseAddrPort(address)
	if err == nil && !allowed(target.Addr().Unmap()) {
		err = fmt.Errorf("%s is not an address on the internet; webhookConfig.requests.hosts[…].private allows those of private networks", target.Addr())
	}
	return err
}

// isPublic reports whether an address is one on the internet.
func isPublic(a netip.Addr) bool {
	if !a.IsGlobalUnicast() || a.IsPrivate() {
		return false
	}
	return !slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(a) })
}

// isNear also accepts private networks and this machine. What is local to a link stays out: that is where clouds tell a
// machine its credentials.
func isNear(a netip.Addr) bool { return a.IsGlobalUnicast() || a.IsLoopback() }

// special are networks that look as if they were on the internet, and are not, or lead back from there.
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),      // this network
	netip.MustParsePrefix("100.64.0.0/10"),  // shared by providers
	netip.MustParsePrefix("192.0.0.0/24"),   // protocols
	netip.MustParsePrefix("198.18.0.0/15"),  // benchmarks
	netip.MustParsePrefix("240.0.0.0/4"),    // reserved
	netip.MustParsePrefix("::/96"),          // IPv4 within IPv6
	netip.MustParsePrefix("64:ff9b::/96"),   // translated to IPv4
	netip.MustParsePrefix("64:ff9b:1::/48"), // the same
	netip.MustParsePrefix("2001::/32"),      // tunnels to IPv4
	netip.MustParsePrefix("2002::/16"),      // the same
	netip.MustParsePrefix("fec0::/10"),      // once local to a site
}
