package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// Fifty sources of one process, none of which names a broker, talk to each other.
func TestFiftySourcesInOneProcess(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program")
	}
	server := vantiqtest.NewServer()
	defer server.Close()
	var sources []*vantiqtest.Source
	names := ""
	for n := range 50 {
		config := document{"mqttConfig": subscriptionsTo(fmt.Sprintf("to/%d", n))}
		sources = append(sources, server.Source(fmt.Sprintf("Source%d", n), config))
		names += fmt.Sprintf("Source%d,", n)
	}
	process := newProcess(t, server, names)
	process.start()
	for n, source := range sources {
		if err := source.WaitConnected(t.Context()); err != nil {
			t.Fatal(err)
		}
		next := sources[(n+1)%len(sources)]
		stored := document{"topic": fmt.Sprintf("to/%d", (n+1)%len(sources)), "payload": n, "retain": true} // until next has subscribed
		if err := source.Publish(t.Context(), stored); err != nil {
			t.Fatal(err)
		}
		if got := numbers(t, next, 1); got[0] != n {
			t.Errorf("%s got %v, want %d", next.Name(), got, n)
		}
	}
	process.end()
}

// A process is the connector as it is deployed.
type process struct {
	t         *testing.T
	directory string
	command   *exec.Cmd
	log       *bytes.Buffer
}

func newProcess(t *testing.T, server *vantiqtest.Server, sources string) *process {
	t.Helper()
	p := &process{t: t, directory: t.TempDir()}
	if out, err := exec.Command("go", "build", "-o", filepath.Join(p.directory, "mqtt-connector"), ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	config := fmt.Sprintf("targetServer=%s\nauthToken=%s\nsources=%s\ntcpProbePort=0\n", server.URL(), server.Token(), sources)
	if err := os.WriteFile(filepath.Join(p.directory, "server.config"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if p.command != nil && p.command.ProcessState == nil {
			p.kill()
		}
		if t.Failed() {
			t.Logf("the connector said\n%s", p.log)
		}
	})
	return p
}

func (p *process) start() {
	p.t.Helper()
	p.log = new(bytes.Buffer)
	p.command = exec.Command(filepath.Join(p.directory, "mqtt-connector"))
	p.command.Dir, p.command.Stderr = p.directory, p.log
	if err := p.command.Start(); err != nil {
		p.t.Fatal(err)
	}
}

func (p *process) kill() {
	p.t.Helper()
	if err := p.command.Process.Kill(); err != nil {
		p.t.Fatal(err)
	}
	_ = p.command.Wait() // it was killed
}

// end ends the process in good order.
func (p *process) end() {
	p.t.Helper()
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	if err := p.command.Wait(); err != nil {
		p.t.Errorf("the connector ended with %v:\n%s", err, p.log)
	}
}
