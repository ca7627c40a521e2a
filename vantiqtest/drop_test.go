package vantiqtest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

func TestDrop(t *testing.T) {
	for _, test := range []struct {
		how  vantiqtest.Drop
		as   func(error) bool
		sent bool // what was sent before is certain to arrive
	}{
		{1000, closedWith(1000), true},
		{1001, closedWith(1001), true},
		{1012, closedWith(1012), true},
		{4000, closedWith(4000), true},
		{vantiqtest.FIN, closedWith(websocket.CloseAbnormalClosure), true},
		{vantiqtest.RST, func(err error) bool { return errors.Is(err, syscall.ECONNRESET) }, false},
	} {
		for _, network := range []*vantiqtest.Network{nil, vantiqtest.NewNetwork()} {
			t.Run(fmt.Sprintf("%v/memory=%t", test.how, network != nil), func(t *testing.T) {
				server := start(t, vantiqtest.WithNetwork(network))
				source := server.Source("EchoSource", nil)
				c := connected(t, server, network, "EchoSource", "s")
				link := source.Link()
				if test.sent {
					if err := source.Publish(within(t), map[string]int{"n": 1}); err != nil {
						t.Fatal(err)
					}
				}
				if !source.Drop(test.how) || source.Connected() {
					t.Error("the source is still connected")
				}
				<-link.Done()
				wantCode(t, source.Publish(within(t), map[string]int{"n": 2}), notFound)
				if test.sent {
					if m := receive[*protocol.Publish](c); m.Message.String() != `{"n":1}` {
						t.Errorf("received %v", m.Message)
					}
				}
				if err := c.ended(); !test.as(err) {
					t.Errorf("the link ended with %v", err)
				}
				link.Drop(vantiqtest.RST) // once more is fine
				connected(t, server, network, "EchoSource", "s")
			})
		}
	}
}

func closedWith(code int) func(error) bool {
	return func(err error) bool { return websocket.IsCloseError(err, code) }
}

func TestWhatArrivesBeforeTheCloseIsAnsweredCounts(t *testing.T) {
	for how, want := range map[vantiqtest.Drop]int{1001: 2, vantiqtest.FIN: 1, vantiqtest.RST: 1} {
		t.Run(how.String(), func(t *testing.T) {
			closed := make(chan vantiqtest.Event, 1)
			server := start(t, vantiqtest.WithObserver(func(e vantiqtest.Event) {
				if e.Kind == vantiqtest.LinkClosed {
					closed <- e
				}
			}))
			source := server.Source("EchoSource", nil)
			c := connected(t, server, nil, "EchoSource", "s")
			c.notify("EchoSource", `{"n":1}`)
			c.statuses(1)
			source.Drop(how)
			_ = c.ws.WriteMessage(websocket.TextMessage, protocol.AppendNotification(nil, "EchoSource", []byte(`{"n":2}`)))
			_ = c.ended()
			_ = c.ws.Close()
			<-closed
			if n := len(source.Notifications()); n != want {
				t.Errorf("%d notifications counted, want %d", n, want)
			}
		})
	}
}

func TestAClientThatDoesNotAnswerTheCloseFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := vantiqtest.NewNetwork()
		server := start(t, vantiqtest.WithNetwork(network))
		server.Source("EchoSource", nil)
		connected(t, server, network, "EchoSource", "s")
		begin := time.Now()
		server.Close()
		if took := time.Since(begin); took != time.Second {
			t.Errorf("Close took %v, want 1 s", took)
		}
	})
}

func TestVanish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := vantiqtest.NewNetwork()
		server := start(t, vantiqtest.WithNetwork(network))
		source := server.Source("EchoSource", nil)
		c := connected(t, server, network, "EchoSource", "s")
		source.Drop(vantiqtest.Vanish)

		if !source.Connected() {
			t.Error("Vantiq does not know of a half open link")
		}
		for range 1000 {
			if err := source.Publish(within(t), map[string]string{"into": "the void"}); err != nil {
				t.Fatal(err)
			}
		}
		c.notify("EchoSource", `{"into":"the void"}`)
		_ = c.ws.WriteControl(websocket.PingMessage, nil, time.Time{})
		_ = c.ws.SetReadDeadline(time.Now().Add(time.Hour))
		if _, frame, err := c.ws.ReadMessage(); err == nil || !isTimeout(err) {
			t.Errorf("received %s, %v, want nothing for an hour", frame, err)
		}
		if n := len(source.Notifications()); n != 0 {
			t.Errorf("%d notifications came through", n)
		}
		_ = c.ws.Close()

		stranger := dial(t, server, network)
		stranger.validate(server.Token())
		if e := stranger.refused("EchoSource", "another"); e == nil || e.Status != 409 {
			t.Errorf("a stranger was refused with %v, want 409", e)
		}
		connected(t, server, network, "EchoSource", "s").silent(source)
	})
}

func isTimeout(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}

func TestVanishedLinkStaysOpenOverTCP(t *testing.T) {
	server := start(t)
	source := server.Source("EchoSource", nil)
	c := connected(t, server, nil, "EchoSource", "s")
	source.Drop(vantiqtest.Vanish)
	second := connected(t, server, nil, "EchoSource", "s") // usurps the session of the vanished link
	_ = c.ws.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if _, _, err := c.ws.ReadMessage(); err == nil || !isTimeout(err) {
		t.Errorf("the vanished link shows %v, want nothing", err)
	}
	_ = second.ws.Close()
	server.Close()
	_ = c.ws.NetConn().SetReadDeadline(time.Now().Add(patience))
	if _, err := c.ws.NetConn().Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("after the server was closed the link shows %v, want its end", err)
	}
}

func TestOutage(t *testing.T) {
	for _, network := range []*vantiqtest.Network{nil, vantiqtest.NewNetwork()} {
		t.Run(fmt.Sprintf("memory=%t", network != nil), func(t *testing.T) {
			server := start(t, vantiqtest.WithNetwork(network))
			server.Source("EchoSource", nil)
			for n := range 3 {
				c := connected(t, server, network, "EchoSource", "s")
				url := server.URL()
				server.Stop(1012)
				server.Stop(1012) // nothing is left to stop
				if err := c.ended(); !websocket.IsCloseError(err, websocket.CloseServiceRestart) {
					t.Errorf("the link ended with %v", err)
				}
				if _, _, err := tryDial(t, server, network); !errors.Is(err, syscall.ECONNREFUSED) {
					t.Errorf("a dial in the outage fails with %v, want connection refused", err)
				}
				server.Start()
				server.Start() // it runs already
				if server.URL() != url {
					t.Errorf("the URL has changed from %s to %s", url, server.URL())
				}
				if dials := server.Dials(); len(dials) != n+1 {
					t.Errorf("%d dials arrived, want %d", len(dials), n+1)
				}
			}
		})
	}
}

func TestStopWithoutDropRefusesOnly(t *testing.T) {
	server := start(t)
	source := server.Source("EchoSource", nil)
	c := connected(t, server, nil, "EchoSource", "s")
	server.Stop(0)
	if _, _, err := tryDial(t, server, nil); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a dial fails with %v, want connection refused", err)
	}
	c.silent(source)
}

func TestOutageBeforeTheUpgrade(t *testing.T) {
	server := start(t)
	asked := make(chan context.Context, 1)
	server.InterceptUpgrade(silentUpgrade(asked))
	failed := make(chan error)
	go func() {
		_, _, err := tryDial(t, server, nil)
		failed <- err
	}()
	<-asked
	server.Stop(1001)
	if err := <-failed; err == nil {
		t.Error("the upgrade succeeded")
	}
}
