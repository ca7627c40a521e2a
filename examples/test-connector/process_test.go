package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// A process is the program, to be run in a directory of its own.
type process struct {
	*exec.Cmd
	out *bytes.Buffer // both outputs; to be read when the process has ended
}

// builtIn is where the program was built, once for all tests; empty if none needed it.
var builtIn string

var buildOnce = sync.OnceValue(func() (err error) {
	if builtIn, err = os.MkdirTemp("", "test-connector-"); err != nil {
		return err
	}
	if out, err := exec.Command("go", "build", "-o", filepath.Join(builtIn, "test-connector"), ".").CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
})

func build(t *testing.T) (program string) {
	t.Helper()
	if testing.Short() {
		t.Skip("builds the program")
	}
	if err := buildOnce(); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(builtIn, "test-connector")
}

// prepare returns a process with a server.config, or with none if config is empty.
func prepare(t *testing.T, program, config string, environment ...string) process {
	t.Helper()
	p := process{exec.CommandContext(t.Context(), program), new(bytes.Buffer)}
	p.Dir, p.Stdout, p.Stderr = t.TempDir(), p.out, p.out
	p.Env = append([]string{"LOG_LEVEL=error"}, environment...)
	if config != "" {
		if err := os.WriteFile(filepath.Join(p.Dir, "server.config"), []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// fails runs the process and expects exit code 1, with one line that holds all texts.
func (p process) fails(t *testing.T, texts ...string) {
	t.Helper()
	err := p.Run()
	out := strings.TrimSpace(p.out.String())
	line := out[strings.LastIndex(out, "\n")+1:]
	if p.ProcessState.ExitCode() != 1 || !strings.HasPrefix(line, "test-connector: ") {
		t.Errorf("it ended with %v and wrote %q", err, out)
	}
	for _, text := range texts {
		if !strings.Contains(line, text) {
			t.Errorf("%q does not say %q", line, text)
		}
	}
}

func configFor(server *vantiqtest.Server, more ...string) string {
	lines := append([]string{"targetServer=" + server.URL(), "authToken=" + server.Token(), "sources=TestSource"}, more...)
	return strings.Join(lines, "\n")
}

// A running is a process that serves TestSource of a local Vantiq, and what was seen of its link.
type running struct {
	process
	server *vantiqtest.Server
	source *vantiqtest.Source
	port   string     // of its health probe, which is open
	closed chan error // how its link ended, as the server saw it
}

// startRunning starts the program and waits until it is connected and healthy.
func startRunning(t *testing.T, more ...string) *running {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("needs signals")
	}
	program := build(t)
	r := &running{port: freePort(t), closed: make(chan error, 1)}
	r.server = vantiqtest.NewServer(vantiqtest.WithObserver(func(e vantiqtest.Event) {
		if e.Kind == vantiqtest.LinkClosed {
			r.closed <- e.Err
		}
	}))
	t.Cleanup(r.server.Close)
	r.source = r.server.Source("TestSource", document{"testConfig": document{"notifyOnConnect": true}})
	r.process = prepare(t, program, configFor(r.server, append(more, "tcpProbeHost=127.0.0.1", "tcpProbePort="+r.port)...))
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	notified(t, r.source, `{"event":"connect","connects":1,"closes":0,"config":{"notifyOnConnect":true}}`)
	publish(t, r.source, document{}) // handled when Connect has returned
	notified(t, r.source, `{}`)
	if err := r.probe(); err != nil {
		t.Error(err)
	}
	return r
}

func (r *running) probe() error {
	conn, err := net.Dial("tcp", "127.0.0.1:"+r.port)
	if err == nil {
		_ = conn.Close()
	}
	return err
}

// ask asks so many queries that take a while, and waits until they run. They are answered into the channel.
func (r *running) ask(t *testing.T, queries int) (answers chan error) {
	t.Helper()
	answers = make(chan error, queries)
	for n := range queries {
		go func() {
			rows, err := r.source.Query(t.Context(), document{"do": "delay", "delayMs": 1000, "n": n})
			if err == nil && len(rows) != 1 {
				err = fmt.Errorf("rows %v", rows)
			}
			answers <- err
		}()
	}
	waitStats(t, r.source, func(s statsRow) bool { return s.QueriesOpen == queries+1 })
	return answers
}

// queue makes the connector send so many notifications, and holds back what acknowledges them, so that most wait in the
// outbox.
func (r *running) queue(t *testing.T, notifications int) {
	t.Helper()
	r.source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
	publish(t, r.source, document{"do": "burst", "id": "b", "count": notifications})
	waitStats(t, r.source, func(s statsRow) bool { return s.Queued == notifications+1 }) // and the end of the burst
}

func TestProcessDrains(t *testing.T) {
	const queries, notifications = 5, 500
	for name, signal := range map[string]os.Signal{"SIGTERM": syscall.SIGTERM, "SIGINT": os.Interrupt} {
		t.Run(name, func(t *testing.T) {
			r := startRunning(t)
			answers := r.ask(t, queries)
			r.queue(t, notifications)
			if err := r.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			for r.probe() == nil { // the first thing that the signal does is to close the port
				if err := t.Context().Err(); err != nil {
					t.Fatal(err)
				}
			}
			for err := error(nil); err == nil; { // and then it takes no more work
				if _, err = r.source.Query(t.Context(), document{"do": "echo"}); err != nil && !strings.Contains(err.Error(), connector.CodeShutdown) {
					t.Errorf("a query that comes now: %v", err)
				}
			}
			for range queries {
				if err := <-answers; err != nil {
					t.Errorf("a query that was running failed: %v", err)
				}
			}
			r.source.SetAcknowledgements(vantiqtest.Acknowledgements{}) // only now: nothing but the outbox keeps it
			if err := r.Wait(); err != nil || r.out.Len() > 0 {
				t.Fatalf("it ended with %v and wrote %q", err, r.out)
			}
			if err := <-r.closed; err == nil || !strings.Contains(err.Error(), "1000") {
				t.Errorf("the link was closed by %v, want 1000", err)
			}
			for n := range notifications {
				notified(t, r.source, fmt.Sprintf(`{"burst":"b","seq":%d,"pad":""}`, n))
			}
			notified(t, r.source, fmt.Sprintf(`{"burst":"b","done":%d,"errors":0}`, notifications))
			if more, stray := r.source.Notifications(), r.source.Stray(); len(more) > 0 || len(stray) > 0 {
				t.Errorf("more came: %v, %v", more, stray)
			}
		})
	}
}

// Probes go on while the process leaves: none of them keeps it, and after its exit none succeeds.
func TestProcessIsProbedWhileItLeaves(t *testing.T) {
	r := startRunning(t)
	answers := r.ask(t, 1)
	exited := make(chan struct{})
	var probers sync.WaitGroup
	for range 4 {
		probers.Go(func() {
			for after := false; !after; {
				select {
				case <-exited:
					after = true
				default:
				}
				if err := r.probe(); after && err == nil {
					t.Error("a probe succeeded after the process had left")
				}
			}
		})
	}
	if err := r.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := <-answers; err != nil {
		t.Errorf("the query that was running failed: %v", err)
	}
	if err := r.probe(); err == nil {
		t.Error("the port is open at the end of the drain")
	}
	if err := r.Wait(); err != nil || r.out.Len() > 0 {
		t.Errorf("it ended with %v and wrote %q", err, r.out)
	}
	close(exited)
	probers.Wait()
}

// waitStats asks for the connector's counters until they are as they should be.
func waitStats(t *testing.T, source *vantiqtest.Source, reached func(statsRow) bool) {
	t.Helper()
	for {
		rows, err := source.Query(t.Context(), document{"do": "stats"})
		if err != nil || len(rows) != 1 {
			t.Fatalf("stats: %v (%v)", rows, err)
		}
		var row statsRow
		if err := rows[0].Decode(&row); err != nil {
			t.Fatal(err)
		}
		if reached(row) {
			return
		}
	}
}

func TestProcessWithAHangingQuery(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs SIGTERM")
	}
	program := build(t)
	server := vantiqtest.NewServer()
	defer server.Close()
	source := server.Source("TestSource", nil)
	p := prepare(t, program, configFor(server, "tcpProbePort=0", "drainTime=1s"), queryTimeoutVariable+"=50ms")
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	if err := source.WaitConnected(t.Context()); err != nil {
		t.Fatal(err)
	}
	publish(t, source, document{})
	notified(t, source, `{}`)
	queryFails(t, source, document{"do": "hang"}, connector.CodeTimeout, "the connector had no answer within 50ms")
	began := time.Now()
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); err != nil || time.Since(began) > 5*time.Second {
		t.Errorf("it ended after %v with %v and wrote %q", time.Since(began), err, p.out)
	}
}

func TestProcessLeavesAlsoWhileVantiqIsAway(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs SIGTERM")
	}
	program := build(t)
	server := vantiqtest.NewServer()
	defer server.Close()
	source := server.Source("TestSource", nil)
	source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
	p := prepare(t, program, configFor(server, "tcpProbePort=0", "drainTime=1s"))
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	if err := source.WaitConnected(t.Context()); err != nil {
		t.Fatal(err)
	}
	publish(t, source, document{})
	notified(t, source, `{}`)
	server.Stop(vantiqtest.FIN)
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); err != nil || !strings.Contains(p.out.String(), connector.ErrUndelivered.Error()) {
		t.Errorf("it ended with %v and wrote %q", err, p.out)
	}
}

func TestKilledProcessDeliversWhenItIsBack(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs SIGTERM")
	}
	program := build(t)
	server := vantiqtest.NewServer()
	defer server.Close()
	source := server.Source("TestSource", nil)
	source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
	config := configFor(server, "tcpProbePort=0", "reconnectSecret=same")
	outbox := outboxVariable + "=" + filepath.Join(t.TempDir(), "outbox")
	first := prepare(t, program, config, outbox)
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	if err := source.WaitConnected(t.Context()); err != nil {
		t.Fatal(err)
	}
	publish(t, source, document{"text": "once"})
	notified(t, source, `{"text":"once"}`)
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = first.Wait() // it was killed

	second := prepare(t, program, config, outbox)
	if err := second.Start(); err != nil {
		t.Fatal(err)
	}
	notified(t, source, `{"text":"once"}`) // again: it was not acknowledged
	source.SetAcknowledgements(vantiqtest.Acknowledgements{})
	if err := second.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := second.Wait(); err != nil || second.out.Len() > 0 {
		t.Errorf("it ended with %v and wrote %q", err, second.out)
	}
}

func TestProcessRefusesWhatIsWrong(t *testing.T) {
	program := build(t)
	server := vantiqtest.NewServer()
	defer server.Close()
	server.Source("TestSource", nil)
	config := configFor(server, "tcpProbePort=0")

	prepare(t, program, "").fails(t, "server.config: does not exist")
	prepare(t, program, config, "LOG_LEVEL=loud").fails(t, `LOG_LEVEL "loud" is not accepted`)
	prepare(t, program, config, outboxVariable+"=/dev/null/here").fails(t, "TEST_CONNECTOR_OUTBOX: mkdir /dev/null: not a directory")
	prepare(t, program, config, queryTimeoutVariable+"=soon").fails(t,
		`TEST_CONNECTOR_QUERY_TIMEOUT "soon" is not a duration`)

	rejected := prepare(t, program, strings.Replace(config, server.Token(), "not-this-one", 1))
	rejected.fails(t, "source TestSource", "token")
	if strings.Contains(rejected.out.String(), "not-this-one") {
		t.Errorf("it shows the token: %q", rejected.out)
	}
}

func TestProcessTellsItsVersion(t *testing.T) {
	p := prepare(t, build(t), "")
	p.Args = append(p.Args, "-version")
	if err := p.Run(); err != nil || !strings.HasPrefix(p.out.String(), "github.com/vantiq-go/connectorsdk ") {
		t.Errorf("it ended with %v and wrote %q", err, p.out)
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}
