package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"regexp"
	"time"

	"github.com/vantiq-go/connectorsdk/bench/internal/job"
)

// settings are the flags of run.
type settings struct {
	rounds  int
	time    time.Duration
	cases   pattern
	peers   pattern
	sources int
	idle    time.Duration
	settle  time.Duration // before a peer's memory is looked at
	python  string
	output  string
}

// A pattern is a flag that selects names.
type pattern struct{ *regexp.Regexp }

// Set implements [flag.Value].
func (p *pattern) Set(text string) (err error) {
	p.Regexp, err = regexp.Compile(text)
	return err
}

// String implements [flag.Value].
func (p *pattern) String() string {
	if p.Regexp == nil {
		return ""
	}
	return p.Regexp.String()
}

// selects reports whether the pattern occurs in a name. The empty one does.
func (p *pattern) selects(name string) bool { return p.Regexp == nil || p.MatchString(name) }

func runCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var o settings
	flags := flag.NewFlagSet("bench run", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&o.rounds, "rounds", 5, "how often every case is run")
	flags.DurationVar(&o.time, "time", 2*time.Second, "how long a peer is under load, a quarter of it to warm up")
	flags.Var(&o.cases, "case", "run only cases whose name matches this `regexp`")
	flags.Var(&o.peers, "peer", "run only peers whose name matches this `regexp`")
	flags.IntVar(&o.sources, "sources", 10_000, "the most sources that a case has")
	flags.DurationVar(&o.idle, "idle", 36*time.Second, "how long most sources are watched while they have nothing to do")
	flags.DurationVar(&o.settle, "settle", 3*time.Second, "how long before a peer's memory is looked at, and before the server restarts")
	flags.StringVar(&o.python, "python", "", "the Python `interpreter` that has the official SDK (default: the one that python-setup has made, else python3)")
	flags.StringVar(&o.output, "o", "", "record every run in this `file`, as JSON")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 || o.rounds < 1 || o.time <= 0 || o.sources < 1 {
		return fmt.Errorf("run takes positive numbers, and no arguments but flags; see -help")
	}
	if err := o.findPython(ctx, stderr); err != nil {
		return err
	}
	made := recording{Machine: thisMachine(ctx)}
	var err error
	made.Runs, err = o.runAll(ctx, stderr)
	for _, t := range tables(made.Runs) {
		t.print(stdout, false)
	}
	if o.output != "" && len(made.Runs) > 0 {
		err = errors.Join(err, made.save(o.output))
	}
	return err
}

// runAll runs every case with every peer, round by round, and returns what it has when something fails.
func (o settings) runAll(ctx context.Context, progress io.Writer) (runs, error) {
	var all runs
	for round := 1; round <= o.rounds; round++ {
		for _, c := range job.Cases(o.sources) {
			if !o.cases.selects(c.Name) {
				continue
			}
			for _, peer := range c.Peers() {
				if !o.peers.selects(peer) || peer == job.Python && o.python == "" {
					continue
				}
				r, err := o.measure(ctx, c, peer)
				if ctx.Err() != nil {
					return all, errors.New("interrupted; what is above was complete before")
				}
				if err != nil {
					return all, fmt.Errorf("%s, %s: %w", c.Name, peer, err)
				}
				r.Round = round
				all = append(all, r)
				_, _ = fmt.Fprintf(progress, "%d/%d %-14s %-10s %s\n", round, o.rounds, c.Name, peer, r.brief())
			}
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no case is called like -case %s with a peer like -peer %s", &o.cases, &o.peers)
	}
	return all, nil
}
