package protocol_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/vantiq-go/connectorsdk/protocol"
)

func TestTargetURL(t *testing.T) {
	for targetServer, want := range map[string]string{
		"https://dev.vantiq.com":               "wss://dev.vantiq.com/api/v1/wsock/websocket",
		"https://dev.vantiq.com/":              "wss://dev.vantiq.com/api/v1/wsock/websocket",
		"  https://dev.vantiq.com\t":           "wss://dev.vantiq.com/api/v1/wsock/websocket",
		"http://localhost:8080":                "ws://localhost:8080/api/v1/wsock/websocket",
		"ws://h":                               "ws://h/api/v1/wsock/websocket",
		"wss://h:8443":                         "wss://h:8443/api/v1/wsock/websocket",
		"wss://h:8443/x":                       "wss://h:8443/x/api/v1/wsock/websocket",
		"https://h/prefix":                     "wss://h/prefix/api/v1/wsock/websocket",
		"https://h/prefix/":                    "wss://h/prefix/api/v1/wsock/websocket",
		"https://h/a%2Fb c"[:15]:               "wss://h/a%2Fb/api/v1/wsock/websocket",
		"https://h/api/v2/wsock/websocket":     "wss://h/api/v2/wsock/websocket",
		"https://h/p/api/v2/wsock/websocket":   "wss://h/p/api/v2/wsock/websocket",
		"https://h/api/v1/wsock/websocket/":    "wss://h/api/v1/wsock/websocket",
		"https://h/api/v1/wsock":               "wss://h/api/v1/wsock/websocket",
		"https://h/api/v/wsock/websocket":      "wss://h/api/v/wsock/websocket/api/v1/wsock/websocket",
		"https://h?x=1":                        "wss://h/api/v1/wsock/websocket?x=1",
		"https://h/api/v1/wsock/websocket?x=1": "wss://h/api/v1/wsock/websocket?x=1",
		"dev.vantiq.com":                       "wss://dev.vantiq.com/api/v1/wsock/websocket",
		"https:8443":                           "wss://https:8443/api/v1/wsock/websocket",
		"wss/x":                                "wss://wss/x/api/v1/wsock/websocket",
		"localhost:8080":                       "wss://localhost:8080/api/v1/wsock/websocket",
		"HTTPS://Dev.Vantiq.com":               "wss://Dev.Vantiq.com/api/v1/wsock/websocket",
		"https://[::1]:8080":                   "wss://[::1]:8080/api/v1/wsock/websocket",
		"https://vantiq.vantiq.com/vantiq":     "wss://vantiq.vantiq.com/vantiq/api/v1/wsock/websocket",
	} {
		got, err := protocol.TargetURL(targetServer)
		if err != nil || got != want {
			t.Errorf("TargetURL(%q) = %q, %v; want %q", targetServer, got, err, want)
		}
	}
}

func TestTargetURLRefusesWithTheValueAndANextStep(t *testing.T) {
	for targetServer, want := range map[string]string{
		"":                     "is empty: set it to",
		" \t":                  "is empty: set it to",
		"//h":                  `"//h" has no host`,
		"https://":             "has no host",
		"vantiq://h":           `"vantiq://h" has the scheme "vantiq": use https`,
		"https://h/#frag":      "holds a fragment",
		"https://h#":           "holds a fragment",
		`"https://h"`:          `is in quotes, which are a part of it`,
		"'h'":                  `is in quotes`,
		"https//h":             `"https//h" begins with "https//": it should begin with "https://"`,
		"https:/h":             `begins with "https:/": it should`,
		"wss:h":                `begins with "wss:": it should`,
		"HTTP//h/x":            `begins with "HTTP//": it should begin with "HTTP://"`,
		"https//u:hunter2@h":   `"[redacted]@h" begins with "https//"`,
		"https://h:0/?hunter2": `"https://h:0/?[redacted]" has the port "0"`,
		"https://h/#hunter2":   `"https://h/#[redacted]" holds a fragment`,
		"https://my host":      "holds a blank",
		"https://h\nsources=a": "holds a line break: a \\n in a properties file is one",
		"https://u:hunter2@h/": `"https://[redacted]@h/" holds a user name`,
		"u:hunter2@h":          `"[redacted]@h" holds a user name`,
		"https://h:99999":      `has the port "99999"`,
		"https://h:0":          `has the port "0"`,
		"https://h:":           `has the port ""`,
		"https://h:http":       "is not a URL",
		"https://%C2%80/":      "has an impossible host",
		"https://h/%zz":        "is not a URL",
	} {
		got, err := protocol.TargetURL(targetServer)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "targetServer") {
			t.Errorf("TargetURL(%q) = %q, %v; want an error with %q", targetServer, got, err, want)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("TargetURL(%q) shows the password: %v", targetServer, err)
		}
	}
}

func FuzzTargetURL(f *testing.F) {
	for _, seed := range []string{"https://dev.vantiq.com", "localhost:8080", "https://h/api/v2/wsock/websocket/?x=1", "wss://[::1]:8080/p", "https://u:p@h/#f", "//h", "wss://%C2%80", "https://%41", "https://[fe80::1%25eth0]",
		"", "h\nsources=a", "my host", "vantiq://h", "http://h:0", "ws://h:", "https://h/%zz", "https://h/p/api/v1/wsock", "https://u:p@h", "https://[::1:2"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, targetServer string) {
		target, err := protocol.TargetURL(targetServer)
		if err != nil {
			return
		}
		u, err := url.Parse(target)
		if err != nil {
			t.Fatalf("TargetURL(%q) = %q, which is no URL: %v", targetServer, target, err)
		}
		if u.Scheme != "ws" && u.Scheme != "wss" || u.Host == "" || u.User != nil || u.Fragment != "" {
			t.Fatalf("TargetURL(%q) = %q, which no dialer takes", targetServer, target)
		}
		if again, err := protocol.TargetURL(target); err != nil || again != target {
			t.Fatalf("TargetURL(%q) = %q, %v: a target URL must be kept", target, again, err)
		}
	})
}
