package connectorset

import (
	"fmt"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/protocol"
)

// A kind is a type of property: how its text is read, which values it may have, and how they are written.
type kind[T any] struct {
	accepts string // completes "use …"
	parse   func(text string) (T, bool)
	valid   func(value T) bool // asked for values other than the zero value, which means the default
	write   func(value T) string
}

var (
	text = kind[string]{
		parse: func(s string) (string, bool) { return s, true },
		valid: func(string) bool { return true },
		write: func(s string) string { return s },
	}
	secret = kind[protocol.Secret]{
		parse: func(s string) (protocol.Secret, bool) { return protocol.Secret(s), true },
		valid: func(protocol.Secret) bool { return true },
		write: protocol.Secret.String,
	}
	flag = kind[bool]{
		accepts: "true or false (or yes, no, on, off, 1, 0)",
		parse:   parseBool,
		valid:   func(bool) bool { return true },
		write:   strconv.FormatBool,
	}
	count = kind[int]{
		accepts: "a whole number from 1 to 1000000000",
		parse:   func(s string) (int, bool) { n, err := strconv.Atoi(s); return n, err == nil && n != 0 },
		valid:   func(n int) bool { return 1 <= n && n <= 1_000_000_000 },
		write:   strconv.Itoa,
	}
	size        = sizeUpTo(1<<30, "1GiB")
	inboundSize = sizeUpTo(largestInbound, "256MiB")
	duration    = kind[time.Duration]{
		accepts: "a duration up to 24h, like 30s, 1m30s, or a number of seconds",
		parse:   func(s string) (time.Duration, bool) { d, ok := parseDuration(s); return d, ok && d != 0 },
		valid:   func(d time.Duration) bool { return 0 < d && d <= 24*time.Hour },
		write:   time.Duration.String,
	}
	// A durationOrNone is negative for none, as in connector.Options, because zero is the default there. A file has
	// other means to leave the default alone, so 0 can say what it seems to say.
	durationOrNone = kind[time.Duration]{
		accepts: "a duration up to 24h, like 30s, 1m30s, or a number of seconds; 0 for none",
		parse: func(s string) (time.Duration, bool) {
			d, ok := parseDuration(s)
			if d == 0 {
				d = -1
			}
			return d, ok
		},
		valid: func(d time.Duration) bool { return d <= 24*time.Hour },
		write: func(d time.Duration) string {
			if d < 0 {
				return "0"
			}
			return d.String()
		},
	}
	overflow = kind[connector.Overflow]{
		accepts: "block, fail or dropOldest",
		parse:   parseOverflow,
		valid:   func(o connector.Overflow) bool { return int(o) >= 0 && int(o) < len(overflowNames) },
		write:   func(o connector.Overflow) string { return overflowNames[o] },
	}
	// A port is negative for none, because zero is the default in Config.
	port = kind[int]{
		accepts: "a number from 1 to 65535, or 0 for no port",
		parse: func(s string) (int, bool) {
			n, err := strconv.ParseUint(s, 10, 16)
			if n == 0 {
				return -1, err == nil
			}
			return int(n), err == nil
		},
		valid: func(n int) bool { return n <= math.MaxUint16 },
		write: func(n int) string { return strconv.Itoa(max(n, 0)) },
	}
)

func sizeUpTo(limit int, name string) kind[int] {
	return kind[int]{
		accepts: "a number of bytes from 1KiB to " + name + ", like 262144, 256KiB or 16MiB",
		parse:   parseSize,
		valid:   func(n int) bool { return 1<<10 <= n && n <= limit },
		write:   strconv.Itoa,
	}
}

// largestInbound is the memory that all sources of a process share for messages: a larger one could never be held.
const largestInbound = 256 << 20

var overflowNames = [...]string{connector.Block: "block", connector.Fail: "fail", connector.DropOldest: "dropOldest"}

// parseBool knows the union of what people write. The peers read only "true", or anything at all, as true.
func parseBool(s string) (value, ok bool) {
	switch strings.ToLower(s) {
	case "true", "yes", "on", "1":
		return true, true
	case "false", "no", "off", "0":
		return false, true
	}
	return false, false
}

func parseOverflow(s string) (connector.Overflow, bool) {
	for value, name := range overflowNames {
		if strings.EqualFold(s, name) {
			return connector.Overflow(value), true
		}
	}
	return 0, false
}

func parseSize(s string) (int, bool) {
	lower := strings.ToLower(s)
	unit := 1
	for suffix, bytes := range map[string]int{"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30} {
		if number, found := strings.CutSuffix(lower, suffix); found {
			lower, unit = strings.TrimSpace(number), bytes
			break
		}
	}
	n, err := strconv.Atoi(lower)
	if err != nil || n <= 0 || n > math.MaxInt32/unit {
		return 0, false
	}
	return n * unit, true
}

// parseDuration reads a Go duration, or seconds as the Python SDK has them.
func parseDuration(s string) (time.Duration, bool) {
	if seconds, err := strconv.ParseFloat(s, 64); err == nil {
		return secondsOf(seconds)
	}
	d, err := time.ParseDuration(s)
	return d, err == nil && d >= 0
}

func secondsOf(seconds float64) (time.Duration, bool) {
	if !(seconds >= 0 && seconds <= 1e9) { // NaN is neither
		return 0, false
	}
	return time.Duration(seconds * float64(time.Second)), true
}

// A proxyFunc is the type of connector.Options.Proxy.
type proxyFunc = func(target *url.URL) (*url.URL, error)

// noProxy overrides the proxy variables of the environment.
func noProxy(*url.URL) (*url.URL, error) { return nil, nil }

const proxyAccepts = "a URL like http://proxy.example.com:3128 (http, https or socks5), or none"

// parseProxy reads a proxy's URL; without a scheme it is http, as in the environment variables.
func parseProxy(s string) (proxyFunc, error) {
	if strings.EqualFold(s, "none") {
		return noProxy, nil
	}
	if !strings.Contains(s, "://") {
		s = "http://" + s
	}
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" { // err quotes the password
		return nil, fmt.Errorf("is not accepted: use %s", proxyAccepts)
	}
	switch u.Scheme {
	case "http", "https", "socks5", "socks5h":
		return func(*url.URL) (*url.URL, error) { return u, nil }, nil
	}
	return nil, fmt.Errorf("has the scheme %q: use %s", u.Scheme, proxyAccepts)
}

// redacted stands for a secret, as protocol.Secret prints it.
const redacted = "[redacted]"
