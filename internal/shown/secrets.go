package shown

import (
	"net/http"
	"net/url"
	"strings"
)

// Secrets returns what may be one among what is sent to a server to open a WebSocket: the values of the header and those in
// the query of the target, as they are written and as they are meant. A server may repeat them. Those of fewer bytes than
// least are left out: whoever hides them hides ordinary words.
func Secrets(target string, header http.Header, least int) (secrets []string) {
	add := func(value string) {
		if len(value) >= least {
			secrets = append(secrets, value)
		}
	}
	for _, values := range header {
		for _, value := range values {
			add(value)
		}
	}
	_, query, _ := strings.Cut(strings.TrimSpace(target), "?")
	query, _, _ = strings.Cut(query, "#")
	for pair := range strings.SplitSeq(query, "&") {
		_, value, named := strings.Cut(pair, "=")
		if !named {
			value = pair
		}
		add(value)
		if meant, err := url.QueryUnescape(value); err == nil && meant != value {
			add(meant)
		}
	}
	return secrets
}
