package protocol

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// redacted is what every way of printing a Secret shows.
const redacted = "[redacted]"

// A Secret is an auth token, a password or a reconnect secret. However it is printed, logged or marshalled, alone or as
// a field, it shows "[redacted]", and nothing if it is empty. Convert it to a string to use it.
type Secret string

// Format implements [fmt.Formatter] for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// String returns a placeholder, never the secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// LogValue implements [slog.LogValuer].
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText implements [encoding.TextMarshaler]: a configuration written as JSON does not hold its secrets.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Redact returns text without the secret, for words that came from somebody who knows it.
func (s Secret) Redact(text string) string {
	if s == "" {
		return text
	}
	return strings.ReplaceAll(text, string(s), redacted)
}
