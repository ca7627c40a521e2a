package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os/signal"
	"syscall"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/vantiq-go/connectorsdk/cmd/vantiqdev/internal/doctor"
)

// doctorCommand is the subcommand doctor.
func doctorCommand() *cli.Command {
	var o doctor.Options
	var asJSON bool
	return explained(&cli.Command{
		Name:  "doctor",
		Usage: "walk the way of a connector to Vantiq, and say what is wrong with it",
		Description: `Doctor reads the configuration as a connector does, and goes to the server that it names: proxy, name, TCP, TLS,
WebSocket, token. Run it where the connector runs: in its directory, with its environment. Each step is a line:

	✓ right   ✗ wrong   ! right, but look at it   – not done

with what to do indented below. Nothing secret is shown. Exit code 0: nothing is wrong; 1: something is; 2: the command
line is.

It stops before it connects the sources. With -connect it does, with a reconnect secret of its own, so that a running
connector keeps its source and doctor is refused. A source that no connector has is doctor's for a moment: what Vantiq
publishes or asks just then is lost, and a connector that comes back just then is refused once, and tries again.`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "config", Destination: &o.File,
				Usage: "read this `FILE` instead of serverConfig/server.config or server.config"},
			&cli.BoolFlag{Name: "connect", Destination: &o.Connect,
				Usage: "connect each source for a moment, unless a connector has it"},
			&cli.BoolFlag{Name: "json", Destination: &asJSON,
				Usage: "print one JSON document, when all is done: the same, for scripts"},
			&cli.DurationFlag{Name: "timeout", DefaultText: "10s", Value: 10 * time.Second, Destination: &o.Timeout,
				Usage: "wait no longer than this `DURATION` for any single answer"},
		},
		Action: func(ctx context.Context, c *cli.Command) error {
			switch {
			case c.Args().Present():
				return misused(c, "what is %q? To read another configuration: -config FILE", c.Args().First())
			case o.Timeout <= 0:
				return misused(c, "invalid value %q for flag -timeout: it must be more than 0, like 10s", o.Timeout)
			}
			ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			out := newScreen(c.Root().Writer, c.Root().ErrWriter).out
			examine := examineInText
			if asJSON {
				examine = examineInJSON
			}
			if failed := examine(ctx, o, out); failed > 0 {
				return errSaid
			}
			return nil
		},
	}, `
vantiqdev doctor                       in the directory and with the environment of the connector
vantiqdev doctor -connect              try the sources, too: not while somebody relies on them
vantiqdev doctor -config my.config     another configuration
vantiqdev doctor -json -timeout 3s     for scripts
`)
}

// examineInText shows each step as soon as it is over.
func examineInText(ctx context.Context, o doctor.Options, out stream) (failed int) {
	failed, warnings := doctor.Examine(ctx, o, func(s doctor.Step) {
		mark := marks[s.Status]
		detail := s.Detail
		if s.Source != "" {
			detail = s.Source + ": " + detail
		}
		_, _ = fmt.Fprintf(out, "%s %-15s %s\n", out.paint(mark.style, mark.text), titles[s.ID], detail)
		for _, line := range s.Advice {
			_, _ = fmt.Fprintf(out, "    %s\n", line)
		}
	})
	_, _ = fmt.Fprintf(out, "\n%s\n", verdict(failed, warnings))
	return failed
}

func verdict(failed, warnings int) string {
	switch {
	case failed > 1:
		return fmt.Sprintf("%d steps failed: begin with the first.", failed)
	case failed == 1:
		return "1 step failed."
	case warnings > 0:
		return "Nothing is wrong; " + count(warnings, "warning") + "."
	}
	return "Nothing is wrong."
}

// marks stand at the beginning of a step's line.
var marks = map[doctor.Status]struct {
	text  string
	style style
}{
	doctor.OK:      {"✓", green},
	doctor.Warning: {"!", yellow},
	doctor.Failed:  {"✗", red},
	doctor.Skipped: {"–", dim},
}

// titles are what people call the steps.
var titles = map[doctor.ID]string{
	doctor.File:     "configuration",
	doctor.Keys:     "properties",
	doctor.Values:   "values",
	doctor.Token:    "token",
	doctor.Sources:  "sources",
	doctor.Proxy:    "proxy",
	doctor.Name:     "name",
	doctor.TCP:      "TCP",
	doctor.TLS:      "TLS",
	doctor.Upgrade:  "WebSocket",
	doctor.Accepted: "token accepted",
	doctor.Source:   "connect",
	doctor.Probe:    "health port",
}

// examineInJSON shows all steps at the end.
func examineInJSON(ctx context.Context, o doctor.Options, out stream) (failed int) {
	var report struct {
		OK       bool          `json:"ok"`
		Failed   int           `json:"failed"`
		Warnings int           `json:"warnings"`
		Steps    []doctor.Step `json:"steps"`
	}
	report.Failed, report.Warnings = doctor.Examine(ctx, o, func(s doctor.Step) { report.Steps = append(report.Steps, s) })
	report.OK = report.Failed == 0
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false) // people read it, too
	_ = encoder.Encode(report)   // nobody could be told
	return report.Failed
}
