package doctor

import (
	"net/url"
	"regexp"
	"strings"

	"github.com/vantiq-go/connectorsdk/connectorset"
	"github.com/vantiq-go/connectorsdk/protocol"
)

// A target is a targetServer as it is written, which need not be a URL.
type target string

var userInfo = regexp.MustCompile(`[^/@]*@`)

// String returns as much of the target as may be shown: not its query, which may hold a secret, nor what stands before
// an @, wherever that is.
func (t target) String() string {
	address, _, _ := strings.Cut(strings.TrimSpace(string(t)), "?")
	return userInfo.ReplaceAllString(address, "[redacted]@")
}

// secrets returns what the query may hold of them, as it is written and as it is meant.
func (t target) secrets() (secrets []protocol.Secret) {
	_, query, _ := strings.Cut(strings.TrimSpace(string(t)), "?")
	query, _, _ = strings.Cut(query, "#")
	for pair := range strings.SplitSeq(query, "&") {
		_, value, named := strings.Cut(pair, "=")
		if !named {
			value = pair
		}
		secrets = append(secrets, protocol.Secret(value))
		if meant, err := url.QueryUnescape(value); err == nil {
			secrets = append(secrets, protocol.Secret(meant))
		}
	}
	return secrets
}

// doubt returns what is legal and probably not meant.
func (t target) doubt() string {
	if strings.Contains(string(t), "?") {
		return "it has a query, which is not shown: a connector sends it along when it opens the WebSocket, where gateways write it " +
			"into their logs. Vantiq asks for none: a token belongs in authToken"
	}
	return ""
}

// about returns what a problem says, without what may not be shown of a targetServer.
func about(p *connectorset.ConfigError) string {
	if p.Key != "targetServer" {
		return p.Error()
	}
	shown := *p
	shown.Value = target(p.Value).String()
	return shown.Error()
}
