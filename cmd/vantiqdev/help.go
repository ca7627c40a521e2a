package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/vantiq-go/connectorsdk/internal/spelling"
)

// A usageError is a command line that makes no sense.
type usageError struct {
	command string // that it is about, like "vantiqdev run"
	reason  error
}

func (e *usageError) Error() string { return fmt.Sprintf("%s: %v", e.command, e.reason) }

// misused returns the error of a command that was called wrongly.
func misused(c *cli.Command, format string, args ...any) error {
	return &usageError{c.FullName(), fmt.Errorf(format, args...)}
}

// explained returns a command with help that begins with examples, and with errors that say where the help is.
func explained(c *cli.Command, examples string) *cli.Command {
	c.Metadata = map[string]any{"examples": strings.TrimSpace(examples)}
	c.HideHelpCommand = true
	c.ShellComplete = complete
	c.OnUsageError = func(_ context.Context, c *cli.Command, err error, _ bool) error {
		return &usageError{c.FullName(), clearer(c, err)}
	}
	if c.Action == nil {
		c.Action = needsCommand
	}
	return c
}

// needsCommand is the action of what only has subcommands.
func needsCommand(_ context.Context, c *cli.Command) error {
	name := c.Args().First()
	if name == "" {
		return misused(c, "say what to do, like %q", c.FullName()+" "+c.VisibleCommands()[0].Name)
	}
	err := fmt.Errorf("there is no command %q", name)
	var names []string
	for _, command := range c.VisibleCommands() {
		names = append(names, command.Name)
	}
	if suggestion := spelling.Nearest(name, names); suggestion != "" {
		err = fmt.Errorf("%w; did you mean %q?", err, suggestion)
	}
	return &usageError{c.FullName(), err}
}

// clearer says what is wrong with a flag in our words.
func clearer(c *cli.Command, err error) error {
	text := err.Error()
	if name, unknown := strings.CutPrefix(text, "flag provided but not defined: -"); unknown {
		err := fmt.Errorf("there is no flag -%s", name)
		var names []string
		for _, f := range c.VisibleFlags() {
			names = append(names, f.Names()...)
		}
		if suggestion := spelling.Nearest(name, names); suggestion != "" {
			err = fmt.Errorf("%w; did you mean -%s?", err, suggestion)
		}
		return err
	}
	if name, incomplete := strings.CutPrefix(text, "flag needs an argument: "); incomplete {
		return fmt.Errorf("the flag -%s needs a value", strings.TrimLeft(name, "-"))
	}
	if before, _, number := strings.Cut(text, ": strconv."); number {
		return fmt.Errorf("%s: it must be a number", before)
	}
	if before, _, duration := strings.Cut(text, ": time: "); duration {
		return fmt.Errorf("%s: it must be a duration, like 30s", before)
	}
	return errors.New(text)
}

// printHelp prints what a command does: examples, then the rest.
func printHelp(out io.Writer, _ string, data any) {
	c, ok := data.(*cli.Command)
	if !ok {
		return
	}
	var text strings.Builder
	name := c.FullName()
	fmt.Fprintf(&text, "%s: %s\n", name, c.Usage)
	if examples, ok := c.Metadata["examples"].(string); ok {
		fmt.Fprintf(&text, "\nExamples:\n\n%s\n", indent(examples))
	}
	commands := c.VisibleCommands()
	if len(commands) > 0 {
		fmt.Fprintf(&text, "\nUsage:\n\n\t%s COMMAND [flags] …\n", name)
	} else {
		fmt.Fprintf(&text, "\nUsage:\n\n\t%s\n", strings.TrimSpace(name+" [flags] "+c.ArgsUsage))
	}
	if c.Description != "" {
		fmt.Fprintf(&text, "\n%s\n", strings.TrimSpace(c.Description))
	}
	if len(commands) > 0 {
		text.WriteString("\nCommands:\n\n")
		for _, command := range commands {
			fmt.Fprintf(&text, "\t%-11s %s\n", command.Name, command.Usage)
		}
		fmt.Fprintf(&text, "\n%q says more about one of them.\n", name+" COMMAND -h")
		if c.Version != "" {
			fmt.Fprintf(&text, "%q says which version this is.\n", name+" -version")
		}
	} else if flags := c.VisibleFlags(); len(flags) > 0 {
		text.WriteString("\nFlags:\n\n")
		for _, f := range flags {
			text.WriteString(describe(f))
		}
	}
	_, _ = io.WriteString(out, text.String())
}

// describe says what a flag does, below its name. As in package flag, a name in back quotes is that of its value.
func describe(f cli.Flag) string {
	d, ok := f.(cli.DocGenerationFlag)
	if !ok {
		return f.String() + "\n"
	}
	names := slices.Clone(f.Names())
	slices.SortStableFunc(names, func(a, b string) int { return len(a) - len(b) })
	title, usage := "-"+strings.Join(names, ", -"), d.GetUsage()
	if before, rest, quoted := strings.Cut(usage, "`"); quoted {
		value, after, _ := strings.Cut(rest, "`")
		title, usage = title+" "+value, before+value+after
	}
	if value := d.GetDefaultText(); d.TakesValue() && value != "" {
		usage += " (default: " + value + ")"
	}
	return fmt.Sprintf("\t%s\n%s\n", title, indent(indent(usage)))
}

func indent(text string) string { return "\t" + strings.ReplaceAll(text, "\n", "\n\t") }
