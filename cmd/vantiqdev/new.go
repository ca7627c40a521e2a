package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/vantiq-go/connectorsdk/cmd/vantiqdev/internal/scaffold"
)

// newFlags is what the command line of new says.
type newFlags struct {
	module, source, replace string
	noTidy                  bool
}

// newCommand is the subcommand new.
func newCommand() *cli.Command {
	var f newFlags
	return explained(&cli.Command{
		Name:      "new",
		Usage:     "write the project of a new connector, which builds, runs and is tested as it is",
		ArgsUsage: "NAME",
		Description: `New writes a directory NAME with a Go module: a small connector with a typed source configuration, its test, a
server.config for the local Vantiq, a Dockerfile, a Kubernetes manifest, a source type, and a Makefile. It then fetches what the
module depends on ("go mod tidy").

NAME is also that of the program, the image and the Kubernetes objects: lower-case letters, digits and dashes. The type of the
source and the member of its configuration are called after it, like DOOR and doorConfig for door-connector: for a source that is
there already, replace them by its own in deploy/source-type.json and config.go, and wherever else they are. Nothing is
overwritten: the directory must not be there, or be empty.`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "module", Destination: &f.module, DefaultText: "NAME",
				Usage: "the `PATH` of the Go module, like example.com/door-connector"},
			&cli.StringFlag{Name: "source", Destination: &f.source, DefaultText: "after NAME, like DoorSource",
				Usage: "the name of the `SOURCE` in Vantiq; its type and its configuration are called after NAME all the same"},
			&cli.StringFlag{Name: "replace", Destination: &f.replace,
				Usage: "use the SDK in this `DIR`, a checkout, instead of the version that this vantiqdev is of"},
			&cli.BoolFlag{Name: "no-tidy", Destination: &f.noTidy,
				Usage: "fetch nothing"},
		},
		Action: func(ctx context.Context, c *cli.Command) error {
			if c.NArg() > 1 {
				return misused(c, "there is more than one NAME: %s", strings.Join(c.Args().Slice(), ", "))
			}
			p, err := f.project(c.Args().First())
			if err != nil {
				return &usageError{c.FullName(), err}
			}
			ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			s := newScreen(c.Root().Writer, c.Root().ErrWriter)
			if err := f.write(ctx, s, p); err != nil {
				s.complain(c.FullName(), err)
				return errSaid
			}
			return nil
		},
	}, `
vantiqdev new door-connector                                        a directory door-connector, with all there is to a connector
vantiqdev new -module example.com/door-connector door-connector     its Go module has a path of its own
vantiqdev new -source com.example.FrontDoor door-connector          its source is called so; the type is DOOR
`)
}

// project returns what is to be written.
func (f newFlags) project(name string) (scaffold.Project, error) {
	p, err := scaffold.New(name, f.module, f.source)
	if err != nil {
		return p, err
	}
	if f.replace != "" {
		p.SDK, err = scaffold.Checkout(f.replace)
	} else {
		p.SDK, err = scaffold.RunningSDK()
	}
	return p, err
}

// write writes the project below this directory, and says what to do with it.
func (f newFlags) write(ctx context.Context, s *screen, p scaffold.Project) error {
	if err := p.Write("."); err != nil {
		return err
	}
	s.say("%s is written: source %s of type %s, SDK %s", p.Name, p.Source, p.Type, cmp.Or(p.SDK.Replace, p.SDK.Version))
	steps := []string{"cd " + p.Name}
	if f.noTidy {
		steps = append(steps, "go mod tidy")
	} else if err := tidy(ctx, s, p.Name); err != nil {
		return fmt.Errorf("%s is written, but without what it depends on: %w\nto fetch that: cd %[1]s && go mod tidy", p.Name, err)
	}
	if workspace := workspaceOf(ctx, p.Name); workspace != "" {
		steps = append(steps, "go work use .    # it lies in the workspace of "+workspace)
	}
	s.say("and now:")
	for _, step := range append(steps, "go tool vantiqdev run -watch .", "go test ./...") {
		s.show(" ", plain, "    "+step)
	}
	return nil
}

// tidy fetches what the project depends on. With ctx the go command ends, and what it has started.
func tidy(ctx context.Context, s *screen, project string) error {
	done := s.progress("fetching dependencies …")
	began := time.Now()
	output := s.speech(s.err)
	c := exec.Command("go", "mod", "tidy")
	c.Dir, c.Stdout, c.Stderr = project, output, output
	defer done()
	child, err := startProcess(c, output)
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return errors.New("there is no go command; install Go")
	case err != nil:
		return fmt.Errorf("go mod tidy: %w", err)
	}
	select { // there is no telling how long it takes
	case <-child.done:
	case <-ctx.Done():
		child.kill()
		return errInterrupted
	}
	if code, words := child.exit(); code != 0 {
		return fmt.Errorf("go mod tidy %s, see above; the registry that \"go env GOPROXY\" names may be out of reach", words)
	}
	s.say("fetched in %s", short(time.Since(began)))
	return nil
}

// workspaceOf returns the go.work that the go command will find in the project, which knows nothing of it.
func workspaceOf(ctx context.Context, project string) string {
	c := exec.CommandContext(ctx, "go", "env", "GOWORK")
	c.Dir = project
	out, err := c.Output()
	if file := strings.TrimSpace(string(out)); err == nil && file != "off" {
		return file
	}
	return ""
}
