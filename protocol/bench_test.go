package protocol_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/vantiq-go/connectorsdk/protocol"
)

// A reading is an ordinary record: words, numbers, a nested object, a list that makes it as long as is wanted.
type reading struct {
	ID       string   `json:"id"`
	Device   string   `json:"device"`
	At       string   `json:"at"`
	Value    float64  `json:"value"`
	Valid    bool     `json:"valid"`
	Position position `json:"position"`
	Samples  []sample `json:"samples"`
}

type position struct {
	Latitude  float64 `json:"latitude"`
	Longitude float64 `json:"longitude"`
}

type sample struct {
	Name    string  `json:"name"`
	Reading float64 `json:"reading"`
	Note    string  `json:"note"`
}

// readingOf returns a record of about so many bytes.
func readingOf(size int) (r reading, text json.RawMessage) {
	r = reading{
		ID: "3f2a9c1e-7d44-4c57-9b7a-52a1c9a0e1f3", Device: "pump/17", At: "2026-11-26T06:54:49.123Z",
		Value: 21.375, Valid: true, Position: position{37.7749, -122.4194}, Samples: []sample{},
	}
	for {
		text, _ = json.Marshal(r)
		if len(text) >= size {
			return r, text
		}
		r.Samples = append(r.Samples, sample{fmt.Sprintf("channel %d", len(r.Samples)), 1.25 * float64(len(r.Samples)), "within the limits of the day"})
	}
}

// publishFrame is a publish as servers send it.
func publishFrame(object []byte) []byte {
	return fmt.Appendf(nil, `{"op":"publish","resourceName":"sources","resourceId":"EchoSource","isSystemResource":true,"parameters":{},`+
		`"object":%s,"address":"0b1e6a6e-52a1-4c57-9b7a-3f2a9c1e7d44","messageHeaders":{},"contentType":"application/json","skipMonitoring":false,"isExternal":false}`, object)
}

var sizes = map[string]int{"200B": 200, "2KB": 2048, "64KB": 64 << 10}

func eachSize(b *testing.B, f func(b *testing.B, r reading, text json.RawMessage)) {
	for _, name := range []string{"200B", "2KB", "64KB"} {
		b.Run(name, func(b *testing.B) {
			r, text := readingOf(sizes[name])
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			f(b, r, text)
		})
	}
}

func BenchmarkDecodePublish(b *testing.B) {
	eachSize(b, func(b *testing.B, _ reading, text json.RawMessage) {
		frame := publishFrame(text)
		for b.Loop() {
			if !protocol.IsPublish(frame) {
				b.Fatal("not a publish")
			}
			if _, err := protocol.DecodePublish(bytes.Clone(frame)); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkDecodeQuery(b *testing.B) {
	frame := []byte(`{"op":"query","resourceName":"sources","resourceId":"EchoSource","isSystemResource":true,"parameters":{},"object":{"limit":3,"device":"pump/17"},` +
		`"address":"0b1e6a6e-52a1-4c57-9b7a-3f2a9c1e7d44","messageHeaders":{"REPLY_ADDR_HEADER":"3f2a9c1e-7d44-4c57-9b7a-52a1c9a0e1f3"},"contentType":"application/json"}`)
	b.ReportAllocs()
	var decoder protocol.Decoder
	for b.Loop() {
		if _, err := decoder.Decode(frame); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeStatus(b *testing.B) {
	frame := []byte(`{"status":200}`)
	b.ReportAllocs()
	var decoder protocol.Decoder
	for b.Loop() {
		if _, err := decoder.Decode(frame); err != nil {
			b.Fatal(err)
		}
	}
}

func benchmarkAppend(b *testing.B, value any) {
	var dst []byte
	var err error
	for b.Loop() {
		if dst, err = protocol.AppendJSON(dst[:0], value); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendRawMessage(b *testing.B) {
	eachSize(b, func(b *testing.B, _ reading, text json.RawMessage) { benchmarkAppend(b, text) })
}

func BenchmarkAppendStruct(b *testing.B) {
	eachSize(b, func(b *testing.B, r reading, _ json.RawMessage) { benchmarkAppend(b, r) })
}
