package connectorset

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// connectKWArgs is a JSON object that the Python SDK hands to its WebSocket library. What means something here is spread
// over the fields of Config, and the rest is warned about: an existing server.config keeps its meaning, or says that it
// does not.

// readKWArgs reads the object. Its text may hold passwords, so no error quotes it.
func (r *reader) readKWArgs(text string) {
	var members map[string]json.RawMessage
	err := json.Unmarshal([]byte(text), &members)
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		r.report(connectKWArgs, "", fmt.Sprintf(`is not JSON at byte %d: use an object like {"open_timeout": 10}, and mind `+
			`that a properties file needs \\ for a backslash`, syntax.Offset))
		return
	case err != nil, members == nil:
		r.report(connectKWArgs, "", `is not a JSON object: use one like {"open_timeout": 10}`)
		return
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		r.readKWArg(name, members[name])
	}
}

func (r *reader) readKWArg(name string, value json.RawMessage) {
	c := &r.config
	null := isNull(value)
	switch name {
	case "disableSslVerification":
		if on, ok := jsonBool(value); ok {
			c.DisableSSLVerification = on
		} else {
			r.reportKWArg(name, value, "true or false")
		}
	case "open_timeout":
		r.seconds(name, value, &c.HandshakeTimeout)
	case "ping_interval":
		if null {
			c.PingInterval = -1
		} else {
			r.seconds(name, value, &c.PingInterval)
		}
	case "ping_timeout":
		r.seconds(name, value, &c.PingTimeout)
	case "max_size":
		var n int
		switch {
		case null:
			c.MaxInbound = largestInbound
		case json.Unmarshal(value, &n) != nil || n <= 0:
			r.reportKWArg(name, value, "a number of bytes, or null for the largest")
		default:
			c.MaxInbound = min(max(n, 1<<10), largestInbound)
		}
	case "additional_headers", "extra_headers":
		r.readHeaders(name, value)
	case "proxy":
		r.readProxyArg(value)
	case "ssl":
		if string(value) != "true" {
			r.warn(connectKWArgs, `holds "ssl", which is ignored: the scheme of targetServer decides (http has no TLS), and `+
				`"disableSslVerification" skips the checks`)
		}
	case "compression":
		if !null {
			r.warn(connectKWArgs, `holds "compression", which is ignored: messages are not compressed`)
		}
	case "close_timeout":
		r.warn(connectKWArgs, `holds "close_timeout", which is ignored: drainTime bounds the whole of a shutdown`)
	default:
		r.warn(connectKWArgs, fmt.Sprintf("holds %q, which means nothing here and is ignored", name))
	}
}

// reportKWArg reports a value that holds no secret.
func (r *reader) reportKWArg(name string, value json.RawMessage, accepted string) {
	r.report(connectKWArgs, "", fmt.Sprintf("holds %q: %s: use %s", name, value, accepted))
}

// seconds reads a timeout. Null means for ever in Python, and the default here, where every wait ends.
func (r *reader) seconds(name string, value json.RawMessage, field *time.Duration) {
	if isNull(value) {
		r.warn(connectKWArgs, fmt.Sprintf("holds %q: null, which is ignored: there is always a limit", name))
		return
	}
	var n float64
	err := json.Unmarshal(value, &n)
	d, ok := secondsOf(n)
	if err != nil || !ok || !duration.valid(d) {
		r.reportKWArg(name, value, "a number of seconds up to 86400")
		return
	}
	*field = d
}

// readProxyArg reads true (as the environment says), null or false (none), or a URL.
func (r *reader) readProxyArg(value json.RawMessage) {
	var address string
	switch {
	case string(value) == "true":
	case isNull(value) || string(value) == "false":
		r.config.Proxy = noProxy
	case json.Unmarshal(value, &address) != nil:
		r.report(connectKWArgs, "", `holds a "proxy" that is not accepted: use `+proxyAccepts)
	default:
		use, err := parseProxy(strings.TrimSpace(address))
		if err != nil {
			r.report(connectKWArgs, "", `holds a "proxy" that `+err.Error())
			return
		}
		r.config.Proxy = use
	}
}

// readHeaders reads an object, or a list of pairs. A header may be a password, so no error quotes one's value.
func (r *reader) readHeaders(name string, value json.RawMessage) {
	if isNull(value) {
		return
	}
	pairs, err := headerPairs(value)
	if err != nil {
		const accepted = `holds %q that is not accepted: use an object like {"X-Name": "value"}`
		r.report(connectKWArgs, "", fmt.Sprintf(accepted, name))
		return
	}
	for _, pair := range pairs {
		switch reason := wrongHeader(pair[0], pair[1]); {
		case reason != "":
			r.report(connectKWArgs, "", fmt.Sprintf("holds %q with the header %q, which %s", name, pair[0], reason))
		default:
			if r.config.Header == nil {
				r.config.Header = make(http.Header)
			}
			r.config.Header.Add(pair[0], pair[1])
		}
	}
}

func headerPairs(value json.RawMessage) ([][2]string, error) {
	if !bytes.HasPrefix(value, []byte("{")) {
		var list [][]string
		if err := json.Unmarshal(value, &list); err != nil {
			return nil, err
		}
		pairs := make([][2]string, 0, len(list))
		for _, pair := range list {
			if len(pair) != 2 {
				return nil, errors.New("not a pair")
			}
			pairs = append(pairs, [2]string(pair))
		}
		return pairs, nil
	}
	var object map[string]string
	if err := json.Unmarshal(value, &object); err != nil {
		return nil, err
	}
	var pairs [][2]string
	for _, name := range slices.Sorted(maps.Keys(object)) {
		pairs = append(pairs, [2]string{name, object[name]})
	}
	return pairs, nil
}

// tokenCharacters are those that HTTP allows in the name of a header.
const tokenCharacters = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// wrongHeader returns why a header cannot be sent, or an empty string.
func wrongHeader(name, value string) string {
	switch canonical := http.CanonicalHeaderKey(name); {
	case name == "" || strings.Trim(name, tokenCharacters) != "":
		return "is not a header's name"
	case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }):
		return "has a value with a control character"
	case canonical == "Upgrade" || canonical == "Connection" || strings.HasPrefix(canonical, "Sec-Websocket-"):
		return "belongs to the WebSocket protocol: remove it"
	}
	return ""
}

func isNull(value json.RawMessage) bool { return string(value) == "null" }

// jsonBool reads a boolean, or a string that says the same.
func jsonBool(value json.RawMessage) (on, ok bool) {
	var s string
	if json.Unmarshal(value, &s) != nil {
		s = string(value)
	}
	return parseBool(s)
}
