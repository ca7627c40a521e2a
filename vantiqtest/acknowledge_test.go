package vantiqtest_test

import (
	"encoding/json"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

func TestAcknowledgements(t *testing.T) {
	refusal := string(protocol.AppendStatusError(nil, &protocol.StatusError{Status: 400}))
	for name, test := range map[string]struct {
		acknowledgements vantiqtest.Acknowledgements
		want             []int // for two notifications and a partial and a final response, the second notification refused
	}{
		"as Vantiq does": {vantiqtest.Acknowledgements{}, []int{200, 400}},
		"none":           {vantiqtest.Acknowledgements{None: true}, []int{400}},
		"twice":          {vantiqtest.Acknowledgements{Twice: true}, []int{200, 200, 400, 400}},
		"responses":      {vantiqtest.Acknowledgements{Responses: true}, []int{200, 400, 200, 200}},
		"all twice":      {vantiqtest.Acknowledgements{Responses: true, Twice: true}, []int{200, 200, 400, 400, 200, 200, 200, 200}},
	} {
		for _, withheld := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				server := start(t)
				source := server.Source("EchoSource", nil)
				c := connected(t, server, nil, "EchoSource", "s")
				test.acknowledgements.Withheld = withheld
				source.SetAcknowledgements(test.acknowledgements)
				source.Inject(vantiqtest.Fault{Op: protocol.OpNotification, Skip: 1, Answer: refusal})
				answers := ask(within(t), source, nil)
				q := receive[*protocol.Query](c)
				c.notify("EchoSource", `{"n":1}`)
				c.notify("EchoSource", `{"n":2}`)
				c.respond(q, 100, `[{"n":1}]`)
				c.respond(q, 204, "")
				if a := <-answers; a.err != nil {
					t.Fatal(a.err)
				}
				if withheld {
					c.silent(source)
					if released := source.ReleaseAcknowledgements(1); released != 1 {
						t.Errorf("released %d, want 1", released)
					}
					if got := c.statuses(1); got[0] != test.want[0] {
						t.Errorf("released %v first, want %d", got, test.want[0])
					}
					if test.acknowledgements.None { // which the next change would forget
						source.ReleaseAcknowledgements(-1)
					}
					source.SetAcknowledgements(vantiqtest.Acknowledgements{})
					test.want = test.want[1:]
				}
				if got := c.statuses(len(test.want)); !slices.Equal(got, test.want) {
					t.Errorf("got statuses %v, want %v", got, test.want)
				}
				c.silent(source)
				if n := len(source.Notifications()); n != 1 {
					t.Errorf("%d notifications were accepted, want 1", n)
				}
			})
		}
	}
}

func TestWithheldAcknowledgementsEndWithTheSession(t *testing.T) {
	server := start(t)
	source := server.Source("EchoSource", nil)
	c := connected(t, server, nil, "EchoSource", "s")
	source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
	c.notify("EchoSource", `{"n":1}`)
	if _, err := source.Notification(within(t)); err != nil {
		t.Fatal(err)
	}
	source.RequireReconnect()
	receive[*protocol.ReconnectRequired](c)
	c.connect("EchoSource", "s")
	if n := source.ReleaseAcknowledgements(-1); n != 0 {
		t.Errorf("released %d of the last session", n)
	}
	c.silent(source)
}

func TestAnErrorThatBelongsToNothing(t *testing.T) {
	server := start(t)
	source := server.Source("EchoSource", nil)
	c := connected(t, server, nil, "EchoSource", "s")
	if err := source.SendRaw(`{"status":500}`); err != nil {
		t.Fatal(err)
	}
	if got := c.statuses(1); got[0] != 500 {
		t.Errorf("got %v", got)
	}
}

// A connector must not believe that Vantiq has what it has not: what a usurped link still brings is not kept, so it is not
// acknowledged either.
func TestWhatAUsurpedLinkStillBringsIsNotAcknowledged(t *testing.T) {
	server := start(t)
	source := server.Source("EchoSource", nil)
	var kept atomic.Int64
	source.HandleNotifications(func(protocol.Document) { kept.Add(1) })
	notification := protocol.AppendNotification(nil, "EchoSource", json.RawMessage(`{}`))
	last := connected(t, server, nil, "EchoSource", "s")
	for range 30 {
		kept.Store(0)
		c := last
		var all sync.WaitGroup
		all.Go(func() {
			for c.ws.WriteMessage(websocket.TextMessage, notification) == nil {
			}
		})
		under, acknowledged := make(chan struct{}), int64(0)
		all.Go(func() {
			for {
				if _, _, err := c.ws.ReadMessage(); err != nil {
					_ = c.ws.Close()
					return
				}
				if acknowledged++; acknowledged == 1 {
					close(under)
				}
			}
		})
		<-under
		last = connected(t, server, nil, "EchoSource", "s")
		all.Wait()
		if n := kept.Load(); acknowledged > n {
			t.Fatalf("%d notifications were acknowledged, %d kept", acknowledged, n)
		}
	}
}

// Late acknowledgements come in their order, and hold nothing else up.
func TestDelayedAcknowledgements(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := vantiqtest.NewNetwork()
		server := start(t, vantiqtest.WithNetwork(network))
		source := server.Source("EchoSource", nil)
		c := connected(t, server, network, "EchoSource", "s")
		source.SetAcknowledgements(vantiqtest.Acknowledgements{Delay: 3 * time.Second, Twice: true})
		began := time.Now()
		c.notify("EchoSource", `{"n":1}`)
		if _, err := source.Notification(within(t)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		c.notify("EchoSource", `{"n":2}`)
		answers := ask(within(t), source, nil)
		c.respond(receive[*protocol.Query](c), 204, "")
		if a := <-answers; a.err != nil || time.Since(began) != time.Second {
			t.Errorf("a query was answered after %s (%v)", time.Since(began), a.err)
		}
		for _, want := range []time.Duration{3 * time.Second, 3 * time.Second, 4 * time.Second, 4 * time.Second} {
			if got := c.statuses(1); got[0] != 200 || time.Since(began) != want {
				t.Errorf("status %d came after %s, want %s", got[0], time.Since(began), want)
			}
		}
		c.notify("EchoSource", `{"n":3}`)
		if _, err := source.Notification(within(t)); err != nil {
			t.Fatal(err)
		}
		if _, err := source.Notification(within(t)); err != nil {
			t.Fatal(err)
		}
		source.SetAcknowledgements(vantiqtest.Acknowledgements{})
		if c.statuses(1); time.Since(began) != 4*time.Second {
			t.Errorf("what was late came after %s, and not at once", time.Since(began))
		}
	})
}
