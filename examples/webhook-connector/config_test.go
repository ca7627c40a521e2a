package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/vantiq-go/connectorsdk/configdoc"
	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/connectortest"
	"github.com/vantiq-go/connectorsdk/protocol"
)

//go:generate go test -run ^TestConfigurationIsDocumented$ . -update

func TestConfigurationIsDocumented(t *testing.T) {
	configdoc.Check[config](t, configdoc.Files{SourceType: "WEBHOOK"})
}

// wrong runs the connector with a configuration that is wrong, and returns what a query is told.
func wrong(t *testing.T, config object) string {
	t.Helper()
	hooks := newHooks(1, nil)
	running := connectortest.Start(t, newHandlers(hooks), connectortest.WithoutWaiting(),
		connectortest.WithSource("a", object{"webhookConfig": config}))
	source := running.Source("a")
	if err := source.WaitConnected(t.Context()); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	_, err := source.Query(t.Context(), object{})
	var failed protocol.QueryError
	if !errors.As(err, &failed) || failed.Code != connector.CodeNotConfigured {
		t.Fatalf("the query got %v", err)
	}
	return failed.Message()
}

func TestAWrongConfigurationIsToldWithEveryPath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		text := wrong(t, object{
			"general": object{
				"path": "/a b", "answerWithin": "90s", "methods": []string{"GET /"}, "headers": []string{"X A", "cookie"},
				"idHeader": "Authorization", "maxBody": 0,
			},
			"signature": object{"scheme": "standard", "secrets": []string{"not base64, and never to be shown"}},
			"requests": object{
				"timeout": "1h", "maxResponse": -1,
				"hosts": object{
					"a": object{"url": "https://user:never-to-be-shown@example.com"},
					"b": object{"url": "https://example.com/path", "headers": object{"X A": "never-to-be-shown"}},
					"c": object{"url": "ftp://example.com"},
					"d": object{"url": "https://example.com"},
					"e": object{"url": "HTTPS://Example.com:443"},
				},
			},
		})
		for _, path := range []string{
			"general.path", "general.answerWithin", "general.methods", "general.headers: list", "general.headers: cookie",
			"general.idHeader", "general.maxBody", "signature: secrets[0]", "requests.timeout", "requests.maxResponse",
			"requests.hosts[a].url", "requests.hosts[b].url", "requests.hosts[b].headers", "requests.hosts[c].url",
			"requests.hosts[e].url: another",
		} {
			if !strings.Contains(text, "webhookConfig."+path) {
				t.Errorf("the query is not told of %s", path)
			}
		}
		if strings.Contains(text, "never") {
			t.Errorf("a secret is shown: %s", text)
		}
	})
}

func TestAConfigurationWithWrongTypesIsToldWithEveryPath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		text := wrong(t, object{
			"general":   object{"answer": "maybe", "maxBody": "many", "pth": "a"},
			"signature": object{"scheme": "gitlab"},
			"requests":  object{"hosts": object{"a": object{}}},
		})
		for _, path := range []string{
			"general.answer", "general.maxBody", "general.pth", "signature.scheme", "signature.secrets: missing", "requests.hosts[a].url: missing",
		} {
			if !strings.Contains(text, "webhookConfig."+path) {
				t.Errorf("the query is not told of %s: %s", path, text)
			}
		}
	})
}

func TestSignatureConfigurations(t *testing.T) {
	for text, signature := range map[string]object{
		"header: name the header": {"scheme": "generic", "secrets": []string{"s"}},
		"secrets: list":           {"scheme": "github", "secrets": []string{}},
		"secrets[1]: not":         {"scheme": "github", "secrets": []string{"s", ""}},
		"tolerance: use 1s":       {"scheme": "slack", "secrets": []string{"s"}, "tolerance": "-1m"},
		"algorithm":               {"scheme": "generic", "secrets": []string{"s"}, "header": "X-A", "algorithm": "md5"},
	} {
		synctest.Test(t, func(t *testing.T) {
			if told := wrong(t, object{"signature": signature}); !strings.Contains(told, text) {
				t.Errorf("%v: %q does not say %q", signature, told, text)
			}
		})
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	document, err := protocol.NewDocument(object{"webhookConfig": object{
		"signature": object{"scheme": "github", "secrets": []string{"the-secret"}},
		"requests":  object{"hosts": object{"a": object{"url": "https://example.com", "headers": object{"Authorization": "the-secret"}}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	c, err := connector.DecodeConfig[config](document)
	if err != nil {
		t.Fatal(err)
	}
	if text := fmt.Sprintf("%+v %#v", c, c.Webhook.Signature.Secrets); strings.Contains(text, "the-secret") {
		t.Error(text)
	}
}
