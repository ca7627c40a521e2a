// Vantiqdev is a connector developer's tool: it gives a connector a Vantiq on this machine, without an account, and shows
// what the two say to each other.
//
//	go run ./cmd/vantiqdev run ./examples/echo-connector
//
// "vantiqdev help" lists its commands, and "vantiqdev run -h" the flags of one.
package main

import (
	"fmt"
	"io"
	"os"
)

func main() { os.Exit(vantiqdev(os.Args[1:], os.Stdout, os.Stderr)) }

// A command is a subcommand. It returns the exit code.
type command struct {
	name    string
	summary string
	run     func(args []string, stdout, stderr io.Writer) int
}

var commands = []command{
	{"run", "run a connector with a local Vantiq, and show what they say to each other", runCommand},
}

// Exit codes.
const (
	exitDone   = 0
	exitFailed = 1 // something is wrong with the connector or its surroundings
	exitUsage  = 2 // the command line is wrong
)

func vantiqdev(args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		help(stderr)
		return exitUsage
	}
	switch args[0] {
	case "help", "-h", "-help", "--help":
		help(stdout)
		return exitDone
	}
	for _, c := range commands {
		if c.name == args[0] {
			return c.run(args[1:], stdout, stderr)
		}
	}
	_, _ = fmt.Fprintf(stderr, "vantiqdev: there is no command %q\n\n", args[0])
	help(stderr)
	return exitUsage
}

func help(out io.Writer) {
	_, _ = fmt.Fprint(out, "Vantiqdev is a connector developer's tool.\n\nUsage:\n\n\tvantiqdev COMMAND [flags] …\n\nCommands:\n\n")
	for _, c := range commands {
		_, _ = fmt.Fprintf(out, "\t%-6s %s\n", c.name, c.summary)
	}
	_, _ = fmt.Fprint(out, "\n\"vantiqdev COMMAND -h\" lists the flags of a command.\n")
}
