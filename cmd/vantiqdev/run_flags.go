package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"time"

	"github.com/vantiq-go/connectorsdk/protocol"
)

// runFlags is what the command line of run says.
type runFlags struct {
	program string
	args    []string // for the program

	config             string
	directory          string // where the program runs, if not here
	ownConfig          string // the server.config there
	once               bool
	timeout            time.Duration
	sample             sample
	expectNotification bool
}

// A sample is what the local Vantiq does with each source.
type sample struct {
	config  documentFlag // the source's configuration
	publish documentFlag
	query   documentFlag // the SELECT's parameters
}

const runUsage = `Run starts a local Vantiq where server.config says that Vantiq is, and a connector that connects to it. It
publishes a sample message to each source, sends it a sample query, shows what comes of it, and goes on until Ctrl-C.

PROGRAM is a Go package, like ./examples/echo-connector, or an executable. It runs in this directory, with the same
environment and the arguments that follow it. A directory that has a server.config of its own is also where it runs, and a
vantiqdev.json there says what -config-json, -publish, -query and -expect-notification are by default:

	{"config": {}, "publish": {"text": "hello"}, "query": {"limit": 3}, "expectNotification": true}

Usage:

	vantiqdev run [flags] PROGRAM [arguments of PROGRAM]

Flags:

`

// parseRunFlags reads a command line. It writes the help to out if that is asked for, and returns flag.ErrHelp.
func parseRunFlags(args []string, out io.Writer) (runFlags, error) {
	f := runFlags{sample: sample{
		config:  documentOf(`{}`),
		publish: documentOf(`{"text":"hello"}`),
		query:   documentOf(`{"limit":3}`),
	}}
	set := flag.NewFlagSet("run", flag.ContinueOnError)
	set.SetOutput(io.Discard) // errors are returned
	set.StringVar(&f.config, "config", "",
		"read this `FILE` instead of serverConfig/server.config or server.config, and start PROGRAM with -config FILE")
	set.BoolVar(&f.once, "once", false, "end after the sample exchange: exit code 0, or 1 if it did not complete")
	set.DurationVar(&f.timeout, "timeout", 30*time.Second, "how long the sample exchange may take, from the start of PROGRAM")
	set.Var(&f.sample.config, "config-json", "the sources' configuration, a `JSON` object (default {})")
	set.Var(&f.sample.publish, "publish", "the sample message, a `JSON` object")
	set.Var(&f.sample.query, "query", "the parameters of the sample query, a `JSON` object")
	set.BoolVar(&f.expectNotification, "expect-notification", false,
		"the sample exchange is not complete without a notification behind the sample message, whatever it says\n(default as in vantiqdev.json, with its samples)")
	if err := set.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			_, _ = fmt.Fprint(out, runUsage)
			set.SetOutput(out)
			set.PrintDefaults()
		}
		return f, err
	}
	if set.NArg() == 0 {
		return f, errors.New("PROGRAM is missing: name a Go package or an executable, like ./examples/echo-connector")
	}
	f.program, f.args = set.Arg(0), set.Args()[1:]
	if f.timeout <= 0 {
		return f, fmt.Errorf("invalid value %q for flag -timeout: it must be more than 0, like 30s", f.timeout)
	}
	given := make(map[string]bool)
	set.Visit(func(g *flag.Flag) { given[g.Name] = true })
	return f, f.takeSurroundings(given)
}

// A documentFlag is a flag whose value is a JSON object.
type documentFlag struct{ protocol.Document }

func documentOf(text string) documentFlag {
	d, err := protocol.NewDocument(json.RawMessage(text))
	if err != nil {
		panic(err)
	}
	return documentFlag{d}
}

// Set implements flag.Value.
func (f *documentFlag) Set(text string) error {
	d, err := protocol.NewDocument(json.RawMessage(text))
	if err != nil {
		return fmt.Errorf(`not a JSON object (%w): write it like '{"text":"hello"}', in single quotes`, err)
	}
	f.Document = d
	return nil
}
