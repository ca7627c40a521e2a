package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/vantiq-go/connectorsdk/bench/internal/job"
)

// TestMain lets the tests' own binary be a server or a peer, too.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && (os.Args[1] == "serve" || os.Args[1] == "peer") {
		main()
		return
	}
	_ = os.Setenv("GORACE", "atexit_sleep_ms=0") // or each process takes a second to end
	goleak.VerifyTestMain(m)
}

// brief are settings with which a run is over soon, though not before a peer on a busy machine hears that it has begun.
var brief = settings{rounds: 1, time: 200 * time.Millisecond, idle: time.Millisecond, settle: time.Millisecond, sources: 2}

func TestEveryKindInProcessesOfItsOwn(t *testing.T) {
	seen := map[job.Kind]bool{}
	for _, c := range job.Cases(2) {
		if seen[c.Kind] && !c.Idle {
			continue
		}
		seen[c.Kind] = true
		c.Rows, c.Away = min(c.Rows, 2000), min(c.Away, time.Millisecond)
		t.Run(c.Name, func(t *testing.T) {
			r, err := brief.measure(t.Context(), c, job.SDK)
			if err != nil {
				t.Fatal(err)
			}
			checkRun(t, r)
		})
	}
}

func checkRun(t *testing.T, r run) {
	t.Helper()
	wrong := r.ServerShare < 0 || r.PeerShare < 0 || r.IdleShare < 0
	switch r.Case.Kind {
	case job.Sources:
		wrong = wrong || r.Configured <= 0 || r.RSS < 1<<20 || r.Goroutines < r.Case.Sources
	case job.Restart:
		wrong = wrong || r.Back <= 0 || r.Configured <= 0 || r.MostAccepts < 1
	case job.Rows:
		wrong = wrong || r.Rate <= 0 || r.RSS < 1<<20 || r.PeakRSS < 1<<20
	default:
		wrong = wrong || r.Rate <= 0 || r.Mallocs <= 0
	}
	if wrong {
		t.Errorf("%+v", r)
	}
}

func TestRunPrintsAndRecords(t *testing.T) {
	file := t.TempDir() + "/runs.json"
	var out, progress bytes.Buffer
	args := strings.Fields("run -rounds 2 -time 20ms -case ^query-1$ -peer raw|json -o " + file)
	if err := command(t.Context(), args, nil, &out, &progress); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "\nQuery") || strings.Count(out.String(), "\n") != 5 {
		t.Errorf("it prints\n%s", &out)
	}
	_, all, err := load([]string{file})
	if err != nil || len(all) != 4 {
		t.Fatalf("%d runs (%v)", len(all), err)
	}
	// Peers take turns within a round.
	for i, want := range []string{"1/2 query-1 raw", "1/2 query-1 json", "2/2 query-1 raw", "2/2 query-1 json"} {
		line := strings.Join(strings.Fields(strings.Split(progress.String(), "\n")[i]), " ")
		if !strings.HasPrefix(line, want) {
			t.Errorf("%q, want %q", line, want)
		}
	}
}

func TestWrongUse(t *testing.T) {
	for _, args := range []string{"", "walk", "run -rounds 0", "run all", "run -case (", "run -peer raw -case nothing", "table", "chart", "serve", "peer {", "run -python /nowhere -peer python"} {
		if err := command(t.Context(), strings.Fields(args), strings.NewReader(""), io.Discard, io.Discard); err == nil {
			t.Errorf("bench %s: no error", args)
		}
	}
	if err := command(t.Context(), []string{"run", "-help"}, nil, io.Discard, io.Discard); err != nil {
		t.Error(err)
	}
}

func TestAProcessThatDiesIsReportedWithItsLastWords(t *testing.T) {
	o := brief
	o.python = "false" // a program that ends at once
	_, err := o.measure(t.Context(), job.Cases(1)[0], job.Python)
	if err == nil || !strings.Contains(err.Error(), "peer python has ended: exit status 1") {
		t.Error(err)
	}
	_, err = brief.measure(t.Context(), job.Cases(1)[0], "nobody")
	if err == nil || !strings.Contains(err.Error(), `bench: there is no peer "nobody"`) {
		t.Error(err)
	}
}

func TestTheEndOfTheContextEndsTheProcesses(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	o := settings{rounds: 1, time: time.Hour, cases: pattern{regexp.MustCompile("^query-1$")}, peers: pattern{regexp.MustCompile("raw")}, sources: 1}
	server, err := start(ctx, "server", []string{os.Args[0], "serve"}, t.TempDir(), job.Job{Case: job.Cases(1)[0]})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := server.await(ctx, job.Ready, nil); err != nil {
		t.Fatal(err)
	}
	cancel()
	<-server.gone
	if _, err := o.runAll(ctx, io.Discard); err == nil {
		t.Error("it runs on")
	}
}

func TestPythonPeer(t *testing.T) {
	o := brief
	o.python = os.Getenv("BENCH_PYTHON")
	if o.python == "" {
		t.Skip("BENCH_PYTHON names no interpreter with the official SDK; see \"bench python-setup\"")
	}
	for _, c := range job.Cases(2) {
		if c.TLS {
			continue
		}
		c.ReportEvery, c.Rows, c.Away = min(c.ReportEvery, 10), min(c.Rows, 2000), min(c.Away, time.Millisecond)
		r, err := o.measure(t.Context(), c, job.Python)
		if err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		r.Mallocs, r.Goroutines = 1, c.Sources // which it does not know
		checkRun(t, r)
	}
}
