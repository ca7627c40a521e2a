package peer_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/vantiq-go/connectorsdk/bench/internal/job"
	"github.com/vantiq-go/connectorsdk/bench/internal/loadserver"
	"github.com/vantiq-go/connectorsdk/bench/internal/peer"
	"github.com/vantiq-go/connectorsdk/bench/internal/record"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A party is a server or a peer, in a goroutine instead of a process.
type party struct {
	t     *testing.T
	stdin *io.PipeWriter
	lines *json.Decoder
	ended chan error
}

func begin(t *testing.T, j job.Job, do func(context.Context, job.Job, io.Reader, io.Writer) error) *party {
	t.Helper()
	in, stdin := io.Pipe()
	out, stdout := io.Pipe()
	p := &party{t: t, stdin: stdin, lines: json.NewDecoder(bufio.NewReader(out)), ended: make(chan error, 1)}
	go func() {
		err := do(context.Background(), j, in, stdout)
		_ = stdout.CloseWithError(errors.Join(io.EOF, err))
		p.ended <- err
	}()
	return p
}

func (p *party) tell(word string) {
	p.t.Helper()
	if _, err := io.WriteString(p.stdin, word+"\n"); err != nil {
		p.t.Fatal(err)
	}
}

func (p *party) await(event string) job.Line {
	p.t.Helper()
	var line job.Line
	if err := p.lines.Decode(&line); err != nil || line.Event != event {
		p.t.Fatalf("told %+v (%v), want %q", line, err, event)
	}
	return line
}

// end closes the party's input, which is to end it without an error.
func (p *party) end() {
	p.t.Helper()
	_ = p.stdin.Close()
	if err := <-p.ended; err != nil {
		p.t.Error(err)
	}
}

func TestEveryCaseWithEveryPeerInMiniature(t *testing.T) {
	for _, c := range job.Cases(3) {
		c.ReportEvery = min(c.ReportEvery, 10)
		c.Rows = min(c.Rows, 3000)
		c.Away = min(c.Away, 10*time.Millisecond)
		for _, name := range c.Peers() {
			if name == job.Python {
				continue // TestPythonPeer, of the program
			}
			t.Run(c.Name+"/"+name, func(t *testing.T) { inMiniature(t, c, name) })
		}
	}
}

func inMiniature(t *testing.T, c job.Case, name string) {
	j := job.Job{Case: c, Peer: name, Time: 4 * time.Millisecond, Token: "token"}
	if c.Size > 0 {
		j.Record = record.Encode(record.New(c.Size))
	}
	server := begin(t, j, loadserver.Serve)
	ready := server.await(job.Ready)
	j.URL = ready.URL
	if c.TLS {
		j.CAFile = filepath.Join(t.TempDir(), "ca.pem")
		if err := os.WriteFile(j.CAFile, []byte(ready.CA), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	connector := begin(t, j, peer.Run)
	configured := server.await(job.Configured).Result
	if configured.Configured <= 0 {
		t.Errorf("configured after %v", configured.Configured)
	}
	connector.tell(job.Settle)
	if report := connector.await(job.Reported).Report; report.Goroutines < 1 {
		t.Errorf("it reports %+v", report)
	}
	if c.Kind != job.Sources {
		connector.tell(job.Begin)
		connector.tell(job.Settle) // its report says that Begin was heard before the load, which is brief
		connector.await(job.Reported)
		server.tell(job.Go)
		if c.Kind != job.Restart {
			server.await(job.Began)
		}
		check(t, c, *server.await(job.Ended).Result)
		connector.tell(job.End)
		if report := connector.await(job.Reported).Report; report.Seconds <= 0 || report.Mallocs == 0 {
			t.Errorf("it reports %+v", report)
		}
	}
	connector.end()
	server.end()
}

func check(t *testing.T, c job.Case, r job.Result) {
	t.Helper()
	switch {
	case c.Kind == job.Restart:
		if r.Back <= 0 || r.MostAccepts < 1 || r.MostAccepts > c.Sources {
			t.Errorf("%+v, with %d sources", r, c.Sources)
		}
	case r.Rate <= 0:
		t.Errorf("rate %v", r.Rate)
	case c.Kind == job.Query:
		if r.P50 < c.Delay || r.P50 <= 0 || r.P99 < r.P50 {
			t.Errorf("p50 %v, p99 %v, with a delay of %v", r.P50, r.P99, c.Delay)
		}
	}
}

func TestAPeerWithoutAServerEndsWithAnError(t *testing.T) {
	for _, c := range []job.Case{{Kind: job.Publish, Sources: 1}, {Kind: job.Sources, Sources: 3}} {
		connector := begin(t, job.Job{Case: c, Peer: job.Raw, URL: "ws://127.0.0.1:1/"}, peer.Run)
		if err := <-connector.ended; err == nil || !strings.Contains(err.Error(), "connection refused") {
			t.Errorf("%s: %v", c.Kind, err)
		}
		_ = connector.stdin.Close()
	}
	if err := peer.Run(t.Context(), job.Job{Peer: "nobody"}, nil, nil); err == nil {
		t.Error("there is a peer that nobody knows")
	}
}
