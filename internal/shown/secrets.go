package shown

import (
	"net/http"
	"net/url"
	"slices"
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
	for name, values := range header {
		if ordinary(name) {
			continue
		}
		for _, value := range values {
			add(value)
			for i, word := range strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(" ;,", r) }) {
				if _, member, named := strings.Cut(word, "="); named {
					add(member) // of a cookie
				}
				if i > 0 { // behind Bearer, or the like
					add(word)
				}
			}
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
			add(url.QueryEscape(meant))
		}
	}
	slices.Sort(secrets)
	return slices.Compact(secrets)
}

// ordinary reports whether a header of that name holds no secret, but ordinary words.
func ordinary(name string) bool {
	name = http.CanonicalHeaderKey(name)
	return name == "User-Agent" || name == "Content-Type" || strings.HasPrefix(name, "Accept")
}
