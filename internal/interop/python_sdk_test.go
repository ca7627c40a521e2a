package interop_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// TestPythonSDKInEveryScenario runs a connector on the official SDK for Python, unchanged.
func TestPythonSDKInEveryScenario(t *testing.T) {
	interpreter := python(t)
	play(t, func(t *testing.T, scenario string, play func(*testing.T, local)) {
		t.Run(scenario, func(t *testing.T) {
			t.Parallel()
			vantiq := newDirect(t, nil)
			startSDK(t, interpreter, vantiq.server.URL(), vantiq.server.Token())
			play(t, vantiq)
		})
	})
}

// An sdk is a process that runs testdata/connector.py.
type sdk struct {
	output *output
	ended  chan error // what Wait returned
}

// startSDK starts the connector in a directory that holds nothing but a server.config. It ends with the test; what it has
// written is shown if that fails.
func startSDK(t *testing.T, interpreter, url, token string) *sdk {
	t.Helper()
	directory := t.TempDir()
	config := fmt.Sprintf("targetServer=%s\nauthToken=%s\nsources=%s\n", url, token, sourceName)
	if err := os.WriteFile(filepath.Join(directory, "server.config"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	script, err := filepath.Abs("testdata/connector.py")
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(interpreter, script)
	s := &sdk{output: new(output), ended: make(chan error, 1)}
	command.Dir, command.Stdout, command.Stderr = directory, s.output, s.output
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { s.ended <- command.Wait() }()
	t.Cleanup(func() {
		_ = command.Process.Kill()
		s.ended <- <-s.ended
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(directory, "VantiqConnector.log"))
			t.Logf("the connector said:\n%s%s", s.output, log)
		}
	})
	return s
}

// An output holds what a process writes.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
