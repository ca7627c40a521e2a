// Chaos runs connectors against a local Vantiq, over real sockets, while faults strike at random, and checks all the
// while what the SDK promises. It ends with status 1 and says why as soon as a promise is broken.
//
//	go run ./internal/chaos                                     a minute on a fresh seed
//	go run -race ./internal/chaos -seed 42                      the same faults as another run with that seed
//	go run ./internal/chaos -duration 30m -sources 100 -rate 16 ten thousand faults, more than a million notifications
//
// The plan of faults (which, at which source, when, with which parameters) follows from the seed; what the machine makes
// of it does not, so a violation may need several runs to show again. What is checked stands in invariants.go, what can
// happen in faults.go and, to a process with the durable outbox, in child.go.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"time"
)

func main() {
	if order := os.Getenv(childOrder); order != "" {
		os.Exit(beChild(order)) //nolint:forbidigo // main may end the process
	}
	os.Exit(command(os.Args[1:], os.Stdout, os.Stderr)) //nolint:forbidigo // main may end the process
}

// Exit codes.
const (
	exitDone     = 0
	exitViolated = 1
	exitUsage    = 2
)

// settings are the flags.
type settings struct {
	seed              uint64
	duration          time.Duration
	sources, children int
	every             time.Duration
	rate              int
	json              bool
	childArgs         []string     // with which this executable becomes a child, beside its environment
	tamper            func(*chaos) // called when all is connected, by tests
}

func command(args []string, stdout, stderr io.Writer) int {
	var o settings
	flags := flag.NewFlagSet("chaos", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Uint64Var(&o.seed, "seed", rand.Uint64N(1e9), "`number` that the plan of faults follows from (default: a fresh one)")
	flags.DurationVar(&o.duration, "duration", time.Minute, "how long faults strike; quiet moments, in which all must settle, come on top")
	flags.IntVar(&o.sources, "sources", 20, "how many sources in this process")
	flags.IntVar(&o.children, "children", 2, "how many child processes with the durable outbox")
	flags.DurationVar(&o.every, "every", 5*time.Second, "mean time between two faults at a source")
	flags.IntVar(&o.rate, "rate", 40, "how large the bursts of notifications are; about twice as many leave a source each second")
	flags.BoolVar(&o.json, "json", false, "print the figures as JSON")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return exitDone
	case err != nil:
		return exitUsage
	case flags.NArg() > 0 || o.duration <= 0 || o.sources < 1 || o.children < 0 || o.every <= 0 || o.rate < 1:
		say(stderr, "chaos: use positive numbers, and no arguments but flags; see -help\n")
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	return o.run(ctx, stdout, stderr)
}

// run runs chaos and prints what came of it.
func (o settings) run(ctx context.Context, stdout, stderr io.Writer) int {
	say(stderr, "chaos: seed %d\n", o.seed)
	figures, err := run(ctx, o, stderr)
	if err != nil {
		say(stderr, "\nchaos: seed %d: %v\n", o.seed, err)
		return exitViolated
	}
	if o.json {
		figures.printJSON(stdout)
	} else {
		figures.print(stdout)
	}
	return exitDone
}

// say writes to a terminal or a pipe: nobody could be told that it failed.
func say(w io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }
