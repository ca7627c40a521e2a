package doctor

import (
	"fmt"
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

// A scheme, and what follows instead of ://. Digits may be a port, after a host with an odd name.
var beginning = regexp.MustCompile(`(?i)^(https?|wss?)(//+|:/?)([^/:0-9])`)

// misspelt says what is wrong with how a target begins, if it is that.
func (t target) misspelt() string {
	parts := beginning.FindStringSubmatch(strings.TrimSpace(string(t)))
	if parts == nil {
		return ""
	}
	missing := "a slash is"
	switch parts[2] {
	case "//":
		missing = "the colon is"
	case ":":
		missing = "two slashes are"
	}
	return fmt.Sprintf("targetServer begins with %q: %s missing, it should begin with %q", parts[1]+parts[2], missing, parts[1]+"://")
}

// doubts returns what is legal and probably not meant.
func (t target) doubts() (doubts []string) {
	doubts = append(doubts, t.misspelt())
	if strings.Contains(string(t), "?") {
		doubts = append(doubts, "it has a query, which is not shown: a connector sends it along when it opens the WebSocket, where gateways write it "+
			"into their logs. Vantiq asks for none: a token belongs in authToken")
	}
	return doubts
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
