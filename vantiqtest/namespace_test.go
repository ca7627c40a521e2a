package vantiqtest_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/vantiq-go/connectorsdk/protocol"
)

func TestTokensCanBeChanged(t *testing.T) {
	server := start(t)
	source := server.Source("EchoSource", nil)
	before := dial(t, server, nil)
	before.validate("local-token")
	before.connect("EchoSource", "s")

	server.SetTokens("new", "newer")
	if server.Token() != "new" {
		t.Errorf("Token returns %q", server.Token())
	}
	c := dial(t, server, nil)
	for token, want := range map[string]int{"local-token": 401, "new": 200, "newer": 200, "": 401} {
		c.send(protocol.AppendValidate(nil, protocol.Secret(token)))
		if r := receive[*protocol.Response](c); r.Status != want {
			t.Errorf("%q was answered with %d, want %d", token, r.Status, want)
		}
	}
	if !source.Connected() {
		t.Error("a link that had authenticated is gone")
	}
}

func TestSourcesAreListedByName(t *testing.T) {
	server := start(t)
	for _, name := range []string{"b", "c", "a", "b"} {
		server.Source(name, map[string]any{"name": name})
	}
	var got string
	for _, source := range server.Sources() {
		got += fmt.Sprint(source.Name(), source.Config(), " ")
	}
	if got != `a{"name":"a"} b{"name":"b"} c{"name":"c"} ` {
		t.Errorf("got %s", got)
	}
}

func TestRemovedSourceIsRefused(t *testing.T) {
	server := start(t)
	server.Source("EchoSource", nil)
	c := dial(t, server, nil)
	c.validate(server.Token())
	c.connect("EchoSource", "s")

	server.Remove("EchoSource")
	server.Remove("EchoSource")
	receive[*protocol.ReconnectRequired](c)
	if e := c.refused("EchoSource", "s"); e == nil || e.Status != 404 {
		t.Errorf("refused with %v, want 404", e)
	}
	server.Source("EchoSource", map[string]any{"again": true})
	if config := c.connect("EchoSource", "s"); config.String() != `{"again":true}` {
		t.Errorf("connected with %s", config)
	}
}

func TestLinkTellsWhoCalls(t *testing.T) {
	server := start(t)
	source := server.Source("EchoSource", nil)
	url, err := protocol.TargetURL(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	ws, response, err := websocket.DefaultDialer.Dial(url, http.Header{"User-Agent": {"tester/1"}})
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	c := &client{t, ws}
	t.Cleanup(func() { _ = ws.Close() })
	c.validate(server.Token())
	c.connect("EchoSource", "s")
	if l := source.Link(); l.UserAgent() != "tester/1" || l.RemoteAddr().String() != ws.LocalAddr().String() {
		t.Errorf("called by %q from %s, not from %s", l.UserAgent(), l.RemoteAddr(), ws.LocalAddr())
	}
}
