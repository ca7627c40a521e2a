package protocol

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"unicode"
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

// Redact returns text without the secret, for words that came from somebody who knows it. Where a text was cut short, as
// "…" at its end tells, what it may have of the secret before that goes too.
func (s Secret) Redact(text string) string {
	if s == "" {
		return text
	}
	text = strings.ReplaceAll(text, string(s), redacted)
	if cut, short := strings.CutSuffix(text, "…"); short {
		for n := min(len(s), len(cut)); n > 0; n-- {
			if rest, found := strings.CutSuffix(cut, string(s[:n])); found {
				return rest + redacted + "…"
			}
		}
	}
	return text
}

// Printable returns text with pictures in place of its control characters (␛ for escape), for words that came from
// somebody else: on a terminal they could command it, and look like lines of a log's own.
func Printable(text string) string {
	text = strings.ReplaceAll(text, `\x1b`, "\x1b") // tint, where it prints in colour, makes an escape of these four characters
	return strings.Map(func(r rune) rune {
		switch {
		case r < ' ':
			return '\u2400' + r
		case r == 0x7f:
			return '\u2421'
		case unicode.In(r, unicode.Cc, unicode.Bidi_Control, unicode.Zl, unicode.Zp):
			return unicode.ReplacementChar
		}
		return r
	}, text)
}
