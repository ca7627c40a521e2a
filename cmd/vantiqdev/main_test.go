package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// The test program plays vantiqdev, and connectors that go wrong, in processes of their own.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "as-vantiqdev":
			os.Exit(vantiqdev(os.Args[2:], os.Stdout, os.Stderr))
		case "as-connector":
			os.Exit(badConnector(os.Args[2], os.Args[3:]))
		}
	}
	goleak.VerifyTestMain(m)
}

// A workplace is a directory with a server.config, in which vantiqdev is run.
type workplace struct {
	t         *testing.T
	directory string
	port      string // of the target server
}

func newWorkplace(t *testing.T) workplace {
	t.Helper()
	w := workplace{t, t.TempDir(), freePort(t)}
	w.configure("http://127.0.0.1:" + w.port)
	return w
}

// configure writes the server.config.
func (w workplace) configure(targetServer string, more ...string) {
	w.t.Helper()
	lines := append([]string{
		"targetServer=" + targetServer,
		"authToken=some-token",
		"sources=EchoSource",
		"tcpProbePort=0",
		"drainTime=300ms",
	}, more...)
	if err := os.WriteFile(w.file(), []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w workplace) file() string { return filepath.Join(w.directory, "server.config") }

// A tool is a vantiqdev that runs.
type tool struct {
	*exec.Cmd
	t              *testing.T
	stdout, stderr *transcript
}

// start runs vantiqdev.
func (w workplace) start(args ...string) tool {
	w.t.Helper()
	c := w.prepare(args...)
	if err := c.Start(); err != nil {
		w.t.Fatal(err)
	}
	return c
}

// prepare returns a vantiqdev that can be started.
func (w workplace) prepare(args ...string) tool {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	w.t.Cleanup(cancel)
	command := exec.CommandContext(ctx, executable(w.t), append([]string{"as-vantiqdev"}, args...)...)
	c := tool{command, w.t, newTranscript(), newTranscript()}
	c.Dir, c.Stdout, c.Stderr = w.directory, c.stdout, c.stderr
	c.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0") // else every process takes a second to end
	return c
}

// run runs "vantiqdev run" to its end.
func (w workplace) run(args ...string) tool {
	w.t.Helper()
	c := w.start(append([]string{"run"}, args...)...)
	_ = c.Wait()
	return c
}

// stop sends it a signal, and returns when it has ended.
func (c tool) stop(signal os.Signal) {
	c.t.Helper()
	if err := c.Process.Signal(signal); err != nil {
		c.t.Fatal(err)
	}
	_ = c.Wait()
}

// connector returns the part of a command line that names a connector that goes wrong.
func connectorThat(t *testing.T, behaviour string, args ...string) []string {
	return append([]string{executable(t), "as-connector", behaviour}, args...)
}

func executable(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// ended fails the test unless the tool has ended with that exit code, and each of texts is in its output.
func (c tool) ended(code int, texts ...string) {
	c.t.Helper()
	if c.ProcessState.ExitCode() != code {
		c.t.Errorf("it ended with %v, want exit code %d", c.ProcessState, code)
	}
	both := c.stdout.String() + c.stderr.String()
	for _, text := range texts {
		if !strings.Contains(both, text) {
			c.t.Errorf("it does not say %q", text)
		}
	}
	if c.t.Failed() {
		c.t.Logf("stdout:\n%s\nstderr:\n%s", c.stdout, c.stderr)
	}
}

// A transcript is an output that a test can wait for.
type transcript struct {
	parts chan []byte
	text  bytes.Buffer
}

func newTranscript() *transcript { return &transcript{parts: make(chan []byte, 10_000)} }

// Write implements io.Writer.
func (w *transcript) Write(p []byte) (int, error) {
	w.parts <- bytes.Clone(p)
	return len(p), nil
}

// await waits until the output holds text.
func (w *transcript) await(t *testing.T, text string) {
	t.Helper()
	patience := time.After(time.Minute)
	for !strings.Contains(w.text.String(), text) {
		select {
		case part := <-w.parts:
			w.text.Write(part)
		case <-patience:
			t.Fatalf("it did not say %q but:\n%s", text, w.text.String())
		}
	}
}

// String returns what has been written so far.
func (w *transcript) String() string {
	for {
		select {
		case part := <-w.parts:
			w.text.Write(part)
		default:
			return w.text.String()
		}
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return fmt.Sprint(listener.Addr().(*net.TCPAddr).Port)
}
