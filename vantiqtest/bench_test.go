package vantiqtest_test

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// Both benchmarks hand-feed the TCP connection below the WebSocket with many frames at a time: they measure the server.

const benchmarkBatch = 256

func BenchmarkNotifications(b *testing.B) {
	server := vantiqtest.NewServer()
	defer server.Close()
	source := server.Source("EchoSource", nil)
	var received sync.WaitGroup
	source.HandleNotifications(func(protocol.Document) { received.Done() })
	c := connected(b, server, nil, "EchoSource", "s")
	frame := maskedFrame(protocol.AppendNotification(nil, "EchoSource", []byte(`{"x":"`+strings.Repeat("x", 130)+`"}`)))
	batch := bytes.Repeat(frame, benchmarkBatch)
	go discard(c)
	b.SetBytes(int64(len(frame)))
	b.ReportAllocs()
	b.ResetTimer()
	for sent := 0; sent < b.N; sent += benchmarkBatch {
		n := min(benchmarkBatch, b.N-sent)
		received.Add(n)
		if _, err := c.ws.NetConn().Write(batch[:n*len(frame)]); err != nil {
			b.Fatal(err)
		}
	}
	received.Wait()
	b.StopTimer()
	source.Drop(vantiqtest.RST)
}

func BenchmarkPublish(b *testing.B) {
	server := vantiqtest.NewServer()
	defer server.Close()
	source := server.Source("EchoSource", nil)
	c := connected(b, server, nil, "EchoSource", "s")
	go discard(c)
	message, err := protocol.NewDocument(map[string]string{"x": strings.Repeat("x", 130)})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		if err := source.Publish(context.Background(), message); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	source.Drop(vantiqtest.RST)
}

// maskedFrame is a message as a client sends it, with the mask 0.
func maskedFrame(payload []byte) []byte {
	frame := []byte{0x82, 0x80 | 126, byte(len(payload) >> 8), byte(len(payload)), 0, 0, 0, 0}
	return append(frame, payload...)
}

// discard reads until the link ends.
func discard(c *client) {
	buffer := make([]byte, 64<<10)
	for {
		if _, err := c.ws.NetConn().Read(buffer); err != nil {
			return
		}
	}
}
