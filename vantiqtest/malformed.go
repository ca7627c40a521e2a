package vantiqtest

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/vantiq-go/connectorsdk/protocol"
)

// malformed tells of the message that the link has just read, and shows how it begins.
func (l *Link) malformed(e Event) {
	if !l.server.observed() {
		return
	}
	e.Kind, e.Body = MalformedReceived, l.beginning(l.buffer)
	l.server.event(l.eventOf(e))
}

// shownMalformed is how many bytes of a message that nobody understands are shown.
const shownMalformed = 400

// beginning returns how a message begins, or nil if it may hold an auth token or a reconnect secret: what nobody understands
// could be a part of the handshake.
func (l *Link) beginning(message []byte) json.RawMessage {
	s := l.Source()
	if s == nil {
		return nil
	}
	for _, secret := range append(l.server.secrets(), s.currentSecret()) {
		written, _ := json.Marshal(secret) // a text can be
		if secret != "" && (bytes.Contains(message, []byte(secret)) || bytes.Contains(message, bytes.Trim(written, `"`))) {
			return nil
		}
	}
	lower := bytes.ToLower(message)
	for _, word := range []string{protocol.OpValidate, protocol.OpAuthenticate, protocol.OpConnectExtension, "secret", `\u`} {
		if bytes.Contains(lower, []byte(strings.ToLower(word))) { // \u may spell any of them
			return nil
		}
	}
	if len(message) <= shownMalformed {
		return slices.Clone(message)
	}
	return append(slices.Clone(message[:shownMalformed]), "…"...)
}

// secrets returns the valid auth tokens.
func (s *Server) secrets() (tokens []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, token := range s.tokens {
		tokens = append(tokens, string(token))
	}
	return tokens
}

func (s *Source) currentSecret() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.secret)
}
