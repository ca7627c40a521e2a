// Bench measures connectors: how much they get through, how long they take, how much memory and time they need, beside
// what a loop by hand needs for the same, on the same machine in the same minutes.
//
//	go run ./bench run                                    every case, five rounds
//	go run ./bench run -rounds 1 -case '^(publish|query)' some cases, once
//	go run ./bench run -peer '^(raw|sdk)$'                some peers
//	go run ./bench run -o runs.json                       record every run
//	go run ./bench table runs.json                        the same tables again, as Markdown
//	go run ./bench chart -dir docs runs.json              the same as pictures
//	go run ./bench python-setup                           install the official SDK for Python, to be measured as well
//
// Each case runs in two fresh processes: a server, which puts the load on and measures (internal/loadserver), and the
// connector, which is the peer (internal/peer). Peers take turns, case by case, so that a slow minute of the machine is a
// slow minute for all of them. A ratio is that of two runs of the same round; what the tables show of it, and of everything
// else, is the median over the rounds.
//
// "server core" is the share of one core that the server took: as long as it is well below 100 %, the peer was the limit.
// "raw" decodes nothing, has what it sends ready, and writes once per message, with the settings of gorilla's DefaultDialer;
// "json" is the same through map[string]any. Memory and processor time are read from /proc, so it takes Linux to run.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/vantiq-go/connectorsdk/bench/internal/job"
	"github.com/vantiq-go/connectorsdk/bench/internal/loadserver"
	"github.com/vantiq-go/connectorsdk/bench/internal/peer"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := command(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	if err != nil {
		_, _ = fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(1) //nolint:forbidigo // main may end the process
	}
}

var errUsage = errors.New("say what to do: run, table FILE…, chart -dir DIRECTORY FILE…, or python-setup; run -help shows its flags")

// command does what the first argument says. Two commands are for processes that run has started.
func command(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	if len(args) == 0 {
		return errUsage
	}
	var err error
	switch name, args := args[0], args[1:]; name {
	case "run":
		err = runCommand(ctx, args, stdout, stderr)
	case "table":
		err = tableCommand(args, stdout)
	case "chart":
		err = chartCommand(args, stdout, stderr)
	case "python-setup":
		err = pythonSetup(ctx, stdout, stderr)
	case "serve":
		err = child(ctx, args, stdin, stdout, loadserver.Serve)
	case "peer":
		err = child(ctx, args, stdin, stdout, peer.Run)
	default:
		return errUsage
	}
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	return err
}

// child is a server or a peer: its argument is the job.
func child(ctx context.Context, args []string, in io.Reader, out io.Writer, do func(context.Context, job.Job, io.Reader, io.Writer) error) error {
	var j job.Job
	if len(args) != 1 || json.Unmarshal([]byte(args[0]), &j) != nil {
		return errors.New("this command is for processes that \"run\" starts")
	}
	return do(ctx, j, in, out)
}
