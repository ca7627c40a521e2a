package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"sync/atomic"
	"syscall"

	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// run runs a connector with a local Vantiq. What went wrong has been said when it returns.
func run(flags runFlags, s *screen) error {
	r := &runner{runFlags: flags, screen: s, signals: make(chan os.Signal, 2)}
	signal.Notify(r.signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(r.signals)
	if err := r.run(); err != nil {
		s.complain("vantiqdev run", err)
		return errSaid
	}
	return nil
}

// A runner runs a connector with a local Vantiq.
type runner struct {
	runFlags
	screen    *screen
	signals   chan os.Signal
	target    target
	program   program
	changes   *changes // of the program's sources; nil: nobody watches
	directory string   // for executables
	builds    int
	exchange  atomic.Pointer[exchange] // the one under way
	last      []string                 // to be said when all has been told
}

var errInterrupted = errors.New("interrupted")

func (r *runner) run() error {
	var err error
	if r.target, err = readTarget(r.configFile(), r.workplace); err != nil {
		return err
	}
	if err := r.target.atLoopback(); err != nil {
		return err
	}
	n, err := r.namespace(r.target)
	if err != nil {
		return err
	}
	if r.program, err = find(r.argument); err != nil {
		return err
	}
	r.screen.say("%s: %s", r.target.file, sourceList(r.target.sources))
	if r.directory, err = os.MkdirTemp("", "vantiqdev-"); err != nil {
		return err
	}
	defer os.RemoveAll(r.directory)
	if r.watch {
		if err := r.watchSources(); err != nil {
			return err
		}
		defer r.changes.close()
	}
	if err := r.firstBuild(); err != nil {
		return err
	}
	listener, err := r.target.listen() // not before: nobody would answer there
	if err != nil {
		return err
	}
	defer listener.Close() // for the ways out on which no server has it
	var consoleListener net.Listener
	if !r.once { // it would be gone before anybody looked
		if consoleListener, err = r.console.listen(); err != nil {
			return err
		}
	}
	return r.serve(listener, consoleListener, n)
}

// serve is the local Vantiq of the connector, as long as that runs.
func (r *runner) serve(listener, consoleListener net.Listener, n namespace) error {
	tell := narrate(newNarrator(r.screen, r.target.sources, func(e vantiqtest.Event) {
		if x := r.exchange.Load(); x != nil {
			x.offer(e)
		}
	}))
	l := startLocal(tell, false, listener, consoleListener, n)
	r.screen.say("a local Vantiq is ready at %s; starting %s", l.server.URL(), r.program.name)
	if l.console != nil {
		r.screen.say("its console is at %s", l.console.URL())
	}
	r.screen.say("%s to Vantiq, %s from Vantiq, %s output of %s", toVantiq, fromVantiq, programSpeak, r.program.name)
	var err error
	if r.devFile != "" && !r.once {
		err = l.follow(func() (namespace, []string, error) {
			n, err := r.namespace(r.target)
			return n, []string{r.devFile}, err
		})
	}
	for again := err == nil; again; {
		again, err = r.round(l.server)
	}
	signal.Reset(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP) // what is left must not hold anybody up
	l.close()                                                   // tells the rest
	tell.finish()
	for _, line := range r.last {
		r.screen.say("%s", line)
	}
	return err
}

// round runs the connector once, and tries it. Again says that it is to be run again.
func (r *runner) round(server *vantiqtest.Server) (again bool, err error) {
	var sources []*vantiqtest.Source
	for _, source := range r.target.sources {
		sources = append(sources, server.Source(source, nil))
	}
	ctx, cancel := context.WithTimeoutCause(context.Background(), r.timeout, fmt.Errorf("within %s", r.timeout))
	flags := r.runFlags // a copy: others read the first one
	if err := flags.takeSurroundings(); err != nil {
		r.screen.show(problem, red, err.Error())
	}
	x := newExchange(flags)
	r.exchange.Store(x)
	exchanged := make(chan error, 1)
	go func() { exchanged <- x.run(ctx, sources) }()
	defer func() {
		cancel()
		<-x.over
	}()

	args := r.args
	switch {
	case r.config == "":
	case r.program.isInterpreter(r.args):
		r.screen.say("%s may be an interpreter, so it is not told -config %s: write what it needs behind it", r.program.name, r.config)
	default:
		args = append([]string{"-config", r.config}, args...)
	}
	command := exec.Command(r.program.path, args...)
	command.Dir = r.workplace
	r.removeOldBuilds()
	child, err := r.start(command)
	if err != nil && r.watch {
		r.screen.complain("vantiqdev run", fmt.Errorf("%s does not start: %w", r.argument, err))
		return r.awaitChange()
	}
	if err != nil {
		return false, fmt.Errorf("%s does not start: %w", r.argument, err)
	}
	stop, outcome := r.attend(child, exchanged)
	again = errors.Is(outcome, errChanged)
	if again {
		outcome = nil
	}
	err = errors.Join(outcome, r.drain(child, stop))
	if again && err != nil {
		r.screen.complain("vantiqdev run", err)
		err = nil
	}
	return again, err
}
