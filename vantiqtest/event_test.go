package vantiqtest_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// A recorder keeps what an observer sees.
type recorder struct {
	mu     sync.Mutex
	events []vantiqtest.Event
}

func (r *recorder) observe(e vantiqtest.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

func TestObserverSeesEverythingInOrder(t *testing.T) {
	var seen recorder
	server := start(t, vantiqtest.WithObserver(seen.observe), vantiqtest.WithToken("the-token"))
	source := server.Source("EchoSource", map[string]int{"a": 1})

	c := dial(t, server, nil)
	c.send(protocol.AppendConnectExtension(nil, "EchoSource", "the-secret"))
	c.send(protocol.AppendValidate(nil, "the-guess"))
	c.statuses(1)
	c.validate("the-token")
	_ = c.refused("Nowhere", "the-secret")
	c.connect("EchoSource", "the-secret")
	c.silent(source)
	answers := ask(within(t), source, nil)
	q := receive[*protocol.Query](c)
	c.respond(q, 100, `[{"n":1}]`)
	c.respond(q, 400, `{"messageCode":"x","messageTemplate":"y"}`)
	<-answers
	c.respond(q, 204, "")
	c.notify("EchoSource", `{"n":2}`)
	c.statuses(1)
	c.send([]byte("{"))
	c.send([]byte(`{"op":"new"}`))
	_ = c.ws.WriteMessage(websocket.PingMessage, nil)
	c.silentAfter(source)
	source.RequireReconnect()
	receive[*protocol.ReconnectRequired](c)
	source.Reactivating(1)
	_ = c.refused("EchoSource", "the-secret")
	c.connect("EchoSource", "the-secret")
	second := connected(t, server, nil, "EchoSource", "the-secret")
	_ = c.ended()
	_ = second.ws.Close()
	server.Close()

	var kinds []vantiqtest.Kind
	for _, e := range seen.events {
		if e.Link == 1 {
			kinds = append(kinds, e.Kind)
		}
		if text := fmt.Sprintf("%+v %s", e, e.Body); strings.Contains(text, "the-") {
			t.Errorf("an event tells a secret: %s", text)
		}
		if e.Time.IsZero() {
			t.Errorf("an event without a time: %+v", e)
		}
	}
	want := []vantiqtest.Kind{
		vantiqtest.LinkOpened, vantiqtest.ConnectIgnored, vantiqtest.ValidateRejected, vantiqtest.Validated,
		vantiqtest.ConnectRefused, vantiqtest.ConnectAccepted, vantiqtest.Configured, vantiqtest.PublishSent,
		vantiqtest.QuerySent, vantiqtest.PartialReceived, vantiqtest.FinalReceived, vantiqtest.StrayReceived,
		vantiqtest.NotificationReceived, vantiqtest.StatusSent, vantiqtest.MalformedReceived, vantiqtest.UnexpectedReceived,
		vantiqtest.PingReceived, vantiqtest.NotificationReceived, vantiqtest.StatusSent, vantiqtest.PublishSent,
		vantiqtest.ReconnectRequired, vantiqtest.ConnectRefused, vantiqtest.ConnectAccepted, vantiqtest.Configured,
		vantiqtest.Usurped, vantiqtest.LinkClosed,
	}
	if !slices.Equal(kinds, want) {
		t.Errorf("saw\n%q\nwant\n%q", kinds, want)
	}
	for _, e := range seen.events {
		switch e.Kind {
		case vantiqtest.FinalReceived:
			if e.Source != "EchoSource" || e.ReplyAddress != q.ReplyAddress || e.Status != 400 || e.Err == nil || e.Duration <= 0 {
				t.Errorf("final: %+v", e)
			}
		case vantiqtest.Configured:
			if string(e.Body) != `{"a":1}` {
				t.Errorf("configured with %s", e.Body)
			}
		}
	}
}

func TestObserverMayCallTheServer(t *testing.T) {
	var server *vantiqtest.Server
	made := make(chan struct{})
	server = start(t, vantiqtest.WithObserver(func(e vantiqtest.Event) {
		<-made
		if e.Kind == vantiqtest.Configured {
			_ = server.Source(e.Source, nil).Publish(within(t), map[string]string{"hello": e.Source})
		}
	}))
	close(made)
	server.Source("EchoSource", nil)
	c := connected(t, server, nil, "EchoSource", "s")
	if m := receive[*protocol.Publish](c); m.Message.String() != `{"hello":"EchoSource"}` {
		t.Errorf("received %v", m.Message)
	}
}

func TestRefusedUpgradeIsObserved(t *testing.T) {
	var seen recorder
	server := start(t, vantiqtest.WithObserver(seen.observe))
	server.InterceptUpgrade(func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusBadGateway)
		return true
	})
	if _, _, err := tryDial(t, server, nil); err == nil {
		t.Error("the upgrade succeeded")
	}
	probe, err := net.Dial("tcp", strings.TrimPrefix(server.URL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	if err := probe.(*net.TCPConn).CloseWrite(); err != nil { // it asks for nothing
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, probe) // until it is gone
	_ = probe.Close()
	server.Close()
	if len(seen.events) != 1 || seen.events[0].Kind != vantiqtest.UpgradeRefused || seen.events[0].Status != 502 {
		t.Errorf("saw %+v", seen.events)
	}
}

func TestCodeOfTheCloseFrameIsObserved(t *testing.T) {
	var seen recorder
	server := start(t, vantiqtest.WithObserver(seen.observe))
	server.Source("EchoSource", nil)
	orderly := connected(t, server, nil, "EchoSource", "s")
	if err := orderly.ws.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(1001, "")); err != nil {
		t.Fatal(err)
	}
	_ = orderly.ended()
	abrupt := dial(t, server, nil)
	_ = abrupt.ws.Close()
	server.Close()
	codes := map[uint64]int{}
	for _, e := range seen.events {
		if e.Kind == vantiqtest.LinkClosed {
			codes[e.Link] = e.Status
		}
	}
	if len(codes) != 2 || codes[1] != 1001 || codes[2] != 0 {
		t.Errorf("links and their codes: %v", codes)
	}
}

func TestResetByTheServerIsSaidToBeThat(t *testing.T) {
	var seen recorder
	server := start(t, vantiqtest.WithObserver(seen.observe))
	source := server.Source("EchoSource", nil)
	c := connected(t, server, nil, "EchoSource", "s")
	source.Drop(vantiqtest.RST)
	_ = c.ended()
	server.Close()
	last := seen.events[len(seen.events)-1]
	if last.Kind != vantiqtest.LinkClosed || last.Err == nil || last.Err.Error() != "the server broke the connection off" {
		t.Errorf("saw %+v", last)
	}
}
