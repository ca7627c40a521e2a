package doctor

import (
	"net/http"
	"slices"

	"github.com/vantiq-go/connectorsdk/internal/dial"
	"github.com/vantiq-go/connectorsdk/protocol"
)

// A server, a proxy or a certificate may repeat a secret. What they say is said only as one of these functions returns it;
// doctor's own words hold no secrets, and stay as they are even if one is a word like "server".

const telling = 3 // shorter secrets are in every text

// hide keeps secrets out of what others say.
func (x *examination) hide(secrets ...protocol.Secret) {
	for _, secret := range secrets {
		if len(secret) >= telling {
			x.hidden = append(x.hidden, secret)
		}
	}
	// The longest first: one may hold another, and would not be found without that.
	slices.SortStableFunc(x.hidden, func(a, b protocol.Secret) int { return len(b) - len(a) })
}

// foreign returns what somebody else says, without secrets.
func (x *examination) foreign(text string) string {
	for _, secret := range x.hidden {
		text = secret.Redact(text)
	}
	return text
}

// refusal returns what Vantiq says, without secrets.
func (x *examination) refusal(refused *protocol.StatusError) *protocol.StatusError {
	return refused.Redact(x.hidden...)
}

// tunnel returns what a proxy says, without secrets.
func (x *examination) tunnel(refused *dial.TunnelError) *dial.TunnelError {
	said := *refused
	said.Status = x.foreign(said.Status)
	return &said
}

// response returns what an HTTP server says, without secrets but for the body.
func (x *examination) response(said *http.Response) *http.Response {
	r := *said
	r.Status = x.foreign(said.Status)
	r.Header = said.Header.Clone()
	for _, name := range []string{"Location", "Server"} {
		if text := r.Header.Get(name); text != "" {
			r.Header.Set(name, x.foreign(text))
		}
	}
	return &r
}
