package vantiqtest_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

func TestHoldReadsFillsTheWindow(t *testing.T) {
	server := start(t)
	source := server.Source("EchoSource", nil)
	c := connected(t, server, nil, "EchoSource", "s")
	link := source.Link()
	link.HoldReads(true)
	message := protocol.AppendNotification(nil, "EchoSource", []byte(`{"x":"`+strings.Repeat("x", 100_000)+`"}`))
	sent := 0
	for {
		_ = c.ws.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		if err := c.ws.WriteMessage(websocket.TextMessage, message); err != nil {
			break
		}
		if sent++; sent > 1000 {
			t.Fatal("100 MB were sent to a server that does not read")
		}
	}
	if n := len(source.Notifications()); n != 0 {
		t.Errorf("%d notifications were handled", n)
	}
	link.HoldReads(false)
	for range sent {
		if _, err := source.Notification(within(t)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestHoldReadsHoldsPongsAndTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := vantiqtest.NewNetwork()
		server := start(t, vantiqtest.WithNetwork(network))
		source := server.Source("EchoSource", nil)
		c := connected(t, server, network, "EchoSource", "s")
		link := source.Link()
		link.HoldReads(true)
		_ = c.ws.Close()
		synctest.Wait()
		if !source.Connected() {
			t.Error("a server that does not read has noticed the end")
		}
		link.HoldReads(false)
		synctest.Wait()
		if source.Connected() {
			t.Error("a server that reads again has not noticed the end")
		}
	})
}

func TestHoldWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := vantiqtest.NewNetwork()
		server := start(t, vantiqtest.WithNetwork(network))
		source := server.Source("EchoSource", nil)
		c := connected(t, server, network, "EchoSource", "s")
		link := source.Link()
		link.HoldWrites(true)
		c.notify("EchoSource", `{}`)
		if _, err := source.Notification(within(t)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // until its status waits to be written
		message := map[string]string{"x": strings.Repeat("x", 1000)}
		sent := 0
		for ; ; sent++ {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			err := source.Publish(ctx, message)
			cancel()
			if errors.Is(err, context.DeadlineExceeded) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if sent < 200 || sent > 300 {
			t.Errorf("%d messages of 1 kB had room on a link that takes 256 KiB", sent)
		}
		blocked := make(chan error)
		go func() { blocked <- source.Publish(context.Background(), message) }()
		synctest.Wait()
		link.HoldWrites(false)
		c.statuses(1) // it is older than the publishes
		for range sent + 1 {
			receive[*protocol.Publish](c)
		}
		if err := <-blocked; err != nil {
			t.Error(err)
		}
	})
}

func TestPublishThatWaitsEndsWithTheLink(t *testing.T) {
	server := start(t)
	source := server.Source("EchoSource", nil)
	connected(t, server, nil, "EchoSource", "s")
	source.Link().HoldWrites(true)
	if err := source.Publish(within(t), map[string][]byte{"x": bytes.Repeat([]byte("x"), 300<<10)}); err != nil {
		t.Fatal(err)
	}
	blocked := make(chan error)
	go func() { blocked <- source.Publish(context.Background(), map[string]int{}) }()
	source.Drop(vantiqtest.RST)
	wantCode(t, <-blocked, notFound)
}

func TestHoldPongs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := vantiqtest.NewNetwork()
		server := start(t, vantiqtest.WithNetwork(network))
		source := server.Source("EchoSource", nil)
		c := connected(t, server, network, "EchoSource", "s")
		pongs := ""
		c.ws.SetPongHandler(func(data string) error {
			pongs += data
			return nil
		})
		ping := func(data string) {
			if err := c.ws.WriteControl(websocket.PingMessage, []byte(data), time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			c.silentAfter(source)
		}
		ping("a")
		source.Link().HoldPongs(true)
		ping("b")
		source.Link().HoldPongs(false)
		ping("c")
		if pongs != "ac" {
			t.Errorf("pongs to %q, want to a and c", pongs)
		}
	})
}
