package connectorset

import (
	"encoding/json"
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

// FuzzProperty writes a property as Java does and reads it again.
func FuzzProperty(f *testing.F) {
	f.Add("authToken", "K1x+/$=:#! \\", "\n")
	f.Add(" a:b=c#\t", "  x\ty\r\nz\f ", "\r\n")
	f.Add("sources", "", "\r")
	f.Add("Straße", "\u0000😀\u2028", "\n#\n")
	f.Fuzz(func(t *testing.T, key, value, end string) {
		if key == "" || !utf8.ValidString(key) || !utf8.ValidString(value) || strings.Contains(key+value+end, "\x00") || strings.Trim(end, "\r\n") != "" || end == "" {
			t.Skip()
		}
		const before, after = "first=1", "last=2"
		line := escapeProperty(key, " :=#!") + "=" + escapeProperty(value, " ")
		entries, problems := parseProperties("f", []byte(before+end+line+end+after))
		if len(problems) > 0 || len(entries) != 3 {
			t.Fatalf("%q became %q, %v", line, entries, problems)
		}
		if got := entries[1]; got.key != key || got.value != value {
			t.Fatalf("%q became %q", line, got)
		}
		natural := strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(before+end+line+end), "\n")
		if entries[2].line != len(natural) {
			t.Fatalf("%q: the last line is number %d, want %d", end, entries[2].line, len(natural))
		}
	})
}

// escapeProperty writes text as java.util.Properties does, with a backslash before each of special.
func escapeProperty(text, special string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\f':
			b.WriteString(`\f`)
		case r == '\\' || strings.ContainsRune(special, r):
			b.WriteRune('\\')
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// FuzzConnectKWArgs looks for an object that panics or gets past the limits of the options.
func FuzzConnectKWArgs(f *testing.F) {
	for _, seed := range []string{
		`{"disableSslVerification": true}`, `{"open_timeout": 10, "ping_interval": null, "max_size": null}`,
		`{"additional_headers": [["a","b"]], "extra_headers": {"c":"d"}}`, `{"proxy": "http://u:p@h"}`, `{"ssl": false}`,
		`{"ping_timeout": 1e-300}`, `{"max_size": 1}`, `[]`, `null`, `{"open_timeout":`,
		`{"disableSslVerification": "no", "ping_interval": 5, "ping_timeout": null, "open_timeout": "x", "max_size": 1e99, "ssl": true}`,
		`{"disableSslVerification": 7, "proxy": true, "compression": "deflate", "close_timeout": 1, "other": {}}`,
		`{"proxy": null, "compression": null, "extra_headers": null}`, `{"proxy": 5}`, `{"proxy": "http://u:hunter2@"}`,
		`{"extra_headers": {"Upgrade": "x", "a b": "c", "d": "\u0001"}}`, `{"extra_headers": [["a"]]}`, `{"extra_headers": 5}`,
		`{"other": 1e2300}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r := newReader("")
		r.readKWArgs(text)
		var object map[string]json.RawMessage // of any values: a number may be one that no float can hold
		if isObject := json.Unmarshal([]byte(text), &object) == nil && object != nil; !isObject && len(r.problems) == 0 {
			t.Errorf("%q is not an object, and nobody says so", text)
		}
		members := map[string]any{}
		for name, value := range object {
			var decoded any
			if json.Unmarshal(value, &decoded) == nil {
				members[name] = decoded
			}
		}
		for name, value := range members {
			if on, ok := value.(bool); name == "disableSslVerification" && ok && on != r.config.DisableSSLVerification {
				t.Errorf("%q: DisableSSLVerification is %t", text, r.config.DisableSSLVerification)
			}
			if text := errorText(join(r.problems)); name == "proxy" && strings.Contains(text, "hunter2") {
				t.Errorf("shows a password: %s", text)
			}
		}
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
