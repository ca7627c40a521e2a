package connectorset

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/vantiq-go/connectorsdk/internal/shown"
	"github.com/vantiq-go/connectorsdk/internal/spelling"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/protocol"
)

// A property is a setting that server.config may hold: how its name is spelled, and where it goes.
type property struct {
	name string
	// set reads a value, trimmed and not blank, into the configuration. An error completes a sentence that begins with
	// the name and the value.
	set func(c *Config, value string) error
	// check returns what is wrong with a value that a program may have put into the configuration.
	check func(c *Config) error
	// write returns the value as it would stand in a file, or as much of it as may be shown; empty if it is the default.
	write func(c *Config) string
	// show makes a value from a file fit to be seen. Nil shows it as it is.
	show func(value string) string
}

// known lists every property but connectKWArgs, which is spread over others before these are read.
var known = []property{
	of("targetServer", text, func(c *Config) *string { return &c.TargetServer }).shown(shown.URL),
	of("authToken", secret, func(c *Config) *protocol.Secret { return &c.AuthToken }).shown(hidden),
	of("authTokenFile", text, func(c *Config) *string { return &c.AuthTokenFile }),
	{
		name:  "sources",
		set:   func(c *Config, value string) error { c.Sources = strings.Split(value, ","); return nil },
		check: func(*Config) error { return nil },
		write: func(c *Config) string { return strings.Join(c.Sources, ",") },
	},
	of("reconnectSecret", secret, func(c *Config) *protocol.Secret { return &c.ReconnectSecret }).shown(hidden),
	of("failOnConnectionError", flag, func(c *Config) *bool { return &c.FailOnConnectionError }),

	of("tcpProbeHost", text, func(c *Config) *string { return &c.TCPProbeHost }),
	of("tcpProbePort", port, func(c *Config) *int { return &c.TCPProbePort }),

	of("tlsCaFile", text, func(c *Config) *string { return &c.TLSCAFile }),
	of("tlsCertFile", text, func(c *Config) *string { return &c.TLSCertFile }),
	of("tlsKeyFile", text, func(c *Config) *string { return &c.TLSKeyFile }),
	property{
		name: "proxy",
		set: func(c *Config, value string) (err error) {
			c.Proxy, err = parseProxy(value)
			return err
		},
		check: func(*Config) error { return nil },
		write: func(c *Config) string {
			if c.Proxy == nil {
				return ""
			}
			return "set"
		},
	}.shown(shown.URL),

	{
		// Pings are on unless this is false. It is PingInterval's other name, and wins over it, see reader.apply.
		name: "sendPings",
		set: func(c *Config, value string) error {
			on, ok := parseBool(value)
			switch {
			case !ok:
				return errors.New("is not accepted: use " + flag.accepts)
			case !on:
				c.PingInterval = -1
			case c.PingInterval < 0: // by connectKWArgs
				c.PingInterval = 0
			}
			return nil
		},
		check: func(*Config) error { return nil },
		write: func(c *Config) string {
			if c.PingInterval < 0 {
				return "false"
			}
			return ""
		},
	},
	of("pingInterval", durationOrNone, func(c *Config) *time.Duration { return &c.PingInterval }),
	of("pingTimeout", duration, func(c *Config) *time.Duration { return &c.PingTimeout }),
	of("handshakeTimeout", duration, func(c *Config) *time.Duration { return &c.HandshakeTimeout }),
	of("drainTime", duration, func(c *Config) *time.Duration { return &c.DrainTime }),

	of("maxQueries", count, func(c *Config) *int { return &c.MaxQueries }),
	of("maxWaitingQueries", count, func(c *Config) *int { return &c.MaxWaitingQueries }),
	of("queryTimeout", durationOrNone, func(c *Config) *time.Duration { return &c.QueryTimeout }),
	of("publishQueue", count, func(c *Config) *int { return &c.PublishQueue }),

	of("outboxMessages", count, func(c *Config) *int { return &c.OutboxMessages }),
	of("outboxBytes", size, func(c *Config) *int { return &c.OutboxBytes }),
	of("outboxFull", overflow, func(c *Config) *connector.Overflow { return &c.OutboxFull }),
	of("maxOutstanding", count, func(c *Config) *int { return &c.MaxOutstanding }),

	of("maxInbound", inboundSize, func(c *Config) *int { return &c.MaxInbound }),
	of("maxOutbound", size, func(c *Config) *int { return &c.MaxOutbound }),
}

// of returns the property of one field of Config.
func of[T comparable](name string, k kind[T], field func(*Config) *T) property {
	var unset T
	notAccepted := func() error { return errors.New("is not accepted: use " + k.accepts) }
	return property{
		name: name,
		set: func(c *Config, value string) error {
			parsed, ok := k.parse(value)
			if !ok || !k.valid(parsed) {
				return notAccepted()
			}
			*field(c) = parsed
			return nil
		},
		check: func(c *Config) error {
			if value := *field(c); value != unset && !k.valid(value) {
				return notAccepted()
			}
			return nil
		},
		write: func(c *Config) string {
			switch value := *field(c); {
			case value == unset:
				return ""
			case !k.valid(value):
				return "invalid"
			default:
				return k.write(value)
			}
		},
	}
}

func (p property) shown(show func(value string) string) property {
	p.show = show
	write := p.write
	p.write = func(c *Config) string {
		if value := write(c); value != "" {
			return show(value)
		}
		return ""
	}
	return p
}

func hidden(string) string { return redacted }

// nearest returns the known property whose name is like name, or an empty string.
func nearest(name string) string {
	names := []string{connectKWArgs}
	for _, p := range known {
		names = append(names, p.name)
	}
	return spelling.Nearest(name, names)
}

// hints answer what the edit distance cannot.
var hints = map[string]string{
	"disableSslVerification": `is not a property of its own: write connectKWArgs={"disableSslVerification": true}`,
	tokenVariable:            "is an environment variable: in a file the property is authToken",
	queueVariable:            "is not a property: outboxMessages says how many notifications may wait",
}

const (
	connectKWArgs = "connectKWArgs"
	tokenVariable = "CONNECTOR_AUTH_TOKEN"
	queueVariable = "FAILED_MESSAGE_QUEUE_SIZE" // of the Java SDK
)

// unknown says what to do about a key that is no property. It must not show the value, which may be a misspelled token's.
func unknown(key string) string {
	if hint, ok := hints[key]; ok {
		return hint
	}
	text := "is not a property and is ignored"
	if name := nearest(key); name != "" {
		text += ": is " + strconv.Quote(name) + " meant?"
	}
	return text
}
