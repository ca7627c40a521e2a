package vantiqtest_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

func TestTokenIsChecked(t *testing.T) {
	server := start(t, vantiqtest.WithToken("K1x…="))
	server.Source("EchoSource", nil)
	c := dial(t, server, nil)
	c.send(protocol.AppendValidate(nil, "guess"))
	r := receive[*protocol.Response](c)
	if r.Status != 401 || !strings.HasPrefix(string(r.Body), `[{"code":"authFailure","message":"invalid authToken"`) {
		t.Errorf("a wrong token was answered with %d %s", r.Status, r.Body)
	}
	c.validate("K1x…=")
	c.connect("EchoSource", "s")
}

func TestUsersAreUnknown(t *testing.T) {
	c := dial(t, start(t), nil)
	c.send([]byte(`{"op":"authenticate","resourceName":"system.credentials","object":{"username":"u","password":"p"}}`))
	if r := receive[*protocol.Response](c); r.Status != 401 {
		t.Errorf("authenticate was answered with %d", r.Status)
	}
}

func TestConnectBeforeAuthenticationIsIgnored(t *testing.T) {
	server := start(t)
	source := server.Source("EchoSource", nil)
	c := dial(t, server, nil)
	c.send(protocol.AppendConnectExtension(nil, "EchoSource", "s"))
	c.validate(server.Token())
	if source.Connected() || len(source.Connects()) != 0 {
		t.Errorf("connected: %t, connects: %v", source.Connected(), source.Connects())
	}
	c.connect("EchoSource", "s")
}

func TestUndeclaredSourceIsRefused(t *testing.T) {
	server := start(t)
	c := dial(t, server, nil)
	c.validate(server.Token())
	if e := c.refused("EchoSource", "s"); e == nil || e.Status != 404 {
		t.Errorf("refused with %v, want 404", e)
	}
	server.Source("EchoSource", nil)
	c.connect("EchoSource", "s")
}

func TestOneLinkServesOneSource(t *testing.T) {
	server := start(t)
	server.Source("A", nil)
	b := server.Source("B", nil)
	c := connected(t, server, nil, "A", "s")
	if e := c.refused("B", "s"); e == nil || e.Status != 400 || b.Connected() {
		t.Errorf("refused with %v, want 400", e)
	}
}

func TestConfigurationReachesTheConnector(t *testing.T) {
	server := start(t)
	source := server.Source("EchoSource", map[string]any{"id": int64(1)<<60 + 1})
	if again := server.Source("EchoSource", map[string]any{"other": 1}); again != source {
		t.Error("Source made a second source of the same name")
	}
	c := dial(t, server, nil)
	c.validate(server.Token())
	if config := c.connect("EchoSource", "s"); config.String() != `{"id":1152921504606846977}` {
		t.Errorf("configured with %v", config)
	}
	if err := source.WaitConnected(within(t)); err != nil || source.Sessions() != 1 {
		t.Errorf("error %v, %d sessions", err, source.Sessions())
	}
}

// A connector that refuses members it does not know works here as little as with Vantiq.
func TestMembersOfNoUseArriveAsFromVantiq(t *testing.T) {
	server := start(t)
	source := server.Source("EchoSource", nil)
	c := dial(t, server, nil)
	c.validate(server.Token())
	c.send(protocol.AppendConnectExtension(nil, "EchoSource", "s"))
	const common = `"contentType":"application/json","messageHeaders":{},"address":"[0-9a-f-]{36}"}$`
	for _, members := range []string{`"isSystemResource":true,"parameters":{},"skipMonitoring":false,"isExternal":false,`, ``} {
		_, frame, err := c.read()
		if err != nil || !regexp.MustCompile(`},`+members+common).Match(frame) {
			t.Fatalf("received %s, %v; want it to end with %s%s", frame, err, members, common)
		}
		if err := source.Publish(within(t), map[string]int{"n": 1}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestConfigurationMustBeAnObject(t *testing.T) {
	server := start(t)
	for _, config := range []any{[]int{1}, "text", func() {}} {
		func() {
			defer func() {
				if p := fmt.Sprint(recover()); !strings.Contains(p, "configuration of source EchoSource") {
					t.Errorf("Source with %T panics with %s", config, p)
				}
			}()
			server.Source("EchoSource", config)
		}()
	}
}

func TestPublishesArriveInOrder(t *testing.T) {
	server := start(t)
	source := server.Source("EchoSource", nil)
	c := connected(t, server, nil, "EchoSource", "s")
	const count = 5000
	failed := make(chan error, 1)
	go func() {
		for i := range count {
			if err := source.Publish(within(t), map[string]int{"n": i}); err != nil {
				failed <- err
				return
			}
		}
		failed <- nil
	}()
	for i := range count {
		if m := receive[*protocol.Publish](c); m.Message.String() != fmt.Sprintf(`{"n":%d}`, i) || m.Source != "EchoSource" {
			t.Fatalf("message %d is %v", i, m.Message)
		}
	}
	if err := <-failed; err != nil {
		t.Error(err)
	}
}

func TestNobodyConnected(t *testing.T) {
	server := start(t)
	source := server.Source("EchoSource", nil)
	wantCode(t, source.Publish(within(t), map[string]int{}), notFound)
	_, err := source.Query(within(t), nil)
	wantCode(t, err, notFound)
	wantCode(t, source.SendRaw("{}"), notFound)
	if want := "The EXTENSION source EchoSource (namespace local) has no associated session for operation query"; !strings.Contains(err.Error(), want) {
		t.Errorf("%v does not say %q", err, want)
	}
	if source.Drop(vantiqtest.FIN) {
		t.Error("Drop says that there was a link")
	}
}

func TestPublishAndQueryTakeObjectsOnly(t *testing.T) {
	server := start(t)
	source := server.Source("EchoSource", nil)
	if err := source.Publish(within(t), []int{1}); err == nil || !strings.Contains(err.Error(), "publish to source EchoSource") {
		t.Errorf("Publish of a list: %v", err)
	}
	if _, err := source.Query(within(t), 1); err == nil || !strings.Contains(err.Error(), "query of source EchoSource") {
		t.Errorf("Query with a number: %v", err)
	}
}

func TestNotifications(t *testing.T) {
	server := start(t)
	source := server.Source("EchoSource", nil)
	c := connected(t, server, nil, "EchoSource", "s")
	for i := range 4 {
		c.notify("EchoSource", fmt.Sprintf(`{"n":%d}`, i))
	}
	if got := c.statuses(4); !slices.Equal(got, []int{200, 200, 200, 200}) {
		t.Errorf("acknowledged with %v", got)
	}
	if event, err := source.Notification(within(t)); err != nil || event.String() != `{"n":0}` {
		t.Errorf("got %v, %v", event, err)
	}
	if events := source.Notifications(); fmt.Sprint(events) != `[{"n":1} {"n":2} {"n":3}]` {
		t.Errorf("got %v", events)
	}
	if events := source.Notifications(); len(events) != 0 {
		t.Errorf("got %v again", events)
	}
}

func TestNotificationWaits(t *testing.T) {
	server := start(t)
	source := server.Source("EchoSource", nil)
	ctx, cancel := context.WithCancel(within(t))
	cancel()
	if _, err := source.Notification(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want canceled", err)
	}
	c := connected(t, server, nil, "EchoSource", "s")
	got := make(chan error)
	go func() {
		event, err := source.Notification(within(t))
		if err == nil && event.String() != `{"late":true}` {
			err = errors.New(event.String())
		}
		got <- err
	}()
	c.notify("EchoSource", `{"late":true}`)
	if err := <-got; err != nil {
		t.Error(err)
	}
}

func TestHandleNotifications(t *testing.T) {
	server := start(t)
	source := server.Source("EchoSource", nil)
	c := connected(t, server, nil, "EchoSource", "s")
	handled := make(chan string, 1)
	source.HandleNotifications(func(event protocol.Document) { handled <- event.String() })
	c.notify("EchoSource", `{"n":1}`)
	if got := <-handled; got != `{"n":1}` {
		t.Errorf("handled %s", got)
	}
	c.statuses(1)
	source.HandleNotifications(nil)
	c.notify("EchoSource", `{"n":2}`)
	c.statuses(1)
	if events := source.Notifications(); fmt.Sprint(events) != `[{"n":2}]` {
		t.Errorf("kept %v", events)
	}
}

func TestReconfigureOnTheSameLink(t *testing.T) {
	server := start(t)
	source := server.Source("EchoSource", map[string]int{"version": 1})
	c := connected(t, server, nil, "EchoSource", "s")
	source.Reconfigure(map[string]int{"version": 2})
	receive[*protocol.ReconnectRequired](c)
	wantCode(t, source.Publish(within(t), map[string]int{}), notFound)
	if err := source.WaitDisconnected(within(t)); err != nil {
		t.Error(err)
	}
	c.notify("EchoSource", `{"sent":"before the connector knew"}`)
	if got := c.statuses(1); got[0] != 200 {
		t.Errorf("acknowledged with %v", got)
	}
	if config := c.connect("EchoSource", "s"); config.String() != `{"version":2}` {
		t.Errorf("configured with %v", config)
	}
	if err := source.WaitSession(within(t), 2); err != nil || source.Sessions() != 2 || len(source.Notifications()) != 1 {
		t.Errorf("error %v, %d sessions", err, source.Sessions())
	}
	source.RequireReconnect()
	receive[*protocol.ReconnectRequired](c)
	source.RequireReconnect() // nobody is connected: nothing happens
	c.connect("EchoSource", "s")
	c.silent(source)
}

func TestSecondConnectorIsRefused(t *testing.T) {
	server := start(t)
	source := server.Source("EchoSource", nil)
	first := connected(t, server, nil, "EchoSource", "s1")
	for _, secret := range []protocol.Secret{"s2", ""} {
		second := dial(t, server, nil)
		second.validate(server.Token())
		if e := second.refused("EchoSource", secret); e == nil || e.Status != 409 || e.Reactivating() {
			t.Errorf("refused with %v, want 409", e)
		}
	}
	first.silent(source)
}

func TestNoSecretProvesNothing(t *testing.T) {
	server := start(t)
	server.Source("EchoSource", nil)
	connected(t, server, nil, "EchoSource", "")
	second := dial(t, server, nil)
	second.validate(server.Token())
	if e := second.refused("EchoSource", ""); e == nil || e.Status != 409 {
		t.Errorf("refused with %v, want 409", e)
	}
}

func TestSameSecretUsurps(t *testing.T) {
	server := start(t)
	source := server.Source("EchoSource", nil)
	first := connected(t, server, nil, "EchoSource", "s")
	second := connected(t, server, nil, "EchoSource", "s")
	if err := first.ended(); !websocket.IsCloseError(err, websocket.CloseNormalClosure) {
		t.Errorf("the old session ended with %v", err)
	}
	second.silent(source)
	connects := source.Connects()
	if len(connects) != 2 || connects[0].Usurped || !connects[1].Usurped || connects[0].Secret != connects[1].Secret ||
		connects[0].Link == connects[1].Link || connects[1].Time.Before(connects[0].Time) {
		t.Errorf("connects: %+v", connects)
	}
}

func TestConnectsDoNotPrintTheSecret(t *testing.T) {
	server := start(t)
	source := server.Source("EchoSource", nil)
	connected(t, server, nil, "EchoSource", "hush-hush")
	if text := fmt.Sprintf("%v %+v %#v", source.Connects(), source.Connects(), source.Connects()); strings.Contains(text, "hush") {
		t.Error(text)
	}
	if source.Connects()[0].Secret != "hush-hush" {
		t.Error("the secret cannot be compared")
	}
}

func TestReactivating(t *testing.T) {
	server := start(t)
	source := server.Source("EchoSource", nil)
	source.Reactivating(3)
	c := dial(t, server, nil)
	c.validate(server.Token())
	for range 3 {
		if e := c.refused("EchoSource", "s"); !e.Reactivating() {
			t.Errorf("refused with %v", e)
		}
	}
	c.connect("EchoSource", "s")
	if connects := source.Connects(); len(connects) != 4 || connects[2].Refused == nil || connects[3].Refused != nil {
		t.Errorf("connects: %+v", connects)
	}
}

func TestRefuse(t *testing.T) {
	server := start(t)
	source := server.Source("EchoSource", nil)
	reason := &protocol.StatusError{Status: 503, Details: []protocol.Detail{{Code: "busy", Message: "come back later"}}}
	source.Refuse(-1, reason)
	c := dial(t, server, nil)
	c.validate(server.Token())
	for range 20 {
		if e := c.refused("EchoSource", "s"); e == nil || e.Error() != reason.Error() {
			t.Errorf("refused with %v", e)
		}
	}
	source.Refuse(0, nil)
	c.connect("EchoSource", "s")
}

func TestTooLargeMessageIsRefusedAndTheLinkKept(t *testing.T) {
	server := start(t)
	source := server.Source("EchoSource", nil)
	c := connected(t, server, nil, "EchoSource", "s")
	prefix := len(protocol.AppendNotification(nil, "EchoSource", []byte(`""`)))
	event := func(size int) string { return `"` + strings.Repeat("x", size-prefix) + `"` }
	c.notify("EchoSource", event(262144))
	c.notify("EchoSource", event(369122))
	if got := c.statuses(1); got[0] != 200 {
		t.Errorf("a message of the largest size was answered with %v", got)
	}
	e := receive[*protocol.Response](c).Err()
	wantCode(t, e, "io.vantiq.server.error")
	if want := "Cannot process text frame of size 369122, it would cause message buffer (size 0) to overflow max message size of 262144"; e.Status != 500 || e.Details[0].Message != want {
		t.Errorf("got %v", e)
	}
	c.silent(source)
	if n := len(source.Notifications()); n != 1 {
		t.Errorf("%d notifications", n)
	}
}

func TestMaxMessageCanBeSet(t *testing.T) {
	server := start(t, vantiqtest.WithMaxMessage(1<<20))
	server.Source("EchoSource", nil)
	c := connected(t, server, nil, "EchoSource", "s")
	c.notify("EchoSource", `{"x":"`+strings.Repeat("x", 1<<19)+`"}`)
	if got := c.statuses(1); got[0] != 200 {
		t.Errorf("answered with %v", got)
	}
}

func TestKindsOfFrames(t *testing.T) {
	for name, test := range map[string]struct {
		opts []vantiqtest.Option
		want []int
	}{
		"binary by default": {nil, []int{2, 2, 2, 2}},
		"text":              {[]vantiqtest.Option{vantiqtest.WithFrames(vantiqtest.Text)}, []int{1, 1, 1, 1}},
		"alternating":       {[]vantiqtest.Option{vantiqtest.WithFrames(vantiqtest.Text, vantiqtest.Binary)}, []int{1, 2, 1, 2}},
	} {
		t.Run(name, func(t *testing.T) {
			server := start(t, test.opts...)
			c := dial(t, server, nil)
			var kinds []int
			for i := range test.want {
				if err := c.ws.WriteMessage(1+i%2, protocol.AppendValidate(nil, protocol.Secret(server.Token()))); err != nil {
					t.Fatal(err)
				}
				kind, _, err := c.read()
				if err != nil {
					t.Fatal(err)
				}
				kinds = append(kinds, kind)
			}
			if !slices.Equal(kinds, test.want) {
				t.Errorf("received kinds %v, want %v", kinds, test.want)
			}
		})
	}
}

func TestOddMessagesAreIgnored(t *testing.T) {
	server := start(t)
	source := server.Source("EchoSource", nil)
	c := dial(t, server, nil)
	c.notify("EchoSource", `{"too":"early"}`)
	c.send([]byte(`{"status":200,"headers":{"X-Reply-Address":"a"}}`))
	c.validate(server.Token())
	c.connect("EchoSource", "s")
	for _, frame := range []string{`{`, `[]`, `"text"`, ``, `{"op":1}`, `{"op":"somethingNew"}`, `{"op":"publish"}`, `{"status":"200"}`, `{}`, "\xff"} {
		c.send([]byte(frame))
	}
	c.silent(source)
	if len(source.Notifications()) != 0 || len(source.Stray()) != 0 {
		t.Errorf("notifications or responses came of it: %v", source.Stray())
	}
}

func TestCloseFrameOfTheConnectorIsAnswered(t *testing.T) {
	server := start(t)
	source := server.Source("EchoSource", nil)
	c := connected(t, server, nil, "EchoSource", "s")
	c.notify("EchoSource", `{"last":true}`)
	_ = c.ws.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, "done"))
	if err := c.ended(); !websocket.IsCloseError(err, websocket.CloseNormalClosure) {
		t.Errorf("ended with %v", err)
	}
	if err := source.WaitDisconnected(within(t)); err != nil || len(source.Notifications()) != 1 {
		t.Errorf("error %v", err)
	}
}

func TestClosingTheServer(t *testing.T) {
	server := start(t)
	source := server.Source("EchoSource", nil)
	c := connected(t, server, nil, "EchoSource", "s")
	failed := make(chan error, 3)
	go func() { _, err := source.Query(context.Background(), nil); failed <- err }()
	go func() { _, err := source.Notification(context.Background()); failed <- err }()
	go func() { failed <- source.WaitSession(context.Background(), 2) }()
	receive[*protocol.Query](c)
	ended := make(chan error)
	go func() { ended <- c.ended() }()
	server.Close()
	server.Close()
	if err := <-ended; !websocket.IsCloseError(err, websocket.CloseGoingAway) {
		t.Errorf("the link ended with %v", err)
	}
	for range 3 {
		if err := <-failed; err == nil || !strings.Contains(err.Error(), "the server has been closed") {
			t.Errorf("a waiting call returned %v", err)
		}
	}
	wantCode(t, source.Publish(within(t), map[string]int{}), notFound)
	server.Start() // does nothing
	if _, _, err := tryDial(t, server, nil); err == nil {
		t.Error("a closed server accepts links")
	}
}
