package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/vantiq-go/connectorsdk/protocol"
)

// runFlags is what the command line of run says.
type runFlags struct {
	argument string   // PROGRAM
	args     []string // for it

	config             string
	workplace          string // where the program runs, if not here
	ownConfig          string // the server.config there
	devFile            string // beside it
	once               bool
	watch              bool
	console            consoleFlag
	timeout            time.Duration
	sample             sample
	given              func(flag string) bool
	expectNotification bool
}

// A sample is what the local Vantiq does with each source.
type sample struct {
	config  documentFlag // the source's configuration
	publish documentFlag
	query   documentFlag // the SELECT's parameters
}

// runCommand is the subcommand run, which does run with what the command line says.
func runCommand(run func(runFlags, *screen) error) *cli.Command {
	f := runFlags{sample: sample{
		config:  documentOf(`{}`),
		publish: documentOf(`{"text":"hello"}`),
		query:   documentOf(`{"limit":3}`),
	}}
	first := 1
	return explained(&cli.Command{
		Name:         "run",
		Usage:        "run a connector with a local Vantiq, and show what they say to each other",
		ArgsUsage:    "PROGRAM [arguments of PROGRAM]",
		StopOnNthArg: &first,
		Description: `Run starts a local Vantiq where server.config says that Vantiq is, and a connector that connects to it. It
publishes a sample message to each source, sends it a sample query, shows what comes of it, and goes on until Ctrl-C.

PROGRAM is a Go package, like ./examples/echo-connector, or an executable. It runs in this directory, with the same
environment and the arguments that follow it. A directory that has a server.config of its own is also where it runs.

A vantiqdev.json in that directory, or in this one if PROGRAM is none, says what -config-json, -publish, -query and
-expect-notification are by default, and what single sources are configured with; what changes there takes effect at once:

	{"config": {}, "publish": {"text": "hello"}, "query": {"limit": 3}, "expectNotification": true,
	 "sources": {"OtherSource": {"prefix": "> "}}}`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "config", Destination: &f.config,
				Usage: "read this `FILE` instead of serverConfig/server.config or server.config, and start PROGRAM\n" +
					"with -config FILE, unless it may be an interpreter"},
			&cli.BoolFlag{Name: "once", Destination: &f.once,
				Usage: "end after the sample exchange: exit code 0, or 1 if it did not complete"},
			&cli.BoolFlag{Name: "watch", Destination: &f.watch,
				Usage: "build and start PROGRAM anew when its Go sources change; an executable, when it or a file among its\n" +
					"arguments changes"},
			f.console.flag(),
			&cli.DurationFlag{Name: "timeout", DefaultText: "30s", Value: 30 * time.Second, Destination: &f.timeout,
				Usage: "the sample exchange may take this `DURATION` from the start of PROGRAM"},
			&cli.GenericFlag{Name: "config-json", Value: &f.sample.config, DefaultText: "{}",
				Usage: "the sources' configuration, a `JSON` object"},
			&cli.GenericFlag{Name: "publish", Value: &f.sample.publish, DefaultText: `{"text":"hello"}`,
				Usage: "the sample message, a `JSON` object; null for none"},
			&cli.GenericFlag{Name: "query", Value: &f.sample.query, DefaultText: `{"limit":3}`,
				Usage: "the parameters of the sample query, a `JSON` object; null for none"},
			&cli.BoolFlag{Name: "expect-notification", Destination: &f.expectNotification,
				Usage: "the sample exchange is not complete without a notification behind the sample message, whatever it says\n" +
					"(default as in vantiqdev.json, with its samples)"},
		},
		Action: func(_ context.Context, c *cli.Command) error {
			if err := f.complete(c); err != nil {
				return &usageError{c.FullName(), err}
			}
			return run(f, newScreen(c.Root().Writer, c.Root().ErrWriter))
		},
	}, `
vantiqdev run ./examples/echo-connector                           a Go package, built first
vantiqdev run -watch .                                            build and start it anew when its Go sources change
vantiqdev run -once .                                             for scripts: it tries the connector, and ends
vantiqdev run -publish '{"text":"hi"}' -query '{"limit":1}' .     something else than the usual samples
vantiqdev run -config my.config ./my-connector -verbose           an executable in any language, and its arguments
`)
}

// complete takes from the arguments, and from PROGRAM's directory, what the flags leave open.
func (f *runFlags) complete(c *cli.Command) error {
	if !c.Args().Present() {
		return errors.New("PROGRAM is missing: name a Go package or an executable, like ./examples/echo-connector")
	}
	f.argument, f.args = c.Args().First(), c.Args().Tail()
	if f.timeout <= 0 {
		return fmt.Errorf("invalid value %q for flag -timeout: it must be more than 0, like 30s", f.timeout)
	}
	f.console.given = c.IsSet("console")
	if f.once && f.watch {
		return errors.New("-once and -watch exclude each other")
	}
	f.given = c.IsSet
	return f.takeSurroundings()
}

// takeSurroundings takes from PROGRAM's directory what the command line leaves open: its server.config, which is then
// also where it runs, and its samples. Those of an executable are in the working directory.
func (f *runFlags) takeSurroundings() error {
	directory := ""
	if info, err := os.Stat(f.argument); err == nil && info.IsDir() {
		directory = f.argument
	}
	for _, name := range []string{filepath.Join("serverConfig", "server.config"), "server.config"} {
		if _, err := os.Stat(filepath.Join(directory, name)); err == nil && f.config == "" && directory != "" {
			f.workplace, f.ownConfig = directory, filepath.Join(directory, name)
			break
		}
	}
	f.devFile = filepath.Join(directory, devFileName)
	file, err := readDevFile(f.devFile)
	if err != nil {
		return err
	}
	for _, member := range []struct {
		name string
		text json.RawMessage
		flag *documentFlag
	}{
		{"config-json", file.Config, &f.sample.config},
		{"publish", file.Publish, &f.sample.publish},
		{"query", file.Query, &f.sample.query},
	} {
		if member.text != nil && !f.given(member.name) {
			if err := member.flag.Set(string(member.text)); err != nil {
				return err // readDevFile has checked it
			}
		}
	}
	if !f.given("expect-notification") && !f.given("config-json") && !f.given("publish") {
		f.expectNotification = file.ExpectNotification
	}
	return nil
}

// configFile returns the configuration to read; empty means the usual one.
func (f *runFlags) configFile() string { return cmp.Or(f.config, f.ownConfig) }

// namespace returns what the local Vantiq is to have for a target.
func (f *runFlags) namespace(t target) (namespace, error) {
	n := namespace{tokens: []string{t.token}}
	var file devFile
	if f.devFile != "" {
		var err error
		if file, err = readDevFile(f.devFile); err != nil {
			return n, err
		}
	}
	n.samples = file.samples()
	if f.given("publish") && !f.sample.publish.none {
		n.samples.Publish = f.sample.publish.Raw()
	}
	if f.given("query") && !f.sample.query.none {
		n.samples.Query = f.sample.query.Raw()
	}
	common := f.sample.config
	if file.Config != nil && !f.given("config-json") {
		_ = common.Set(string(file.Config)) // readDevFile has checked it
	}
	for _, name := range t.sources {
		config := common
		if own, ok := file.Sources[name]; ok && !f.given("config-json") {
			_ = config.Set(string(own))
		}
		n.sources = append(n.sources, configuredSource{name, config.Document})
	}
	return n, nil
}

// A documentFlag is a flag whose value is a JSON object, or null.
type documentFlag struct {
	protocol.Document
	none bool // null
}

func documentOf(text string) documentFlag {
	d, err := protocol.NewDocument(json.RawMessage(text))
	if err != nil {
		panic(err)
	}
	return documentFlag{Document: d}
}

// Get implements cli.Value.
func (f *documentFlag) Get() any { return f.Document }

// Set implements cli.Value.
func (f *documentFlag) Set(text string) error {
	if f.none = strings.TrimSpace(text) == "null"; f.none {
		f.Document = protocol.Document{}
		return nil
	}
	d, err := objectOf(json.RawMessage(text))
	if err != nil {
		return fmt.Errorf(`%w: write it like '{"text":"hello"}', in single quotes`, err)
	}
	f.Document = d
	return nil
}

// objectOf returns a JSON object, or says that a text is none.
func objectOf(text json.RawMessage) (protocol.Document, error) {
	d, err := protocol.NewDocument(text)
	switch {
	case err == nil:
		return d, nil
	case json.Valid(text):
		return d, errors.New("not a JSON object, but other JSON")
	}
	return d, fmt.Errorf("not a JSON object (%w)", err)
}
