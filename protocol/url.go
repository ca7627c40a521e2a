package protocol

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"github.com/vantiq-go/connectorsdk/internal/shown"
)

const (
	endpoint      = "/websocket"
	defaultPrefix = "/api/v1/wsock"
)

var (
	fullPath    = regexp.MustCompile(`^.*/api/v[0-9]+/wsock/websocket$`)
	partialPath = regexp.MustCompile(`^.*/api/v[0-9]+/wsock$`)
	schemeStart = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*://`)

	// A scheme that is not followed by ://. What is followed by a colon and a digit is a host of that name, with a port.
	badScheme = regexp.MustCompile(`(?i)^(https?|wss?)(//+|:/?)(?:[^/:0-9]|$)`)
)

// TargetURL returns the WebSocket URL for a targetServer as it stands in a server.config, in the spellings that the
// Python and the Java SDK accept: http and https stand for ws and wss, no scheme means wss, and a path that is not
// already …/api/vN/wsock/websocket is a prefix to which /api/v1/wsock/websocket is added. The query is kept.
//
// An empty value, inner space, user information, a fragment, a misspelt or unknown scheme and an impossible host or port
// are errors; they show the value without user information, query and fragment.
func TargetURL(targetServer string) (string, error) {
	value := strings.TrimSpace(targetServer)
	if value == "" {
		return "", fmt.Errorf("targetServer is empty: set it to the URL of your Vantiq server, like https://dev.vantiq.com")
	}
	fail := func(format string, args ...any) (string, error) {
		return "", fmt.Errorf("targetServer %q %s", shown.URL(value), fmt.Sprintf(format, args...))
	}
	if strings.ContainsAny(value, "\r\n") {
		return fail(`holds a line break: a \n in a properties file is one; give each property its own line`)
	}
	if strings.ContainsAny(value[:1], `"'`) {
		return fail("is in quotes, which are a part of it: remove them")
	}
	if strings.ContainsFunc(value, isBlank) {
		return fail("holds a blank or a control character: remove it")
	}
	if parts := badScheme.FindStringSubmatch(value); parts != nil && !schemeStart.MatchString(value) {
		return fail("begins with %q: it should begin with %q", parts[1]+parts[2], parts[1]+"://")
	}
	withScheme := value
	if !schemeStart.MatchString(value) {
		withScheme = "wss://" + value // a bare host:port would be parsed as scheme "host"
	}
	u, err := url.Parse(withScheme)
	if err != nil {
		return fail("is not a URL: check the host, the port and %%-escapes; it should look like https://dev.vantiq.com")
	}
	switch u.Scheme {
	case "ws", "wss":
	case "http":
		u.Scheme = "ws"
	case "https":
		u.Scheme = "wss"
	default:
		return fail("has the scheme %q: use https, http, wss or ws", u.Scheme)
	}
	if err := checkHost(u); err != nil {
		return fail("%v", err)
	}
	if u.User != nil {
		return fail("holds a user name: remove it, a connector authenticates with authToken")
	}
	if u.Fragment != "" || strings.Contains(value, "#") {
		return fail("holds a fragment: remove what begins with #")
	}
	prefix := strings.TrimRight(u.EscapedPath(), "/")
	switch {
	case fullPath.MatchString(prefix):
		// as it is
	case partialPath.MatchString(prefix):
		prefix += endpoint
	default:
		prefix += defaultPrefix + endpoint
	}
	target := u.Scheme + "://" + u.Host + prefix
	if u.RawQuery != "" {
		target += "?" + u.RawQuery
	}
	return target, nil
}

func isBlank(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }

func checkHost(u *url.URL) error {
	if u.Hostname() == "" {
		return fmt.Errorf("has no host: it should look like https://dev.vantiq.com")
	}
	if strings.ContainsAny(u.Host, `/?#@\%<>"^|{}`+"`") || strings.ContainsFunc(u.Host, isBlank) { // after undoing escapes
		return fmt.Errorf("has an impossible host: use a name or an address, without escapes and zones")
	}
	port := u.Port()
	if port == "" && !strings.HasSuffix(u.Host, ":") {
		return nil
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return fmt.Errorf("has the port %q: a port is a number from 1 to 65535", port)
	}
	if _, _, err := net.SplitHostPort(u.Host); err != nil {
		return fmt.Errorf("has an impossible host: %w", err)
	}
	return nil
}
