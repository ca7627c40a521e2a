package vantiqtest_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

func TestDelayAndSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := vantiqtest.NewNetwork()
		server := start(t, vantiqtest.WithNetwork(network))
		source := server.Source("EchoSource", nil)
		server.Inject(vantiqtest.Fault{Op: protocol.OpValidate, Delay: 9 * time.Second})
		source.Inject(vantiqtest.Fault{Op: protocol.OpConnectExtension, Ignore: true, Times: 2})

		c := dial(t, server, network)
		begin := time.Now()
		c.validate(server.Token())
		if took := time.Since(begin); took != 9*time.Second {
			t.Errorf("validate took %v, want 9 s", took)
		}
		for range 2 {
			c.send(protocol.AppendConnectExtension(nil, "EchoSource", "s"))
		}
		synctest.Wait()
		if source.Connected() || len(source.Connects()) != 0 {
			t.Error("an ignored connect counts")
		}
		c.connect("EchoSource", "s")
	})
}

func TestDelayEndsWithTheLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := vantiqtest.NewNetwork()
		server := start(t, vantiqtest.WithNetwork(network))
		source := server.Source("EchoSource", nil)
		c := connected(t, server, network, "EchoSource", "s")
		source.Inject(vantiqtest.Fault{Op: protocol.OpNotification, Delay: time.Hour})
		c.notify("EchoSource", `{}`)
		synctest.Wait()
		begin := time.Now()
		server.Close()
		if took := time.Since(begin); took > time.Second {
			t.Errorf("Close took %v", took)
		}
	})
}

func TestStatusesBeforeTheAnswer(t *testing.T) {
	server := start(t)
	server.Source("EchoSource", nil)
	server.Inject(vantiqtest.Fault{Op: protocol.OpValidate, Statuses: 2})
	server.Inject(vantiqtest.Fault{Op: protocol.OpConnectExtension, Statuses: 12})
	c := dial(t, server, nil)
	c.send(protocol.AppendValidate(nil, protocol.Secret(server.Token())))
	c.statuses(2)
	if r := receive[*protocol.Response](c); r.Body == nil {
		t.Error("the third status is not the answer")
	}
	c.send(protocol.AppendConnectExtension(nil, "EchoSource", "s"))
	if got := c.statuses(12); slices.Max(got) != 200 {
		t.Errorf("got %v", got)
	}
	receive[*protocol.ConfigureExtension](c)
}

func TestAnswerInstead(t *testing.T) {
	server := start(t)
	for _, answer := range []string{`{"status":401,"body":{"message":"no"}}`, `{"status":401,"body":"no"}`, `{"status":503}`, `no JSON`} {
		server.Inject(vantiqtest.Fault{Op: protocol.OpValidate, Answer: answer})
		c := dial(t, server, nil)
		c.send(protocol.AppendValidate(nil, protocol.Secret(server.Token())))
		if _, frame, err := c.read(); err != nil || string(frame) != answer {
			t.Errorf("got %s, %v, want %s", frame, err, answer)
		}
		c.validate(server.Token())
	}
}

func TestCutAtTheNthMessage(t *testing.T) {
	for name, test := range map[string]struct {
		fault vantiqtest.Fault
		want  int // notifications accepted, and acknowledged
		as    func(error) bool
	}{
		"before the third": {vantiqtest.Fault{Op: protocol.OpNotification, Skip: 2, Ignore: true, Drop: vantiqtest.FIN}, 2, closedWith(websocket.CloseAbnormalClosure)},
		"after the third":  {vantiqtest.Fault{Op: protocol.OpNotification, Skip: 2, Drop: 1001}, 3, closedWith(1001)},
		"any, the fourth":  {vantiqtest.Fault{Skip: 4, Drop: vantiqtest.FIN}, 3, closedWith(websocket.CloseAbnormalClosure)}, // validate and connect count
	} {
		t.Run(name, func(t *testing.T) {
			server := start(t)
			source := server.Source("EchoSource", nil)
			server.Inject(test.fault)
			c := connected(t, server, nil, "EchoSource", "s")
			for range test.want {
				c.notify("EchoSource", `{}`)
				c.statuses(1)
			}
			if test.fault.Ignore {
				c.notify("EchoSource", `{}`)
			}
			if err := c.ended(); !test.as(err) {
				t.Errorf("ended with %v", err)
			}
			if n := len(source.Notifications()); n != test.want {
				t.Errorf("%d notifications, want %d", n, test.want)
			}
			connected(t, server, nil, "EchoSource", "s").silent(source) // the fault has stepped aside
		})
	}
}

func TestClosedRightAfterTheHandshakeForEver(t *testing.T) {
	server := start(t)
	source := server.Source("EchoSource", nil)
	remove := source.Inject(vantiqtest.Fault{Op: protocol.OpConnectExtension, Times: -1, Drop: 1012})
	for range 5 {
		c := connected(t, server, nil, "EchoSource", "s")
		if err := c.ended(); !websocket.IsCloseError(err, 1012) {
			t.Errorf("ended with %v", err)
		}
	}
	remove()
	connected(t, server, nil, "EchoSource", "s").silent(source)
	if source.Sessions() != 6 {
		t.Errorf("%d sessions, want 6", source.Sessions())
	}
}

func TestFaultOfASourceLeavesOthersAlone(t *testing.T) {
	server := start(t)
	a, b := server.Source("A", nil), server.Source("B", nil)
	a.Inject(vantiqtest.Fault{Times: -1, Ignore: true})
	c := connected(t, server, nil, "B", "s")
	c.silentAfter(b)
	c = dial(t, server, nil)
	c.validate(server.Token())
	c.send(protocol.AppendConnectExtension(nil, "A", "s"))
	c.validate(server.Token())
	if a.Connected() {
		t.Error("an ignored connect counts")
	}
}

func TestFaultsCombine(t *testing.T) {
	server := start(t)
	source := server.Source("EchoSource", nil)
	c := connected(t, server, nil, "EchoSource", "s")
	source.Inject(vantiqtest.Fault{Op: protocol.OpNotification, Answer: `{"status":400}`})
	source.Inject(vantiqtest.Fault{Op: protocol.OpNotification, Statuses: 1})
	c.notify("EchoSource", `{}`)
	c.notify("EchoSource", `{}`)
	if got := c.statuses(3); !slices.Equal(got, []int{200, 400, 200}) {
		t.Errorf("got %v", got)
	}
}

func TestResponsesCanBeStruck(t *testing.T) {
	server := start(t)
	source := server.Source("EchoSource", nil)
	c := connected(t, server, nil, "EchoSource", "s")
	source.Inject(vantiqtest.Fault{Op: vantiqtest.OpResponse, Ignore: true})
	answers := ask(within(t), source, nil)
	q := receive[*protocol.Query](c)
	c.respond(q, 200, `[{"n":1}]`)
	c.respond(q, 200, `[{"n":2}]`)
	if a := <-answers; len(a.rows) != 1 || a.rows[0].String() != `{"n":2}` {
		t.Errorf("got %v, %v", a.rows, a.err)
	}
}

func TestIntercept(t *testing.T) {
	server := start(t)
	source := server.Source("EchoSource", nil)
	type sight struct {
		link   uint64
		source *vantiqtest.Source
		op     string
	}
	seen := make(chan sight, 10)
	remove := server.Intercept(func(l *vantiqtest.Link, m protocol.Message) bool {
		switch m := m.(type) {
		case *protocol.ConnectExtension:
			seen <- sight{l.ID(), l.Source(), m.Source}
			l.Send(`{"op":"reconnectRequired"}`)
			l.Handle(m)
			l.Send(`{"op":"publish","object":{"after":"the configuration"}}`)
			return true
		case *protocol.Notification:
			seen <- sight{l.ID(), l.Source(), m.Event.String()}
		}
		return false
	})
	c := dial(t, server, nil)
	c.validate(server.Token())
	c.send(protocol.AppendConnectExtension(nil, "EchoSource", "s"))
	receive[*protocol.ReconnectRequired](c)
	receive[*protocol.ConfigureExtension](c)
	receive[*protocol.Publish](c)
	c.notify("EchoSource", `{"n":1}`)
	c.statuses(1)
	if got := <-seen; got != (sight{1, nil, "EchoSource"}) {
		t.Errorf("saw %+v", got)
	}
	if got := <-seen; got != (sight{1, source, `{"n":1}`}) {
		t.Errorf("saw %+v", got)
	}
	remove()
	c.silentAfter(source)
	if len(seen) != 0 {
		t.Error("a removed hook sees messages")
	}
}
