// Vantiqdev is a connector developer's tool: it gives a connector a Vantiq on this machine, without an account, and shows
// what the two say to each other.
//
//	go run ./cmd/vantiqdev run ./examples/echo-connector
//
// "vantiqdev -h" lists its commands, and "vantiqdev run -h" says what one of them does, examples first.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"

	"github.com/urfave/cli/v3"
)

func main() { os.Exit(vantiqdev(os.Args[1:], os.Stdout, os.Stderr)) }

// Exit codes.
const (
	exitDone   = 0
	exitFailed = 1 // something is wrong with the connector or its surroundings
	exitUsage  = 2 // the command line is wrong
)

// errSaid makes vantiqdev exit with exitFailed when everything has been said already.
var errSaid = errors.New("failed")

// vantiqdev does what a command line says, and returns the exit code.
func vantiqdev(args []string, stdout, stderr io.Writer) int {
	if len(args) > 0 && args[0] == "help" { // as one asks git and go
		args = append(args[1:], "-h")
	}
	tool := newTool(stdout, stderr)
	if len(args) == 2 && strings.TrimLeft(args[1], "-") == "h" && tool.Command(args[0]) == nil {
		args = args[:1] // which is answered in our words
	}
	err := tool.Run(context.Background(), append([]string{"vantiqdev"}, args...))
	var usage *usageError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &usage):
		_, _ = fmt.Fprintf(stderr, "%s: %v\n%[1]s: see \"%[1]s -h\"\n", usage.command, usage.reason)
		return exitUsage
	case !errors.Is(err, errSaid):
		_, _ = fmt.Fprintln(stderr, err)
	}
	return exitFailed
}

// newTool returns the command line of vantiqdev. Each command has a file of its name.
func newTool(stdout, stderr io.Writer) *cli.Command {
	cli.HelpPrinter = printHelp
	cli.VersionPrinter = func(c *cli.Command) { _, _ = fmt.Fprintln(c.Writer, c.Name, c.Version) }
	return explained(&cli.Command{
		Name:                            "vantiqdev",
		Usage:                           "a Vantiq on this machine, for whoever writes a connector",
		Version:                         version(),
		Writer:                          stdout,
		ErrWriter:                       stderr,
		ExitErrHandler:                  func(context.Context, *cli.Command, error) {}, // vantiqdev does
		EnableShellCompletion:           true,
		ConfigureShellCompletionCommand: explainCompletion,
		Commands: []*cli.Command{
			newCommand(),
			runCommand(run),
			serveCommand(),
			publishCommand(),
			queryCommand(),
			watchCommand(),
			doctorCommand(),
		},
	}, `
vantiqdev new door-connector               begin a connector of your own
vantiqdev run ./examples/echo-connector    run a connector with a local Vantiq, and see what they say to each other
vantiqdev serve                            be a local Vantiq for connectors in any language
vantiqdev publish '{"text":"hello"}'       publish to the source of a running one
vantiqdev doctor                           find out why a connector does not reach Vantiq
`)
}

// version returns that of the module vantiqdev was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(unknown)"
	}
	for _, module := range append(info.Deps, &info.Main) {
		if module.Path == "github.com/vantiq-go/connectorsdk" {
			return module.Version
		}
	}
	return "(unknown)"
}

func explainCompletion(c *cli.Command) {
	for _, shell := range c.Commands {
		if shell.Name == "bash" {
			shell.Action = func(_ context.Context, c *cli.Command) error {
				_, err := io.WriteString(c.Root().Writer, bashCompletion)
				return err
			}
		}
	}
	c.Hidden, c.Description = false, ""
	c.Usage = "print what makes a shell complete vantiqdev's command lines"
	explained(c, `
source <(vantiqdev completion bash)        a line for ~/.bashrc
source <(vantiqdev completion zsh)         a line for ~/.zshrc
vantiqdev completion fish >~/.config/fish/completions/vantiqdev.fish
`)
}
