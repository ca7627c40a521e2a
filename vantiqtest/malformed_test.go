package vantiqtest_test

import (
	"strings"
	"testing"

	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

func TestWhatNobodyUnderstandsIsShownWithoutSecrets(t *testing.T) {
	var seen recorder
	server := start(t, vantiqtest.WithObserver(seen.observe), vantiqtest.WithToken("the-token"))
	source := server.Source("EchoSource", nil)
	server.Source("Other", nil)
	c := dial(t, server, nil)
	c.send([]byte(`{"object":"the-guess","op":`)) // may be the token of another server
	c.validate("the-token")
	c.send([]byte(`{"resourceId":"EchoSource","the-`))
	c.connect("EchoSource", "the-key")
	hidden := []string{
		`{"op":"validate","object":"another"`, `{"op":"authenticate","object":{"password":"x"`, `{"op":"connectExtension","x":"y"`,
		`{"a":"the-token"`, `{"a":"the-key"`, `{"parameters":{"reconnectSecret":"another"`, `{"object":"the-token"}`,
	}
	for _, text := range hidden {
		c.send([]byte(text))
	}
	long := `{"long":"` + strings.Repeat("x", 1000)
	shown := []string{`{"op":"notification",}`, "\xff\x00", `{"neither":"op nor status"}`, long}
	for _, text := range shown {
		c.send([]byte(text))
	}
	c.silentAfter(source)
	server.Close()

	var bodies []string
	for _, e := range seen.events {
		if e.Kind == vantiqtest.MalformedReceived {
			bodies = append(bodies, string(e.Body))
		}
	}
	want := append(make([]string, 2+len(hidden)), shown...)
	want[len(want)-1] = long[:400] + "…"
	if got, want := strings.Join(bodies, "\n"), strings.Join(want, "\n"); got != want {
		t.Errorf("shown\n%q\nwant\n%q", got, want)
	}
}

func TestIgnoredMessagesSayWhy(t *testing.T) {
	var seen recorder
	server := start(t, vantiqtest.WithObserver(seen.observe))
	source := server.Source("EchoSource", nil)
	c := dial(t, server, nil)
	c.send(protocol.AppendConnectExtension(nil, "EchoSource", "s"))
	c.validate(server.Token())
	c.connect("EchoSource", "s")
	c.send([]byte(`{"status":200,"body":[]}`))
	c.send(protocol.AppendQueryResponse(nil, protocol.ReplyAddress("nobody\n"+strings.Repeat("x", 1000)), 200, nil))
	c.silentAfter(source)
	server.Close()

	var reasons []string
	for _, e := range seen.events {
		if e.Kind == vantiqtest.ConnectIgnored || e.Kind == vantiqtest.StrayReceived {
			reasons = append(reasons, e.Err.Error())
		}
	}
	want := []string{
		"it came before a valid auth token",
		"it has no X-Reply-Address in its headers",
		`its X-Reply-Address "nobody\n` + strings.Repeat("x", 93) + `" is of no query that waits`,
	}
	if got, want := strings.Join(reasons, "\n"), strings.Join(want, "\n"); got != want {
		t.Errorf("said\n%s\nwant\n%s", got, want)
	}
}
