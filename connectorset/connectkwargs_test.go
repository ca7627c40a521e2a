package connectorset

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestConnectKWArgs(t *testing.T) {
	const off, none = time.Duration(-1), time.Duration(0)
	for _, test := range []struct {
		args string
		got  func(Config) any
		want any
	}{
		{`{"disableSslVerification": true, "open_timeout": 7}`, func(c Config) any { return fmt.Sprint(c.DisableSSLVerification, c.HandshakeTimeout) }, "true 7s"},
		{`{"disableSslVerification": "True"}`, func(c Config) any { return c.DisableSSLVerification }, true},
		{`{"disableSslVerification": false}`, func(c Config) any { return c.DisableSSLVerification }, false},
		{`{"open_timeout": 2.5}`, func(c Config) any { return c.HandshakeTimeout }, 2500 * time.Millisecond},
		{`{"open_timeout": null}`, func(c Config) any { return c.HandshakeTimeout }, none},
		{`{"ping_interval": 20}`, func(c Config) any { return c.PingInterval }, 20 * time.Second},
		{`{"ping_interval": null}`, func(c Config) any { return c.PingInterval }, off},
		{`{"ping_timeout": 20}`, func(c Config) any { return c.PingTimeout }, 20 * time.Second},
		{`{"ping_timeout": null}`, func(c Config) any { return c.PingTimeout }, none},
		{`{"max_size": 10485760}`, func(c Config) any { return c.MaxInbound }, 10 << 20},
		{`{"max_size": null}`, func(c Config) any { return c.MaxInbound }, largestInbound},
		{`{"max_size": 99999999999}`, func(c Config) any { return c.MaxInbound }, largestInbound},
		{`{"additional_headers": {"x-b": "2", "X-A": "1"}}`, func(c Config) any { return fmt.Sprint(c.Header) }, "map[X-A:[1] X-B:[2]]"},
		{`{"extra_headers": [["X-A", "1"], ["X-A", "2"]]}`, func(c Config) any { return fmt.Sprint(c.Header) }, "map[X-A:[1 2]]"},
		{`{"extra_headers": null}`, func(c Config) any { return len(c.Header) }, 0},
		{`{"proxy": "http://p:1"}`, proxyOf, "http://p:1"},
		{`{"proxy": null}`, proxyOf, "none"},
		{`{"proxy": true}`, proxyOf, "from the environment"},
		{`{}`, func(c Config) any { return c.PingInterval }, none},
		{`{"open_timeout": \n 7}`, func(c Config) any { return c.HandshakeTimeout }, 7 * time.Second},

		// A property of its own wins.
		{`{"ping_interval": null}` + "\nsendPings=true", func(c Config) any { return c.PingInterval }, none},
		{`{"ping_interval": 20}` + "\nsendPings=false", func(c Config) any { return c.PingInterval }, off},
		{`{"ping_interval": 20}` + "\npingInterval=5s", func(c Config) any { return c.PingInterval }, 5 * time.Second},
		{`{"open_timeout": 20}` + "\nhandshakeTimeout=5s", func(c Config) any { return c.HandshakeTimeout }, 5 * time.Second},
		{`{"max_size": null}` + "\nmaxInbound=1MiB", func(c Config) any { return c.MaxInbound }, 1 << 20},
		{`{"proxy": null}` + "\nproxy=http://p:2", proxyOf, "http://p:2"},
	} {
		t.Run(test.args, func(t *testing.T) {
			if got := test.got(read(t, minimal+"connectKWArgs="+test.args)); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestConnectKWArgsThatAreNotAccepted(t *testing.T) {
	for args, want := range map[string]string{
		`nonsense`:                               `server.config:4: connectKWArgs is not JSON at byte 2: use an object like {"open_timeout": 10}`,
		`{"additional_headers":{"a":"hush"`:      `connectKWArgs is not JSON`,
		`["hush"]`:                               `connectKWArgs is not a JSON object`,
		`null`:                                   `connectKWArgs is not a JSON object`,
		`{"disableSslVerification": 7}`:          `connectKWArgs holds "disableSslVerification": 7: use true or false`,
		`{"open_timeout": "soon"}`:               `holds "open_timeout": "soon": use a number of seconds up to 86400`,
		`{"open_timeout": 0}`:                    `holds "open_timeout": 0: use a number`,
		`{"ping_interval": -1}`:                  `holds "ping_interval": -1: use a number`,
		`{"max_size": 1.5}`:                      `holds "max_size": 1.5: use a number of bytes`,
		`{"max_size": [1, 2]}`:                   `holds "max_size": [1, 2]: use a number of bytes`,
		`{"extra_headers": "hush"}`:              `holds "extra_headers" that is not accepted: use an object like`,
		`{"extra_headers": [["hush"]]}`:          `holds "extra_headers" that is not accepted`,
		`{"extra_headers": {"a": 1}}`:            `holds "extra_headers" that is not accepted`,
		`{"extra_headers": {"a b": "hush"}}`:     `with the header "a b", which is not a header's name`,
		`{"extra_headers": {"a": "hush\\r\\n"}}`: `with the header "a", which has a value with a control character`,
		`{"extra_headers": {"upgrade": "x"}}`:    `with the header "upgrade", which belongs to the WebSocket protocol`,
		`{"proxy": 7}`:                           `holds a "proxy" that is not accepted: use a URL like`,
		`{"proxy": "ftp://u:hush@h"}`:            `holds a "proxy" that has the scheme "ftp"`,
	} {
		t.Run(args, func(t *testing.T) {
			_, err := ReadConfig(write(t, minimal+"connectKWArgs="+args))
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got  %v\nwant %s", err, want)
			}
			if err != nil && strings.Contains(err.Error(), "hush") {
				t.Errorf("shows a secret: %v", err)
			}
		})
	}
}

func TestConnectKWArgsThatMeanNothingHere(t *testing.T) {
	for args, want := range map[string]string{
		`{"ssl": false}`:             `"ssl", which is ignored: the scheme of targetServer decides`,
		`{"ssl": true}`:              ``,
		`{"compression": "deflate"}`: `"compression", which is ignored`,
		`{"compression": null}`:      ``,
		`{"close_timeout": 5}`:       `"close_timeout", which is ignored: drainTime`,
		`{"open_timeout": null}`:     `"open_timeout": null, which is ignored: there is always a limit`,
		`{"max_queue": 32}`:          `holds "max_queue", which means nothing here and is ignored`,
	} {
		warnings := read(t, minimal+"connectKWArgs="+args).Warnings()
		if text := fmt.Sprint(warnings); !strings.Contains(text, want) || (want == "") != (len(warnings) == 0) {
			t.Errorf("%s: got %s, want %s", args, text, want)
		}
	}
}
