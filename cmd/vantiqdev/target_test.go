package main

import (
	"os"
	"path/filepath"
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

// The connector runs where its server.config is, and so reads a token there.
func TestTheTokensFileIsLookedForWhereTheConnectorRuns(t *testing.T) {
	directory := t.TempDir()
	for name, text := range map[string]string{
		"server.config": "targetServer=http://127.0.0.1:8400\nsources=A\nauthTokenFile=token\n",
		"token":         "of-a-file\n",
	} {
		if err := os.WriteFile(filepath.Join(directory, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f, err := parseRunFlags([]string{directory})
	if err != nil {
		t.Fatal(err)
	}
	target, err := readTarget(f.configFile(), f.workplace)
	if err != nil || target.token != "of-a-file" {
		t.Errorf("token %q (%v)", target.token, err)
	}
}
