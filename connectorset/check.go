package connectorset

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/vantiq-go/connectorsdk/internal/shown"
	"github.com/vantiq-go/connectorsdk/protocol"
)

// check returns the TLS configuration that the settings amount to (nil: the default), and everything that is wrong but
// for the properties in bad, about which the reader has already complained.
func (c Config) check(bad map[string]bool) (*tls.Config, []*ConfigError) {
	var problems []*ConfigError
	report := func(key, value, reason string, cause error) {
		if !bad[key] {
			problems = append(problems, c.problem(key, value, reason, cause))
		}
	}
	c.checkRequired(report)
	for _, p := range known {
		if err := p.check(&c); err != nil {
			report(p.name, "", err.Error(), nil)
		}
	}
	tlsConfig := c.tlsConfig(report)
	return tlsConfig, problems
}

// A reportFunc takes what is wrong with one property.
type reportFunc func(key, value, reason string, cause error)

func (c Config) checkRequired(report reportFunc) {
	if visible, reason := targetProblem(strings.TrimSpace(c.TargetServer)); reason != "" {
		report("targetServer", visible, reason, nil)
	}

	switch token := strings.TrimSpace(string(c.AuthToken)); {
	case token != "":
		if _, reason := oddText(token); reason != "" {
			report("authToken", redacted, reason, nil)
		}
	case strings.TrimSpace(c.AuthTokenFile) == "":
		report("authToken", "", "is missing: create an access token for the sources' namespace in Vantiq, and set authToken, "+
			"authTokenFile or the environment variable "+tokenVariable, nil)
	}

	names, _ := c.sourceNames()
	if len(names) == 0 {
		report("sources", "", "is missing: name the sources that this connector serves, separated by commas", nil)
	}
	for _, name := range names {
		if visible, reason := oddText(name); reason != "" {
			report("sources", visible, reason, nil)
		}
	}
}

// oddText returns what is wrong with a value that holds a line break, another control character or no valid UTF-8, and
// as much of the value as may be shown: a file that became a single line holds the auth token further on.
func oddText(value string) (visible, reason string) {
	odd := strings.IndexFunc(value, func(r rune) bool { return unicode.IsControl(r) || r == utf8.RuneError })
	if odd < 0 {
		return "", ""
	}
	visible = shown.URL(value[:odd]) + "…"
	if strings.Contains(value[odd:], "@") { // what stands before may be half of a password
		visible = shown.URL(value[:odd]+"@") + "…"
	}
	switch r, _ := utf8.DecodeRuneInString(value[odd:]); r {
	case '\n', '\r':
		return visible, `holds a line break: in a properties file \n is one, so write \\ for a backslash, ` +
			`and give each property a line of its own`
	case utf8.RuneError:
		return visible, `holds bytes that are not UTF-8: save the file as UTF-8`
	default:
		return visible, `holds the control character ` + strconv.QuoteRune(r) + `: write \\ for a backslash`
	}
}

// targetProblem returns what is wrong with a targetServer, and as much of it as may be shown. It takes the latter out of
// the error of protocol.TargetURL.
func targetProblem(target string) (visible, reason string) {
	if target == "" {
		return "", "is missing: set it to the URL of your Vantiq server, like https://dev.vantiq.com"
	}
	if visible, reason := oddText(target); reason != "" {
		return visible, reason
	}
	_, err := protocol.TargetURL(target)
	if err == nil {
		return "", ""
	}
	reason = strings.TrimPrefix(err.Error(), "targetServer ")
	quoted, malformed := strconv.QuotedPrefix(reason)
	if malformed != nil {
		return "", reason
	}
	visible, _ = strconv.Unquote(quoted)
	return visible, strings.TrimPrefix(reason[len(quoted):], " ")
}

// plainText reports whether what is sent to a target leaves this machine without TLS. Names that end in .test exist in
// tests only (RFC 2606).
func plainText(target string) bool {
	u, err := url.Parse(target)
	if err != nil || u.Scheme != "ws" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	local := u.Hostname() == "localhost" || strings.HasSuffix(u.Hostname(), ".test") || ip != nil && ip.IsLoopback()
	return !local
}

// findDoubts calls warn for what is legal and probably not meant.
func (c Config) findDoubts(warn func(key, text string)) {
	if _, again := c.sourceNames(); len(again) > 0 {
		warn("sources", fmt.Sprintf("lists %q more than once: each source is served once", again))
	}
	if names, _ := c.sourceNames(); len(names) > 0 && (strings.HasPrefix(names[0], "[") || strings.HasSuffix(names[len(names)-1], "]")) {
		warn("sources", "has brackets, which are a part of the names: remove them, a list has commas only")
	}
	if c.DisableSSLVerification {
		warn(connectKWArgs, "disables TLS verification (disableSslVerification): anybody on the network can pose as Vantiq "+
			"and read the auth token; for a private certificate authority set tlsCaFile instead")
	}
	target, _ := protocol.TargetURL(c.TargetServer)
	if plainText(target) {
		warn("targetServer", "has a scheme without TLS: anybody on the network can read the auth token and everything else; "+
			"use https, unless the way to the server is protected otherwise")
	}
	if strings.HasPrefix(target, "ws://") && (c.TLSCAFile != "" || c.TLSCertFile != "") {
		warn("targetServer", "has a scheme without TLS: the tls… properties have no effect")
	}
	switch file := strings.TrimSpace(c.AuthTokenFile); {
	case file == "":
	case strings.TrimSpace(string(c.AuthToken)) != "":
		warn("authTokenFile", "has no effect, because authToken is set")
	default:
		if err := readable(file); err != nil {
			warn("authTokenFile", "cannot be read yet, and is tried again for every connect: "+file+": "+err.Error())
		}
	}
}

// readable returns why a file cannot be read. It does not try to read a pipe, which might never end.
func readable(name string) error {
	info, err := os.Stat(name)
	if err != nil {
		return causeOf(err)
	}
	if !info.Mode().IsRegular() {
		return errors.New("it is not a regular file")
	}
	file, err := os.Open(name)
	if err != nil {
		return causeOf(err)
	}
	return file.Close()
}
