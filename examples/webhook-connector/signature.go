package main

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vantiq-go/connectorsdk/protocol"
)

// A verifier tells whether a request was signed with one of the secrets. What is signed is, for every scheme, the body with
// something before it, and how is an HMAC.
type verifier struct {
	secrets   [][]byte
	tolerance time.Duration
	hash      func() hash.Hash
	decode    func(string) ([]byte, error)

	// read finds what a request says about its signature.
	read func(http.Header) (claim, error)
	// handshake answers a request by which the sender only tries whether somebody is there. Most have none: nil.
	handshake func(body []byte) (answer string, ok bool)

	headers  []string // that an event has: what is interesting in the sender's
	idHeader string
}

// A claim is what a request says about its signature.
type claim struct {
	signatures []string // one of them must be right
	before     string   // is signed before the body
	timed      bool
	time       string // in seconds since 1970; if timed
}

// newVerifier returns the verifier of a scheme. An error says which property is wrong.
func newVerifier(config signatureConfig) (*verifier, error) {
	v := &verifier{tolerance: config.Tolerance, hash: sha256.New, decode: hex.DecodeString}
	readSecret := func(s protocol.Secret) ([]byte, error) { return []byte(s), nil }
	switch config.Scheme {
	case "github": // sha256=<hex>
		v.read = plain("X-Hub-Signature-256", "sha256=")
		v.headers = []string{"X-Github-Event", "X-Github-Delivery", "X-Github-Hook-Id"}
		v.idHeader = "X-Github-Delivery"
	case "shopify": // <base64>
		v.read, v.decode = plain("X-Shopify-Hmac-Sha256", ""), base64.StdEncoding.DecodeString
		v.headers = []string{"X-Shopify-Topic", "X-Shopify-Shop-Domain", "X-Shopify-Webhook-Id", "X-Shopify-Event-Id", "X-Shopify-Triggered-At"}
		v.idHeader = "X-Shopify-Webhook-Id"
	case "stripe": // t=<time>,v1=<hex>,v1=<hex>; of "<time>.<body>"
		v.read = readStripe
	case "slack": // v0=<hex>; of "v0:<time>:<body>"
		v.read, v.handshake = readSlack, slackHandshake
		v.headers = []string{"X-Slack-Retry-Num", "X-Slack-Retry-Reason"}
	case "standard": // v1,<base64> v1,<base64>; of "<id>.<time>.<body>"
		v.read, v.decode = readStandard, base64.StdEncoding.DecodeString
		v.headers, v.idHeader = []string{"Webhook-Id", "Webhook-Timestamp"}, "Webhook-Id"
		readSecret = func(s protocol.Secret) ([]byte, error) {
			return base64.StdEncoding.DecodeString(strings.TrimPrefix(string(s), "whsec_"))
		}
	case "generic":
		if !tokenForm.MatchString(config.Header) {
			return nil, errors.New("header: name the header with the signature")
		}
		v.read = plain(config.Header, config.Prefix)
		v.hash = map[string]func() hash.Hash{"sha1": sha1.New, "sha256": sha256.New, "sha512": sha512.New}[config.Algorithm]
		if config.Encoding == "base64" {
			v.decode = base64.StdEncoding.DecodeString
		}
	}
	if len(config.Secrets) == 0 {
		return nil, errors.New("secrets: list at least one")
	}
	for i, secret := range config.Secrets {
		key, err := readSecret(secret)
		if err != nil || len(key) == 0 {
			return nil, fmt.Errorf("secrets[%d]: not a secret of the scheme %s", i, config.Scheme)
		}
		v.secrets = append(v.secrets, key)
	}
	if config.Tolerance < time.Second {
		return nil, errors.New("tolerance: use 1s or more")
	}
	return v, nil
}

// verify returns nil for a request that is signed, and otherwise a reason for the log. The caller does not learn it: it
// would help whoever guesses.
func (v *verifier) verify(header http.Header, body []byte, now time.Time) error {
	c, err := v.read(header)
	if err != nil {
		return err
	}
	if c.timed {
		seconds, err := strconv.ParseInt(c.time, 10, 64)
		if err != nil {
			return errors.New("the time of its signature is not a number")
		}
		if age := now.Sub(time.Unix(seconds, 0)); age.Abs() > v.tolerance {
			return fmt.Errorf("its signature is %v old, and may be %v", age.Round(time.Second), v.tolerance)
		}
	}
	for _, secret := range v.secrets {
		mac := hmac.New(v.hash, secret)
		mac.Write([]byte(c.before))
		mac.Write(body)
		want := mac.Sum(nil)
		if slices.ContainsFunc(c.signatures, func(signature string) bool {
			got, err := v.decode(signature)
			return err == nil && hmac.Equal(got, want)
		}) {
			return nil
		}
	}
	return errors.New("its signature was not made with one of the secrets")
}

// plain reads a signature of the body alone.
func plain(name, prefix string) func(http.Header) (claim, error) {
	return func(header http.Header) (claim, error) {
		signature, ok := strings.CutPrefix(header.Get(name), prefix)
		if !ok || signature == "" {
			return claim{}, fmt.Errorf("it has no header %s: %s…", name, prefix)
		}
		return claim{signatures: []string{signature}}, nil
	}
}

func readStripe(header http.Header) (claim, error) {
	c := claim{timed: true}
	for element := range strings.SplitSeq(header.Get("Stripe-Signature"), ",") {
		switch key, value, _ := strings.Cut(strings.TrimSpace(element), "="); key {
		case "t":
			c.time = value
		case "v1":
			c.signatures = append(c.signatures, value)
		}
	}
	if c.time == "" || len(c.signatures) == 0 {
		return c, errors.New("it has no header Stripe-Signature: t=…,v1=…")
	}
	c.before = c.time + "."
	return c, nil
}

func readSlack(header http.Header) (claim, error) {
	c, err := plain("X-Slack-Signature", "v0=")(header)
	c.timed, c.time = true, header.Get("X-Slack-Request-Timestamp")
	c.before = "v0:" + c.time + ":"
	return c, err
}

func readStandard(header http.Header) (claim, error) {
	c := claim{timed: true, time: header.Get("Webhook-Timestamp")}
	for element := range strings.FieldsSeq(header.Get("Webhook-Signature")) {
		if signature, ok := strings.CutPrefix(element, "v1,"); ok {
			c.signatures = append(c.signatures, signature)
		}
	}
	id := header.Get("Webhook-Id")
	if id == "" || len(c.signatures) == 0 {
		return c, errors.New("it has no headers webhook-id, and webhook-signature: v1,…")
	}
	c.before = id + "." + c.time + "."
	return c, nil
}

// answersItself returns the answer to a request that is not meant for Vantiq.
func (v *verifier) answersItself(body []byte) (answer string, ok bool) {
	if v.handshake == nil {
		return "", false
	}
	return v.handshake(body)
}

// slackHandshake answers the request by which Slack checks a URL that it is given.
func slackHandshake(body []byte) (answer string, ok bool) {
	var request struct{ Type, Challenge string }
	if json.Unmarshal(body, &request) != nil || request.Type != "url_verification" {
		return "", false
	}
	return request.Challenge, true
}
