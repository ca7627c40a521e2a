package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vantiq-go/connectorsdk/protocol"
)

func sign(h func() hash.Hash, secret []byte, text string) []byte {
	mac := hmac.New(h, secret)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

// verifies returns what the verifier of a scheme says about a request at a time.
func verifies(t *testing.T, config signatureConfig, header http.Header, body string, at int64) error {
	t.Helper()
	if config.Tolerance == 0 {
		config.Tolerance = 5 * time.Minute
	}
	v, err := newVerifier(config)
	if err != nil {
		t.Fatal(err)
	}
	return v.verify(header, []byte(body), time.Unix(at, 0))
}

// headers makes a header of names and values.
func headers(pairs ...string) http.Header {
	header := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		header.Add(pairs[i], pairs[i+1])
	}
	return header
}

// The vectors of GitHub, Slack and Standard Webhooks are those of their documentation. Those of Stripe and Shopify were made
// with the algorithm that their documentation describes, which the comments repeat, by another program (openssl dgst -hmac).
func TestSignaturesOfSenders(t *testing.T) {
	const slackBody = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar" +
		"&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=" +
		"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN" +
		"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
	for _, test := range []struct {
		scheme, secret, body string
		header               http.Header
		at                   int64
	}{
		{"github", "It's a Secret to Everybody", "Hello, World!", headers(
			"X-Hub-Signature-256", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"), 0},
		{"slack", "8f742231b10e8888abcd99yyyzzz85a5", slackBody, headers(
			"X-Slack-Request-Timestamp", "1531420618",
			"X-Slack-Signature", "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"), 1531420618},
		// HMAC-SHA256 of "<t>.<body>", in hex.
		{"stripe", "whsec_test", `{"id":"evt_1"}`, headers(
			"Stripe-Signature", "t=1700000000,v1=c89214b5b5da833daed6f0b8c5bb6bd58cea9022bd80ccc78230f3942d632925,v0=6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039989a39"), 1700000100},
		// HMAC-SHA256 of the body, in base64.
		{"shopify", "hush", `{"id":1}`, headers("X-Shopify-Hmac-Sha256", "VnKUjZsLuN5iZWjn5EntcBVCF9kMN43LglzCE1/GSeY="), 0},
		// HMAC-SHA256 of "<id>.<timestamp>.<body>" with the secret's base64 decoded, in base64.
		{"standard", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", `{"test": 2432232314}`, headers(
			"Webhook-Id", "msg_p5jXN8AQM9LWM0D4loKWxJek", "Webhook-Timestamp", "1614265330",
			"Webhook-Signature", "v1a,bm90 v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="), 1614265330},
	} {
		t.Run(test.scheme, func(t *testing.T) {
			config := signatureConfig{Scheme: test.scheme, Secrets: []protocol.Secret{protocol.Secret(test.secret)}}
			if err := verifies(t, config, test.header, test.body, test.at); err != nil {
				t.Errorf("the sender's own request: %v", err)
			}
			if verifies(t, config, test.header, test.body+" ", test.at) == nil {
				t.Error("a request with another body is accepted")
			}
			if verifies(t, config, http.Header{}, test.body, test.at) == nil {
				t.Error("a request without a signature is accepted")
			}
			for name := range test.header {
				changed := test.header.Clone()
				changed.Set(name, changed.Get(name)[:len(changed.Get(name))-4]+"zzzz")
				if test.scheme == "stripe" {
					changed.Set(name, strings.Replace(changed.Get(name), "v1=", "v1=00", 1))
				}
				if verifies(t, config, changed, test.body, test.at) == nil {
					t.Errorf("a request with another %s is accepted", name)
				}
			}

			other := protocol.Secret("whsec_bm90IHRoaXM=")
			config.Secrets = []protocol.Secret{other, protocol.Secret(test.secret)} // while it is replaced
			if err := verifies(t, config, test.header, test.body, test.at); err != nil {
				t.Errorf("one of two secrets: %v", err)
			}
			config.Secrets = []protocol.Secret{other}
			if verifies(t, config, test.header, test.body, test.at) == nil {
				t.Error("a request with another secret's signature is accepted")
			}
		})
	}
}

// A signature with a time is good for a while, so that a request that somebody has seen cannot be sent again for ever.
func TestASignatureWithATimeGrowsOld(t *testing.T) {
	const at = 1_700_000_000
	secret := []byte("s")
	for scheme, header := range map[string]http.Header{
		"stripe": headers("Stripe-Signature", fmt.Sprintf("t=%d,v1=%x", at, sign(sha256.New, secret, fmt.Sprintf("%d.body", at)))),
		"slack": headers("X-Slack-Request-Timestamp", fmt.Sprint(at),
			"X-Slack-Signature", fmt.Sprintf("v0=%x", sign(sha256.New, secret, fmt.Sprintf("v0:%d:body", at)))),
		"standard": headers("Webhook-Id", "1", "Webhook-Timestamp", fmt.Sprint(at),
			"Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(sign(sha256.New, secret, fmt.Sprintf("1.%d.body", at)))),
	} {
		config := signatureConfig{Scheme: scheme, Secrets: []protocol.Secret{"s"}, Tolerance: time.Minute}
		if scheme == "standard" {
			config.Secrets = []protocol.Secret{protocol.Secret(base64.StdEncoding.EncodeToString(secret))}
		}
		for offset, fine := range map[int64]bool{0: true, 60: true, -60: true, 61: false, -61: false, -at: false, 1 << 40: false} {
			if err := verifies(t, config, header, "body", at+offset); (err == nil) != fine {
				t.Errorf("%s, %d seconds later: %v", scheme, offset, err)
			}
		}
		for name := range header {
			if name == "Webhook-Id" || strings.HasSuffix(name, "-Signature") && scheme != "stripe" {
				continue
			}
			odd := header.Clone()
			odd.Set(name, strings.Replace(odd.Get(name), fmt.Sprint(at), "now", 1))
			if verifies(t, config, odd, "body", at) == nil {
				t.Errorf("%s: a time that is no number is accepted", scheme)
			}
		}
	}
}

func TestAGenericSignature(t *testing.T) {
	hashes := map[string]func() hash.Hash{"sha1": sha1.New, "sha256": sha256.New, "sha512": sha512.New}
	encodings := map[string]func([]byte) string{"hex": hex.EncodeToString, "base64": base64.StdEncoding.EncodeToString}
	for algorithm, h := range hashes {
		for encoding, encode := range encodings {
			config := signatureConfig{
				Scheme: "generic", Secrets: []protocol.Secret{"s"}, Header: "x-signature", Prefix: "it=", Algorithm: algorithm, Encoding: encoding,
			}
			signature := encode(sign(h, []byte("s"), "body"))
			if err := verifies(t, config, headers("X-Signature", "it="+signature), "body", 0); err != nil {
				t.Errorf("%s, %s: %v", algorithm, encoding, err)
			}
			for _, wrong := range []string{signature, "it=", "it=" + signature[:8], "it=" + signature + signature, ""} {
				if verifies(t, config, headers("X-Signature", wrong), "body", 0) == nil {
					t.Errorf("%s, %s: %q is accepted", algorithm, encoding, wrong)
				}
			}
		}
	}
}

// The caller does not learn why, the log does, and neither learns the secret; nor does a stranger fill the log.
func TestARefusedSignatureIsExplainedInTheLogOnly(t *testing.T) {
	_, source, hooks := startOne(t, object{"signature": object{"scheme": "github", "secrets": []string{"the-secret"}}})
	var log bytes.Buffer
	hooks.log = slog.New(slog.NewTextHandler(&log, nil))
	for range 100 {
		response := do(hooks, http.MethodPost, "/hooks/a", `{}`, headers("X-Hub-Signature-256", "sha256=00"))
		answer, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != http.StatusUnauthorized || string(answer) != "unauthorized\n" {
			t.Errorf("%s: %s", response.Status, answer)
		}
	}
	text := log.String()
	if !strings.Contains(text, "its signature was not made with one of the secrets") || !strings.Contains(text, "source=a") {
		t.Errorf("the log says %q", text)
	}
	if lines := strings.Count(text, "\n"); lines != 3 {
		t.Errorf("the log has %d lines", lines)
	}
	if strings.Contains(text, "the-secret") {
		t.Errorf("the log shows the secret: %s", text)
	}
	if got := source.Notifications(); len(got) > 0 {
		t.Errorf("what was refused arrived: %v", got)
	}
}

func TestASignedRequestHasTheSendersNamesForIt(t *testing.T) {
	_, source, hooks := startOne(t, object{"signature": object{"scheme": "github", "secrets": []string{"s"}}})
	response := do(hooks, http.MethodPost, "/hooks/a", `{"zen":"…"}`, headers(
		"Content-Type", "application/json", "X-GitHub-Event", "ping", "X-GitHub-Delivery", "72d3162e",
		"X-Hub-Signature-256", fmt.Sprintf("sha256=%x", sign(sha256.New, []byte("s"), `{"zen":"…"}`))))
	if response.StatusCode != http.StatusAccepted {
		t.Fatal(response.Status)
	}
	event := next(t, source)
	if id, shown := member(t, event, "id"), member(t, event, "headers"); id != `"72d3162e"` || shown != `{"x-github-delivery":"72d3162e","x-github-event":"ping"}` {
		t.Errorf("id %s, headers %s", id, shown)
	}
}

func TestSlackIsToldThatSomebodyIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, source, hooks := startOne(t, object{"signature": object{"scheme": "slack", "secrets": []string{"s"}}})
		ask := func(body string) (int, string) {
			now := fmt.Sprint(time.Now().Unix())
			response := do(hooks, http.MethodPost, "/hooks/a", body, headers("Content-Type", "application/json",
				"X-Slack-Request-Timestamp", now, "X-Slack-Signature", fmt.Sprintf("v0=%x", sign(sha256.New, []byte("s"), "v0:"+now+":"+body))))
			text, err := io.ReadAll(response.Body)
			if err != nil {
				t.Error(err)
			}
			return response.StatusCode, string(text)
		}
		if status, text := ask(`{"type":"url_verification","challenge":"3eZb"}`); status != http.StatusOK || text != "3eZb" {
			t.Errorf("the challenge was answered %d %q", status, text)
		}
		if status, text := ask(`{"type":"event_callback"}`); status != http.StatusAccepted || text != "" {
			t.Errorf("an event was answered %d %q", status, text)
		}
		synctest.Wait()
		if got := source.Notifications(); len(got) != 1 || member(t, got[0], "body") != `{"type":"event_callback"}` {
			t.Errorf("%v arrived", got)
		}
	})
}
