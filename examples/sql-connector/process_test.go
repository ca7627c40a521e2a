package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// builtIn is where the program was built, once for all tests; empty if none needed it.
var builtIn string

var buildOnce = sync.OnceValue(func() (err error) {
	if builtIn, err = os.MkdirTemp("", "sql-connector-"); err != nil {
		return err
	}
	if out, err := exec.Command("go", "build", "-o", filepath.Join(builtIn, "sql-connector"), ".").CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
})

// A process is the connector as it is deployed, with a server.config and a state that outlive it.
type process struct {
	t         *testing.T
	directory string
	running   *exec.Cmd
	out       *bytes.Buffer // to be read when it has ended
}

func newProcess(t *testing.T, server *vantiqtest.Server) *process {
	t.Helper()
	if err := buildOnce(); err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, directory: t.TempDir()}
	config := strings.Join([]string{"targetServer=" + server.URL(), "authToken=" + server.Token(), "sources=SqlSource", "tcpProbePort=0", "reconnectSecret=same"}, "\n")
	if err := os.WriteFile(filepath.Join(p.directory, "server.config"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if p.running != nil {
			p.kill()
		}
	})
	return p
}

func (p *process) start(arguments ...string) {
	p.t.Helper()
	p.running, p.out = exec.Command(filepath.Join(builtIn, "sql-connector"), arguments...), new(bytes.Buffer)
	p.running.Dir, p.running.Stdout, p.running.Stderr = p.directory, p.out, p.out
	if err := p.running.Start(); err != nil {
		p.t.Fatal(err)
	}
}

// kill ends the process as kill -9 does.
func (p *process) kill() {
	_ = p.running.Process.Kill()
	_ = p.running.Wait() // it was killed
	p.running = nil
}

// terminate ends it as Kubernetes does, and returns what it wrote.
func (p *process) terminate() string {
	p.t.Helper()
	_ = p.running.Process.Signal(syscall.SIGTERM)
	if err := p.running.Wait(); err != nil {
		p.t.Errorf("it ended with %v and wrote %s", err, p.out)
	}
	p.running = nil
	return p.out.String()
}

// A position is kept behind what Vantiq has acknowledged, not behind what was sent.
func TestWhatWasNotAcknowledgedComesAgain(t *testing.T) {
	server := vantiqtest.NewServer()
	t.Cleanup(server.Close)
	config := polled(t, "id integer primary key, pad text", []string{numbers(3, 0)},
		document{"name": "n", "every": "20ms", "sql": newRows, "key": "id", "start": 0})
	source := server.Source("SqlSource", document{"sqlConfig": config})
	p := newProcess(t, server)
	source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
	for range 2 {
		p.start()
		receive(t, source, 1, 3)
		for range 100 { // in which a position could be kept
			ask(t, source, "select 1")
		}
		p.kill()
	}
	source.SetAcknowledgements(vantiqtest.Acknowledgements{})
	p.start()
	receive(t, source, 1, 3)
	kept(t, filepath.Join(p.directory, "state"), `{"after":3}`)
	p.kill()
	p.start()
	if err := source.WaitSession(t.Context(), 4); err != nil {
		t.Fatal(err)
	}
	ask(t, source, "insert into t (id) values (4)")
	receive(t, source, 4, 1)
	p.terminate()
}

var peak = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// A hundred thousand rows, 100 MB of them (fewer of SQLite's), go through a process that stays small.
func TestManyRowsTakeLittleMemory(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("reads /proc")
	}
	pg := withPostgres(t)
	server := vantiqtest.NewServer()
	t.Cleanup(server.Close)
	config := func(url string) document {
		return document{"sqlConfig": document{"general": document{"url": url, "allowSQL": true}}}
	}
	for name, database := range map[string]struct {
		url, sql string
		rows     int
	}{
		"PostgreSQL": {pg.url, `select i as id, repeat('x', 1000) as pad from generate_series(1, 100000) i`, 100_000},
		"SQLite": {"file:" + t.TempDir() + "/many.db", `with recursive n(i) as (select 1 union all select i + 1 from n where i < 20000)
			select i as id, hex(zeroblob(500)) as pad from n`, 20_000},
	} {
		t.Run(name, func(t *testing.T) {
			source := server.Source("SqlSource", config(database.url))
			source.Reconfigure(config(database.url))
			p := newProcess(t, server)
			p.start()
			if err := source.WaitConnected(t.Context()); err != nil {
				t.Fatal(err)
			}
			for { // until it is configured
				if _, err := source.Query(t.Context(), document{"sql": "select 1"}); err == nil {
					break
				}
			}
			rows, err := source.Query(t.Context(), document{"sql": database.sql})
			if err != nil || len(rows) != database.rows || !strings.HasPrefix(rows[len(rows)-1].String(), fmt.Sprintf(`{"id":%d,`, database.rows)) {
				t.Fatalf("%d rows (%v)", len(rows), err)
			}
			status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.running.Process.Pid))
			if err != nil {
				t.Fatal(err)
			}
			kilobytes, _ := strconv.Atoi(string(peak.FindSubmatch(status)[1]))
			t.Logf("at most %d MB", kilobytes/1024)
			if kilobytes > 64<<10 {
				t.Errorf("it took up to %d kB", kilobytes)
			}
			p.terminate()
		})
	}
}

// rowID returns the id of a row in a notification.
func rowID(event json.RawMessage) (id int) {
	var e struct{ Row struct{ ID int } }
	_ = json.Unmarshal(event, &e) // 0 if it is another one
	return e.Row.ID
}
