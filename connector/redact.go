package connector

import (
	"context"
	"log/slog"
	"slices"
	"strings"

	"github.com/vantiq-go/connectorsdk/internal/shown"
	"github.com/vantiq-go/connectorsdk/protocol"
)

// sentSecrets are what is sent to open a WebSocket, and may be one.
func sentSecrets(o *Options) (secrets []protocol.Secret) {
	const least = 6 // shorter values are words of our own as well
	for _, value := range shown.Secrets(o.TargetServer, o.Header, least) {
		secrets = append(secrets, protocol.Secret(value))
	}
	return secrets
}

// secrets are what must not be printed: Vantiq, a handler or the network may repeat it in a text of theirs.
func (c *SourceConnection) secrets() []protocol.Secret {
	secrets := append([]protocol.Secret{c.options.AuthToken, c.options.ReconnectSecret}, c.sent...)
	if presented := c.presented.Load(); presented != nil { // from AuthTokenFile
		secrets = append(secrets, *presented)
	}
	// The longest first: one may hold another, and would not be found without that.
	slices.SortFunc(secrets, func(a, b protocol.Secret) int { return len(b) - len(a) })
	return secrets
}

func (c *SourceConnection) redact(text string) string {
	for _, secret := range c.secrets() {
		text = secret.Redact(text)
	}
	return text
}

// redactor is a [slog.Handler] that lets no secret of a source connection through, in a message or in an attribute.
type redactor struct {
	slog.Handler
	redact func(string) string
}

func (r redactor) Handle(ctx context.Context, record slog.Record) error {
	clean := slog.NewRecord(record.Time, record.Level, r.redact(record.Message), record.PC)
	record.Attrs(func(a slog.Attr) bool {
		clean.AddAttrs(r.clean(a))
		return true
	})
	return r.Handler.Handle(ctx, clean)
}

// clean leaves values alone that hold no text of others.
func (r redactor) clean(a slog.Attr) slog.Attr {
	switch value := a.Value.Any().(type) {
	case string:
		return slog.String(a.Key, r.tame(value))
	case error:
		return slog.String(a.Key, r.tame(value.Error()))
	}
	return a
}

var escapes = strings.NewReplacer("\x1b", "␛", `\x1b`, "␛")

// tame also replaces what would command a terminal where it is printed in colour, see [protocol.Printable]. Other control
// characters stay: handlers quote them, and a stack has line breaks.
func (r redactor) tame(text string) string {
	return escapes.Replace(r.redact(text))
}

func (r redactor) WithAttrs(attrs []slog.Attr) slog.Handler {
	return redactor{r.Handler.WithAttrs(attrs), r.redact}
}

func (r redactor) WithGroup(name string) slog.Handler {
	return redactor{r.Handler.WithGroup(name), r.redact}
}
