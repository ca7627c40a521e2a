package main

import (
	"strings"
	"testing"
)

func TestLoopbackAddress(t *testing.T) {
	for server, want := range map[string]string{
		"http://127.0.0.1:8400":   "127.0.0.1:8400",
		"ws://127.9.9.9:1/prefix": "127.9.9.9:1",
		"http://LOCALHOST":        "LOCALHOST:80",
		"http://[::1]:8400":       "[::1]:8400",
	} {
		if got, err := loopbackAddress(server); err != nil || got != want {
			t.Errorf("%s: %s (%v), want %s", server, got, err, want)
		}
	}
	for server, want := range map[string]string{
		"http://192.168.0.7:8400":         "is not this machine",
		"http://localhost.example.com":    "is not this machine",
		"http://127.0.0.1.example.com":    "is not this machine",
		"dev.vantiq.com":                  "is not this machine",
		"127.0.0.1:8400":                  "asks for TLS",
		"wss://[::1]:8400":                "Set targetServer=http://[::1]:8400",
		"http://user:secret@example.com/": "user name",
	} {
		got, err := loopbackAddress(server)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %s (%v), want %s", server, got, err, want)
		}
	}
}
