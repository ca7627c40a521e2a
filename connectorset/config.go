package connectorset

import (
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/protocol"
)

// Config is everything a connector set needs to know: each property of server.config, and through the embedded
// [connector.Options] what only a program can say. TargetServer, Sources, and one of AuthToken and AuthTokenFile are
// required; everything else is useful at zero.
//
// However a Config is printed, logged or marshalled as JSON, alone or in an exported field, it shows the properties that
// are set and no secret.
type Config struct {
	// Options apply to every source. Three of them mean more here than there:
	//
	// A ReconnectSecret becomes "<source>_<secret>" for each source, as in the Python SDK, so that either can take over
	// from the other. Leave it empty unless one process at a time serves the sources.
	//
	// A Probe is used instead of one at TCPProbeHost and TCPProbePort, and a Group instead of one of the set's own.
	connector.Options

	// Sources are the names of the sources to serve, at least one. Blanks around a name do not count, an empty name is
	// dropped, and a name that occurs twice is served once.
	Sources []string

	// TCPProbeHost is where the health port is opened. Default: all interfaces.
	TCPProbeHost string
	// TCPProbePort is the health port, 1 to 65535. Default: 8000; negative: none (in a file that is tcpProbePort=0).
	TCPProbePort int

	// TLSCAFile names a PEM file with the certificate authorities to trust instead of the system's.
	TLSCAFile string
	// TLSCertFile and TLSKeyFile name PEM files with the certificate, and its key, that the connector shows to a server
	// that asks for one. They come together.
	TLSCertFile string
	TLSKeyFile  string
	// DisableSSLVerification accepts any certificate for any host name: whoever sits on the network can then read the
	// auth token. It is meant for tests; for a private certificate authority use TLSCAFile.
	DisableSSLVerification bool

	origin origin
}

// An origin is where a Config was read from.
type origin struct {
	file     string
	lines    map[string]int // of each property in the file
	warnings []Warning
}

// defaultProbePort is the health port of all Vantiq connectors.
const defaultProbePort = 8000

// File returns the name of the file the Config was read from; empty if it was made in Go.
func (c Config) File() string { return c.origin.file }

// Validate reports everything that is wrong, as joined [ConfigError] values, or nil. It reads the TLS files.
func (c Config) Validate() error {
	_, problems := c.check(nil)
	return join(problems)
}

// Warnings returns what is probably not meant, in the file the Config was read from and in its fields. It reads the
// AuthTokenFile. [New] logs them.
func (c Config) Warnings() []Warning {
	warnings := slices.Clone(c.origin.warnings)
	warn := func(key, text string) {
		warnings = append(warnings, Warning{c.origin.file, c.origin.lines[key], key, text})
	}
	c.findDoubts(warn)
	return warnings
}

// sourceNames returns the names to serve, in order, and those that were listed again.
func (c Config) sourceNames() (names, again []string) {
	seen := make(map[string]bool, len(c.Sources))
	for _, name := range c.Sources {
		name = strings.TrimSpace(name)
		switch {
		case name == "":
		case seen[name]:
			again = append(again, name)
		default:
			seen[name] = true
			names = append(names, name)
		}
	}
	return names, again
}

// probeAddress returns where the health port is opened, or an empty string for none.
func (c Config) probeAddress() string {
	switch {
	case c.TCPProbePort < 0:
		return ""
	case c.TCPProbePort == 0:
		return net.JoinHostPort(c.TCPProbeHost, strconv.Itoa(defaultProbePort))
	}
	return net.JoinHostPort(c.TCPProbeHost, strconv.Itoa(c.TCPProbePort))
}

// problem returns a ConfigError that knows where the property stands.
func (c Config) problem(key, value, reason string, cause error) *ConfigError {
	return &ConfigError{File: c.origin.file, Line: c.origin.lines[key], Key: key, Value: value, Reason: reason, Err: cause}
}

// optionsFor returns the options of one source before anything of the set is added.
func (c Config) optionsFor(source string) connector.Options {
	o := c.Options
	o.TargetServer = strings.TrimSpace(o.TargetServer)
	o.AuthToken = protocol.Secret(strings.TrimSpace(string(o.AuthToken)))
	o.AuthTokenFile = strings.TrimSpace(o.AuthTokenFile)
	if secret := strings.TrimSpace(string(o.ReconnectSecret)); secret != "" {
		o.ReconnectSecret = protocol.Secret(source + "_" + secret)
	}
	o.Header = o.Header.Clone()
	o.Hooks = slices.Clone(o.Hooks)
	return o
}
