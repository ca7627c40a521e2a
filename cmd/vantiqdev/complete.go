package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"
)

// bashCompletion makes bash complete vantiqdev's command lines. The one that comes with the library needs the package
// bash-completion, which not everybody has.
const bashCompletion = `_vantiqdev() {
  local current=${COMP_WORDS[COMP_CWORD]} line
  local words=("${COMP_WORDS[@]:0:COMP_CWORD}")
  [[ $current == -* ]] && words+=("$current")
  COMPREPLY=()
  while IFS= read -r line; do
    line=${line%%:*}
    [[ $line == "$current"* ]] && COMPREPLY+=("$line")
  done < <("${words[@]}" --generate-shell-completion 2>/dev/null)
}
complete -o bashdefault -o default -F _vantiqdev vantiqdev
`

// complete prints what may come next on a command line, and what it means: subcommands, or flags, written as our help writes
// them. Where it prints nothing the shell completes names of files.
func complete(_ context.Context, c *cli.Command) {
	given := c.Args().Slice()
	last := ""
	if len(given) > 0 {
		last = given[len(given)-1]
	}
	out := c.Root().Writer
	if !strings.HasPrefix(last, "-") {
		for _, command := range c.VisibleCommands() {
			_, _ = fmt.Fprintf(out, "%s:%s\n", command.Name, command.Usage)
		}
		return
	}
	if c.StopOnNthArg != nil && len(given) > *c.StopOnNthArg {
		return // flags of another program
	}
	dashes := "-"
	if strings.HasPrefix(last, "--") {
		dashes = "--"
	}
	for _, f := range c.VisibleFlags() {
		if d, ok := f.(cli.DocGenerationFlag); ok && d.TakesValue() && slices.Contains(f.Names(), strings.TrimLeft(last, "-")) {
			return // what comes next is its value
		}
	}
	for _, f := range c.VisibleFlags() {
		name := f.Names()[0]
		if d, ok := f.(cli.DocGenerationFlag); ok && strings.HasPrefix(name, strings.TrimLeft(last, "-")) {
			usage, _, _ := strings.Cut(d.GetUsage(), "\n")
			_, _ = fmt.Fprintf(out, "%s%s:%s\n", dashes, name, strings.ReplaceAll(usage, "`", ""))
		}
	}
}
