package connectorset

import (
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"strings"
)

// settings yields the properties that are not at their defaults, as they may be shown.
func (c Config) settings() iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for _, p := range known {
			if value := p.write(&c); value != "" && !yield(p.name, value) {
				return
			}
		}
		if c.DisableSSLVerification && !yield("disableSslVerification", "true") {
			return
		}
		for name := range c.Header { // a value may be a password
			if !yield("header "+name, redacted) {
				return
			}
		}
	}
}

// String returns the properties that are set, without secrets.
func (c Config) String() string {
	var text strings.Builder
	text.WriteString("Config{")
	separator := ""
	for name, value := range c.settings() {
		fmt.Fprintf(&text, "%s%s=%s", separator, name, value)
		separator = " "
	}
	text.WriteString("}")
	return text.String()
}

// Format implements [fmt.Formatter]: every verb prints what String returns.
func (c Config) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// LogValue implements [slog.LogValuer]: a group of the properties that are set, without secrets.
func (c Config) LogValue() slog.Value {
	var attrs []slog.Attr
	for name, value := range c.settings() {
		attrs = append(attrs, slog.String(name, value))
	}
	return slog.GroupValue(attrs...)
}

// MarshalJSON returns an object of the properties that are set, as strings and without secrets.
func (c Config) MarshalJSON() ([]byte, error) {
	object := make(map[string]string)
	for name, value := range c.settings() {
		object[name] = value
	}
	return json.Marshal(object)
}
