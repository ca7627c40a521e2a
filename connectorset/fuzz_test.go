package connectorset

import (
	"os"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzReadConfig looks for a file that panics, loses a line number, or makes the reader show the token.
func FuzzReadConfig(f *testing.F) {
	sample, err := os.ReadFile("../serverConfig/server.config")
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{
		string(sample), minimal, "", "\uFEFF" + minimal, minimal + "tcpProbePort=x\\", "a\\\r\nb=\\u12", "=x\n:y\n \\\n",
		`targetServer=https\://h\nauthToken=secrettoken`, "sources=A\xff,B", "\\\n#", "k\\ k = v", "authToken=\\ud83d\\ude00",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r := newReader("server.config")
		r.readAll(data)
		_, problems := r.config.check(r.bad)
		text := errorText(join(append(r.problems, problems...)))
		for _, warning := range r.config.Warnings() {
			text += warning.String()
			if warning.Line < 0 || warning.Key == "" && warning.Text == "" {
				t.Errorf("empty warning %+v", warning)
			}
		}
		if !utf8.ValidString(string(r.config.AuthToken)) {
			t.Error("the token is not UTF-8")
		}
		// A long token cannot be in the messages by chance; its value is not part of any other property in these seeds.
		if token := string(r.config.AuthToken); len(token) > 8 && strings.Count(string(data), token) == 1 && strings.Contains(text, token) {
			t.Errorf("shows the token %q: %s", token, text)
		}
		_ = r.config.String()
	})
}

// FuzzConnectKWArgs looks for an object that panics or gets past the limits of the options.
func FuzzConnectKWArgs(f *testing.F) {
	for _, seed := range []string{
		`{"disableSslVerification": true}`, `{"open_timeout": 10, "ping_interval": null, "max_size": null}`,
		`{"additional_headers": [["a","b"]], "extra_headers": {"c":"d"}}`, `{"proxy": "http://u:p@h"}`, `{"ssl": false}`,
		`{"ping_timeout": 1e-300}`, `{"max_size": 1}`, `[]`, `null`, `{"open_timeout":`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r := newReader("")
		r.readKWArgs(text)
		for _, p := range known {
			if err := p.check(&r.config); err != nil {
				t.Errorf("%s %v", p.name, err)
			}
		}
		for name, values := range r.config.Header {
			for _, value := range values {
				if reason := wrongHeader(name, value); reason != "" {
					t.Errorf("header %q %s", name, reason)
				}
			}
		}
	})
}
