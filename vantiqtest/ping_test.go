package vantiqtest_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

func TestPing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := vantiqtest.NewNetwork()
		server := start(t, vantiqtest.WithNetwork(network))
		source := server.Source("EchoSource", nil)
		c := connected(t, server, network, "EchoSource", "s")
		link := source.Link()

		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := link.Ping(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a client that does not read: %v", err)
		}
		answered := make(chan error, 2)
		go func() { answered <- link.Ping(within(t)) }()
		synctest.Wait()
		c.silent(source) // reads, and so answers
		if err := <-answered; err != nil {
			t.Errorf("a client that reads: %v", err)
		}
		for range cap(answered) {
			go func() { answered <- link.Ping(within(t)) }()
		}
		synctest.Wait()
		source.Drop(vantiqtest.FIN)
		for range cap(answered) {
			if err := <-answered; err == nil {
				t.Error("a link that has ended has answered")
			}
		}
	})
}
