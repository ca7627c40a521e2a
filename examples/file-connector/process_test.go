//go:build unix

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

var buildOnce = sync.OnceValue(func() (err error) {
	if builtIn, err = os.MkdirTemp("", "file-connector-"); err != nil {
		return err
	}
	if err := os.Chmod(builtIn, 0o755); err != nil { // for tests in which somebody else runs it
		return err
	}
	if out, err := exec.Command("go", "build", "-o", filepath.Join(builtIn, "file-connector"), ".").CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
})

// A process is the program, which serves the source Files of a local Vantiq, and can be started again and again in one
// directory.
type process struct {
	*testing.T
	directory string
	command   *exec.Cmd
	out       *bytes.Buffer // of the latest; to be read when it has ended
}

func prepare(t *testing.T, server *vantiqtest.Server, more ...string) *process {
	t.Helper()
	if testing.Short() {
		t.Skip("builds the program")
	}
	if err := buildOnce(); err != nil {
		t.Fatal(err)
	}
	p := &process{T: t, directory: t.TempDir()}
	lines := append([]string{"targetServer=" + server.URL(), "authToken=" + server.Token(), "sources=Files", "tcpProbePort=0", "reconnectSecret=same"}, more...)
	if err := os.WriteFile(filepath.Join(p.directory, "server.config"), []byte(strings.Join(lines, "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *process) start(credential *syscall.Credential) {
	p.Helper()
	p.out = new(bytes.Buffer)
	p.command = exec.CommandContext(p.Context(), filepath.Join(builtIn, "file-connector"))
	p.command.Dir, p.command.Stdout, p.command.Stderr = p.directory, p.out, p.out
	p.command.Env = []string{"LOG_LEVEL=warn"}
	p.command.SysProcAttr = &syscall.SysProcAttr{Credential: credential}
	if err := p.command.Start(); err != nil {
		p.Fatal(err)
	}
}

// end ends the process by a signal, and returns what it has written.
func (p *process) end(signal os.Signal) string {
	p.Helper()
	if err := p.command.Process.Signal(signal); err != nil {
		p.Fatalf("%v: %s", err, p.out)
	}
	err := p.command.Wait()
	if signal != os.Kill && err != nil {
		p.Errorf("it ended with %v and wrote %s", err, p.out)
	}
	return p.out.String()
}
