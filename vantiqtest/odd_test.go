package vantiqtest_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// wantOdd closes a server, and compares what it has said is odd. The clients need not answer its close frames.
func wantOdd(t *testing.T, server *vantiqtest.Server, seen *recorder, want ...string) {
	t.Helper()
	server.Stop(vantiqtest.RST)
	server.Close()
	var odd []string
	for _, e := range seen.events {
		if e.Kind == vantiqtest.OddReceived {
			odd = append(odd, e.Source+": "+e.Err.Error())
		}
	}
	if !slices.Equal(odd, want) {
		t.Errorf("the observer was told\n%s\nwant\n%s", strings.Join(odd, "\n"), strings.Join(want, "\n"))
	}
}

// observed starts a server with the source EchoSource, and returns what it tells.
func observed(t *testing.T) (*vantiqtest.Server, *vantiqtest.Source, *recorder) {
	t.Helper()
	seen := new(recorder)
	server := start(t, vantiqtest.WithObserver(seen.observe))
	return server, server.Source("EchoSource", nil), seen
}

func TestOddHandshakeIsTakenAndTold(t *testing.T) {
	server, _, seen := observed(t)
	for _, resource := range []string{``, `"resourceName":null,`, `"resourceName":"nonsense",`, `"resourceName":["sources"],`} {
		c := dial(t, server, nil)
		c.send([]byte(`{"op":"validate",` + resource + `"object":"` + server.Token() + `"}`))
		c.statuses(1)
		c.send([]byte(`{"op":"connectExtension",` + resource + `"resourceId":"EchoSource","parameters":{"reconnectSecret":"s"}}`))
		receive[*protocol.ConfigureExtension](c)
	}
	var want []string
	for range 4 {
		want = append(want, `: validate without the resourceName "system.credentials"`, `EchoSource: connectExtension without the resourceName "sources"`)
	}
	wantOdd(t, server, seen, want...)
}

func TestOddNotificationsAreTakenAndTold(t *testing.T) {
	const (
		start = `{"op":"notification","resourceName":"sources","resourceId":"EchoSource"`
		empty = "EchoSource: notification whose object is no JSON object"
	)
	for frame, want := range map[string]string{
		start + `,"body":{"n":1}}`:                                    empty,
		start + `,"object":null}`:                                     empty,
		start + `,"object":[1]}`:                                      empty,
		start + `,"object":"text"}`:                                   empty,
		`{"op":"notification","resourceId":"EchoSource","object":{}}`: `EchoSource: notification without the resourceName "sources"`,
		`{"op":"notification","resourceName":"x","resourceId":"EchoSource","object":{}}`:                             `EchoSource: notification without the resourceName "sources"`,
		`{"op":"notification","resourceName":"sources","object":{}}`:                                                 "EchoSource: notification without the name of the source as its resourceId",
		`{"op":"notification","resourceName":"sources","resourceId":"Ot\u001bher","object":{}}`:                      `EchoSource: notification for "Ot␛her" on the link of EchoSource`,
		`{"op":"notification","resourceName":"sources","resourceId":"` + strings.Repeat("é", 200) + `","object":{}}`: `EchoSource: notification for "` + strings.Repeat("é", 50) + `…" on the link of EchoSource`,
		`{"op":"notification"}`: `EchoSource: notification without the resourceName "sources"; notification without the name of the source as its resourceId; ` +
			`notification whose object is no JSON object`,
	} {
		t.Run(frame[:min(len(frame), 100)], func(t *testing.T) {
			server, source, seen := observed(t)
			c := connected(t, server, nil, "EchoSource", "s")
			c.send([]byte(frame))
			if got := c.statuses(1); got[0] != 200 || len(source.Notifications()) != 1 {
				t.Errorf("it was answered with %v", got)
			}
			wantOdd(t, server, seen, want)
		})
	}
}

func TestOddAnswersAreTakenAndTold(t *testing.T) {
	const (
		row     = "EchoSource: answer with a row that is no JSON object"
		failure = "EchoSource: error answer whose body has no messageCode and messageTemplate"
	)
	for _, test := range []struct {
		status     int
		body, want string
	}{
		{200, `7`, row},
		{200, `"text"`, row},
		{200, `[{"n":1},"text"]`, row},
		{200, `[[]]`, row},
		{400, ``, failure},
		{400, `"text"`, failure},
		{400, `{"code":"py.bad","message":"no {0}","params":["x"]}`, failure},
		{400, `{"messageCode":"py.bad","message":"no"}`, "EchoSource: error answer whose body has no messageTemplate"},
		{400, `{"messageTemplate":"no"}`, "EchoSource: error answer whose body has no messageCode"},
		{500, `[]`, failure},
	} {
		server, source, seen := observed(t)
		c := connected(t, server, nil, "EchoSource", "s")
		answers := ask(within(t), source, nil)
		c.respond(receive[*protocol.Query](c), test.status, test.body)
		if got := <-answers; (got.err != nil) != (test.status >= 300) {
			t.Errorf("status %d and the body %s: %v", test.status, test.body, got.err)
		}
		wantOdd(t, server, seen, test.want)
	}
}

// What both SDKs and Vantiq's description have is not odd, and neither is what is wrong in another way.
func TestOrdinaryMessagesAreNotOdd(t *testing.T) {
	server, source, seen := observed(t)
	c := connected(t, server, nil, "EchoSource", "s")
	c.send([]byte(`{"address":"","messageHeaders":{},"namespaceName":null,"op":"notification","resourceName":"sources","resourceId":"EchoSource",` +
		`"parameters":null,"object":{},"contentType":"application/json; charset=utf-8","sourceName":"EchoSource"}`))
	c.statuses(1)
	for _, answer := range []struct {
		status int
		body   string
	}{
		{200, ``}, {200, `null`}, {204, `null`}, {204, `7`}, {200, `[]`}, {200, `{"n":1}`}, {200, `[{"n":1},{}]`},
		{400, `{"messageCode":"x","messageTemplate":"y","parameters":null}`},
		{400, `[{"messageCode":"x","messageTemplate":"y","parameters":[]}]`},
	} {
		answers := ask(within(t), source, nil)
		q := receive[*protocol.Query](c)
		c.respond(q, 100, `[]`)
		c.respond(q, answer.status, answer.body)
		<-answers
	}
	for _, frame := range []string{`{`, `{"op":"new"}`, `{"body":[1]}`, `{"op":"publish"}`} {
		c.send([]byte(frame))
	}
	c.notify("EchoSource", `{"last":true}`)
	c.statuses(1)
	wantOdd(t, server, seen)
}
