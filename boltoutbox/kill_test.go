package boltoutbox_test

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/vantiq-go/connectorsdk/boltoutbox"
	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

var kills = flag.Int("kills", 200, "how often TestKilledProcessLosesNothing kills a connector")

var _ = addRole("connector", playConnector)

// Names in the killed connector.
const (
	killSources = 2
	killSenders = 3 // of each source
)

// A sent is a notification of the killed connector: the n-th of a sender in a run.
type sent struct{ Run, Sender, N int }

// playConnector serves sources with a durable outbox, sends as much as it can, and writes a line for each notification that
// was accepted, until it is killed. With run 0 it sends nothing of its own, and ends when all that was left is delivered.
// Arguments: server, file, run, sync.
func playConnector() {
	run, _ := strconv.Atoi(os.Args[3])
	outbox, err := boltoutbox.Open(os.Args[2], boltoutbox.Options{
		NoSync: os.Args[4] == "false",
		Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	fatal(err)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var running, delivered sync.WaitGroup
	for s := range killSources {
		c, err := connector.New(sourceName(s), connector.Options{
			TargetServer:    os.Args[1],
			AuthToken:       "local-token",
			ReconnectSecret: "the-same-for-all-runs",
			Outbox:          outbox,
		})
		fatal(err)
		running.Go(func() { fatal(c.Run(ctx)) })
		if run == 0 {
			delivered.Go(func() { fatal(c.Flush(ctx)) })
			continue
		}
		for sender := range killSenders {
			delivered.Go(func() {
				for n := 0; ; n++ {
					fatal(c.SendNotification(ctx, sent{run, sender, n}))
					fmt.Fprintln(os.Stdout, s, run, sender, n) //nolint:errcheck // nobody is left to tell
				}
			})
		}
	}
	delivered.Wait()
	stop()
	running.Wait()
	fatal(outbox.Close())
}

func fatal(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func sourceName(s int) string { return fmt.Sprint("Source", s) }

// A ledger knows what was accepted and what has arrived, for one source.
type ledger struct {
	mu       sync.Mutex
	accepted map[sent]bool
	arrived  map[sent]bool
	latest   map[[2]int]int // the newest n of a sender in a run
	run      int            // the newest
	copies   int
	disorder []string
}

func newLedger() *ledger {
	return &ledger{accepted: map[sent]bool{}, arrived: map[sent]bool{}, latest: map[[2]int]int{}}
}

func (l *ledger) arrive(event protocol.Document) {
	var m sent
	if err := event.Decode(&m); err != nil {
		panic(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.arrived[m] {
		l.copies++
		return
	}
	l.arrived[m] = true
	if newest, known := l.latest[[2]int{m.Run, m.Sender}]; m.Run < l.run || known && m.N < newest {
		l.disorder = append(l.disorder, fmt.Sprintf("%+v came after run %d, n %d", m, l.run, newest))
	}
	l.run, l.latest[[2]int{m.Run, m.Sender}] = m.Run, m.N
}

func (l *ledger) accept(m sent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.accepted[m] = true
}

// Connectors with the same outbox are killed one after the other, at any instant of their lives.
func TestKilledProcessLosesNothing(t *testing.T) {
	for _, test := range []struct {
		name  string
		sync  bool
		kills int
	}{
		{"accepted is on the disk", true, *kills},
		{"NoSync", false, *kills / 4},
	} {
		t.Run(test.name, func(t *testing.T) { killConnectors(t, test.kills, test.sync) })
	}
}

func killConnectors(t *testing.T, kills int, sync bool) {
	server := vantiqtest.NewServer()
	t.Cleanup(server.Close)
	var sources [killSources]*vantiqtest.Source
	var ledgers [killSources]*ledger
	for s := range sources {
		sources[s], ledgers[s] = server.Source(sourceName(s), nil), newLedger()
		sources[s].HandleNotifications(ledgers[s].arrive)
	}
	path := filepath.Join(t.TempDir(), "outbox.db")
	start := func(run int) (wait func() error, kill func() error) {
		cmd := child(t, "connector", server.URL(), path, strconv.Itoa(run), strconv.FormatBool(sync))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return func() error {
			note(ledgers[:], out)
			return cmd.Wait()
		}, cmd.Process.Kill
	}
	random := rand.New(rand.NewPCG(5, uint64(kills)))
	for run := 1; run <= kills; run++ {
		modes := []vantiqtest.Acknowledgements{{}, {}, {Withheld: true}}
		for _, s := range sources {
			s.SetAcknowledgements(modes[random.IntN(len(modes))])
		}
		wait, kill := start(run)
		time.AfterFunc(time.Duration(random.Int64N(int64(150*time.Millisecond))), func() { _ = kill() })
		if err := wait(); err == nil {
			t.Fatalf("run %d ended by itself", run)
		}
	}
	for _, s := range sources {
		s.SetAcknowledgements(vantiqtest.Acknowledgements{})
	}
	wait, kill := start(0)
	defer time.AfterFunc(time.Minute, func() { _ = kill() }).Stop()
	if err := wait(); err != nil {
		t.Fatalf("the last run: %v", err)
	}
	for s, l := range ledgers {
		lost := 0
		for m := range l.accepted {
			if !l.arrived[m] {
				lost++
			}
		}
		t.Logf("%s: %d kills, %d accepted, %d lost, %d more than once, %d out of order", sourceName(s), kills, len(l.accepted), lost, l.copies, len(l.disorder))
		if lost > 0 || len(l.disorder) > 0 || len(l.accepted) < kills {
			t.Errorf("%.5v", l.disorder)
		}
	}
}

// note reads what a connector says that it has accepted.
func note(ledgers []*ledger, out io.Reader) {
	for lines := bufio.NewReader(out); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			return // it was killed
		}
		var s int
		var m sent
		if _, err := fmt.Sscan(line, &s, &m.Run, &m.Sender, &m.N); err == nil {
			ledgers[s].accept(m)
		}
	}
}
