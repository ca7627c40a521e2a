package vantiqtest

import (
	"encoding/json"
	"errors"

	"github.com/vantiq-go/connectorsdk/protocol"
)

// validate checks an auth token. The answer holds a credential, as the real one does: nothing may log it.
func (l *Link) validate(m *protocol.Validate) {
	if !l.server.valid(m.Token) {
		l.rejectValidate(statusError(401, "authFailure", "invalid authToken"))
		return
	}
	l.authenticated = true
	l.server.event(l.eventOf(Event{Kind: Validated}))
	l.writer.send(validated(string(m.Token)))
}

// authenticate refuses a user's name and password: nobody has an account here.
func (l *Link) authenticate() {
	l.rejectValidate(statusError(401, "authFailure", "the local Vantiq knows no users: authenticate with its token"))
}

func (l *Link) rejectValidate(e *protocol.StatusError) {
	l.server.event(l.eventOf(Event{Kind: ValidateRejected, Status: e.Status, Err: e}))
	l.sendError(e)
}

func validated(token string) []byte {
	credential, _ := json.Marshal(token) // a string always can
	return []byte(`{"status":200,"contentType":"application/json","body":{"anonymous":false,"userInfo":{"accessToken":` +
		string(credential) + `,"username":"local","preferredUsername":"local","namespace":"` + namespace +
		`","homeNamespace":"` + namespace + `","userType":"node","profiles":["` + namespace + `.admin"]}}}`)
}

var errEarlyConnect = errors.New("it came before a valid auth token")

// connectExtension gives the link a session of the source, or says why not. Vantiq ignores it before authentication.
func (l *Link) connectExtension(m *protocol.ConnectExtension) {
	if !l.authenticated {
		l.server.event(l.eventOf(Event{Kind: ConnectIgnored, Source: m.Source, Err: errEarlyConnect}))
		return
	}
	source := l.server.declared(m.Source)
	var refused *protocol.StatusError
	switch current := l.Source(); {
	case source == nil:
		refused = statusError(404, "io.vantiq.resource.not.found",
			"The EXTENSION source "+m.Source+" (namespace "+namespace+") does not exist")
	case current != nil && current.name != source.name:
		refused = statusError(400, "com.accessg2.ag2rs.streams.source.link.in.use",
			"This link serves the source "+current.name+" already")
	default:
		refused = source.connect(l, m.ReconnectSecret)
	}
	if refused != nil {
		l.server.event(Event{Kind: ConnectRefused, Link: l.id, Source: m.Source, Status: refused.Status, Err: refused})
		l.sendError(refused)
	}
}

// statusError makes an error with one detail. Where the words of the real server are not on record, status, code and
// message are invented.
func statusError(status int, code, message string) *protocol.StatusError {
	return &protocol.StatusError{Status: status, Details: []protocol.Detail{{Code: code, Message: message}}}
}
