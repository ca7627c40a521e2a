package main

import (
	"errors"
	"fmt"
	"maps"
	"net/textproto"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/vantiq-go/connectorsdk/protocol"
)

// config is the configuration that a source has in Vantiq. Everything in it is optional.
type config struct {
	Webhook struct {
		General   generalConfig    `json:"general,omitzero"`
		Signature *signatureConfig `json:"signature" jsonschema:"how requests are signed; without it, anybody's are taken"`
		Requests  requestsConfig   `json:"requests,omitzero"`
	} `json:"webhookConfig,omitzero"`
}

// generalConfig says which requests are taken, and how they are answered.
type generalConfig struct {
	Path         string        `json:"path,omitempty" jsonschema:"requests come to /hooks/ and this; by default the source's name"`
	Answer       string        `json:"answer" enum:"accepted, acknowledged" default:"accepted" jsonschema:"accepted: 202 as soon as the request is on the connector's disk; acknowledged: 200 when Vantiq has it"`
	AnswerWithin time.Duration `json:"answerWithin" default:"10s" jsonschema:"how long to wait for Vantiq with the answer acknowledged; at most 60s"`
	Methods      []string      `json:"methods" default:"[\"POST\"]" jsonschema:"the methods that are taken"`
	ContentTypes []string      `json:"contentTypes,omitempty" jsonschema:"the content types that are taken, like application/json; by default all"`
	Headers      []string      `json:"headers,omitempty" jsonschema:"the headers that events have beside those of the signature's scheme"`
	IDHeader     string        `json:"idHeader,omitempty" jsonschema:"the header that tells one delivery from another; by default the scheme's"`
	MaxBody      int           `json:"maxBody" default:"131072" jsonschema:"the largest body in bytes"`
}

// signatureConfig says how requests are signed.
type signatureConfig struct {
	Scheme    string            `json:"scheme" enum:"github, stripe, slack, shopify, standard, generic" jsonschema:"whose way of signing; standard is that of Standard Webhooks, generic is described by header, algorithm, encoding and prefix"`
	Secrets   []protocol.Secret `json:"secrets" jsonschema:"one of these must have signed a request; several while one replaces another"`
	Tolerance time.Duration     `json:"tolerance" default:"5m" jsonschema:"how old, or early, a signature with a time may be"`
	Header    string            `json:"header,omitempty" jsonschema:"generic: the header with the signature"`
	Algorithm string            `json:"algorithm" enum:"sha1, sha256, sha512" default:"sha256" jsonschema:"generic: the hash function of the HMAC of the body"`
	Encoding  string            `json:"encoding" enum:"hex, base64" default:"hex" jsonschema:"generic: how the header has it"`
	Prefix    string            `json:"prefix,omitempty" jsonschema:"generic: what stands before it in the header, like sha256="`
}

// requestsConfig says which requests queries and publishes may make.
type requestsConfig struct {
	Hosts       map[string]hostConfig `json:"hosts,omitempty" jsonschema:"the hosts that requests may go to, by the names that queries call them"`
	Timeout     time.Duration         `json:"timeout" default:"30s" jsonschema:"how long a request may take, its answer included"`
	MaxResponse int                   `json:"maxResponse" default:"1048576" jsonschema:"the largest body of an answer in bytes"`
}

// hostConfig is a host that requests may go to.
type hostConfig struct {
	URL     string                     `json:"url" jsonschema:"scheme, host and port, like https://api.example.com"`
	Headers map[string]protocol.Secret `json:"headers,omitempty" jsonschema:"what every request to it has, like its credentials"`
	Private bool                       `json:"private,omitempty" jsonschema:"it may have an address of a private network, or of this machine"`
}

// The figures that a configuration may not exceed.
const (
	maxAnswerWithin = time.Minute
	maxTimeout      = 2 * time.Minute // the time limit of a query
	maxBytes        = 16 << 20
)

var (
	pathForm  = regexp.MustCompile(`^[A-Za-z0-9._~-]+(/[A-Za-z0-9._~-]+)*$`)
	tokenForm = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$") // of a header's name, and of a method
)

// Validate is called by DecodeConfig.
func (c config) Validate() error {
	var p problems
	general, requests := c.Webhook.General, c.Webhook.Requests
	p.add(general.Path == "" || pathForm.MatchString(general.Path), "general.path", "use letters, digits and . _ ~ - between slashes")
	p.add(between(general.AnswerWithin, maxAnswerWithin), "general.answerWithin", "use 1ms to 60s")
	p.add(len(general.Methods) > 0 && allTokens(general.Methods), "general.methods", "list methods like POST")
	p.add(allTokens(general.Headers), "general.headers", "list names of headers")
	for _, name := range general.Headers {
		p.add(!isCredential(name), "general.headers", name+" holds a secret, and is not shown")
	}
	p.add(general.IDHeader == "" || tokenForm.MatchString(general.IDHeader) && !isCredential(general.IDHeader), "general.idHeader", "name a header that holds no secret")
	p.add(0 < general.MaxBody && general.MaxBody <= maxBytes, "general.maxBody", "use 1 to 16777216")
	if signature := c.Webhook.Signature; signature != nil {
		_, err := newVerifier(*signature)
		p.add(err == nil, "signature", fmt.Sprint(err))
	}
	p.add(between(requests.Timeout, maxTimeout), "requests.timeout", "use 1ms to 2m")
	p.add(0 < requests.MaxResponse && requests.MaxResponse <= maxBytes, "requests.maxResponse", "use 1 to 16777216")
	var hosts []*url.URL
	for _, name := range slices.Sorted(maps.Keys(requests.Hosts)) {
		host, path := requests.Hosts[name], "requests.hosts["+name+"]"
		base, err := parseHost(host.URL)
		p.add(err == nil, path+".url", fmt.Sprint(err))
		if err == nil { // a redirect must know whose headers it gets
			isSame := func(other *url.URL) bool { return sameHost(base, other) }
			p.add(!slices.ContainsFunc(hosts, isSame), path+".url", "another name has this host already")
			hosts = append(hosts, base)
		}
		p.add(allTokens(slices.Collect(maps.Keys(host.Headers))), path+".headers", "these are not names of headers")
	}
	return errors.Join(p...)
}

type problems []error

// add notes what is wrong with a property, unless it is fine.
func (p *problems) add(fine bool, path, whatToDo string) {
	if !fine {
		*p = append(*p, fmt.Errorf("webhookConfig.%s: %s", path, whatToDo))
	}
}

func between(d, most time.Duration) bool { return time.Millisecond <= d && d <= most }

func allTokens(names []string) bool {
	return !slices.ContainsFunc(names, func(name string) bool { return !tokenForm.MatchString(name) })
}

// isCredential reports whether a header proves who somebody is. Such headers neither become part of an event, nor are they
// taken from a query.
func isCredential(name string) bool {
	switch textproto.CanonicalMIMEHeaderKey(name) {
	case "Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie":
		return true
	}
	return false
}

// parseHost reads what a host's url may say: a scheme, a host and perhaps a port.
func parseHost(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || *u != (url.URL{Scheme: u.Scheme, Host: u.Host}) {
		return nil, errors.New("write scheme, host and port, and nothing more, like https://api.example.com:8443") // without the text, which may hold a password
	}
	u.Host = strings.ToLower(u.Host)
	return u, nil
}
