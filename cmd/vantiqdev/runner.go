package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// run runs a connector with a local Vantiq. What went wrong has been said when it returns.
func run(flags runFlags, s *screen) error {
	r := &runner{runFlags: flags, screen: s, signals: make(chan os.Signal, 2)}
	signal.Notify(r.signals, os.Interrupt, syscall.SIGTERM)
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
	sources   atomic.Pointer[[]string]
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
	listener, err := r.target.listen()
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
	if consoleListener != nil {
		defer consoleListener.Close()
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
	return r.serve(listener, consoleListener, n)
}

// serve is the local Vantiq of the connector, as long as that runs.
func (r *runner) serve(listener, consoleListener net.Listener, n namespace) error {
	tell := newNarrator(r.screen, r.target.sources, func(e vantiqtest.Event) {
		if x := r.exchange.Load(); x != nil {
			x.offer(e)
		}
	})
	l := startLocal(r.screen, listener, consoleListener, n, tell.observe)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	r.screen.say("a local Vantiq is ready at %s; starting %s", r.target.server, r.program.name)
	if l.console != nil {
		r.screen.say("its console is at %s", l.console.URL())
	}
	r.screen.say("%s to Vantiq, %s from Vantiq, %s output of %s", toVantiq, fromVantiq, programSpeak, r.program.name)
	var err error
	if r.devFile != "" && !r.once {
		err = l.follow(ctx, []string{r.devFile}, func() (namespace, error) { return r.namespace(r.target) })
	}
	for again := err == nil; again; {
		again, err = r.round(l.server)
	}
	l.close() // tells the rest
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
	x := newExchange(r.runFlags)
	r.exchange.Store(x)
	exchanged := make(chan error, 1)
	go func() { exchanged <- x.run(ctx, sources) }()
	defer func() {
		cancel()
		<-x.over
	}()

	args := r.args
	if r.config != "" {
		args = append([]string{"-config", r.config}, args...)
	}
	command := exec.Command(r.program.path, args...)
	command.Dir = r.workplace
	child, err := r.start(command)
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

// errChanged is the outcome of a connector that makes room for its successor.
var errChanged = errors.New("the program has changed")

// attend watches the connector and the exchange until it is time to end. It returns the signal to end the connector
// with, unless it has ended by itself, and what went wrong.
func (r *runner) attend(child *process, exchanged <-chan error) (stop os.Signal, outcome error) {
	name := r.program.name
	complete := false
	ended := child.done
	stop = syscall.SIGTERM
	for {
		select {
		case err := <-exchanged:
			complete = err == nil
			switch {
			case complete && r.once:
				r.screen.say("the sample exchange is complete")
				return stop, nil
			case r.once:
				return stop, fmt.Errorf("the sample exchange is not complete: %w", err)
			case complete:
				r.screen.say("the sample exchange is complete; %s goes on until Ctrl-C", name)
			case stop != nil:
				r.screen.say("the sample exchange is not complete: %v", err)
				r.screen.say("%s goes on until Ctrl-C", name)
			}
		case <-ended:
			code, words := child.exit()
			switch {
			case r.watch:
				r.screen.say("%s %s; it is started again when it has changed", name, words)
				ended, stop = nil, nil
				continue
			case !complete:
				return nil, fmt.Errorf("%s %s before the sample exchange was complete", name, words)
			case code != 0:
				return nil, fmt.Errorf("%s %s", name, words)
			}
			r.last = append(r.last, name+" "+words)
			return nil, nil
		case s := <-r.signals:
			if stop != nil {
				stop = s
			}
			if r.once {
				outcome = errInterrupted
			}
			return stop, outcome
		case file := <-r.changed():
			r.screen.say("%s has changed", shortPath(file))
			switch err := r.build(); {
			case err == nil:
				return stop, errChanged
			case errors.Is(err, errInterrupted):
				return stop, nil
			default:
				r.screen.complain("vantiqdev run", err)
				r.screen.say("%s goes on as it was", name)
			}
		}
	}
}

// changed returns what tells of changes of the program's sources, or nil.
func (r *runner) changed() <-chan string {
	if r.changes == nil {
		return nil
	}
	return r.changes.changed
}

// shortPath returns how a person here would call a file.
func shortPath(file string) string {
	here, err := os.Getwd()
	if err != nil {
		return file
	}
	if relative, err := filepath.Rel(here, file); err == nil && filepath.IsLocal(relative) {
		return relative
	}
	return file
}

// drainReserve is how much longer than its drain time a connector may take to end.
const drainReserve = 2 * time.Second

// drain ends the connector with a signal and waits until it has ended, with violence if need be. The local Vantiq is
// still there meanwhile, for what the connector has left to say.
func (r *runner) drain(child *process, stop os.Signal) error {
	if stop == nil {
		return nil
	}
	name := r.program.name
	r.screen.say("stopping %s", name)
	child.signal(stop)
	patience := r.target.drain + drainReserve
	select {
	case <-child.done:
	case <-r.secondSignal(child.done):
		child.kill()
		return fmt.Errorf("%s was killed while it was draining, at your second signal", name)
	case <-time.After(patience):
		child.kill()
		return fmt.Errorf("%s was killed: it had not ended %s after the signal (%v). A connector ends when it gets SIGTERM: "+
			"pass Run a context of signal.NotifyContext", name, patience, stop)
	}
	code, words := child.exit()
	if code > 0 {
		return fmt.Errorf("%s was told to end (%v) and %s instead of 0", name, stop, words)
	}
	r.last = append(r.last[:0], name+" "+words)
	if code < 0 {
		r.last = append(r.last, "so it did not drain: pass Run a context of signal.NotifyContext")
	}
	return nil
}

// firstBuild builds the program. If somebody watches its sources, it does so until it can be built.
func (r *runner) firstBuild() error {
	for {
		err := r.build()
		if err == nil || !r.watch || errors.Is(err, errInterrupted) {
			return err
		}
		r.screen.complain("vantiqdev run", err)
		r.screen.say("it is built again when it has changed")
		select {
		case <-r.changes.changed:
		case <-r.signals:
			return errInterrupted
		}
	}
}

// sameSignal is how long a signal may come again without a second meaning: "go tool" passes Ctrl-C on, which the terminal has
// sent to everybody already.
const sameSignal = 500 * time.Millisecond

// secondSignal returns a channel that is closed when somebody loses patience, unless done is closed before.
func (r *runner) secondSignal(done <-chan struct{}) <-chan struct{} {
	lost := make(chan struct{})
	first := time.Now()
	go func() {
		for {
			select {
			case <-r.signals:
				if time.Since(first) >= sameSignal {
					close(lost)
					return
				}
			case <-done:
				return
			}
		}
	}()
	return lost
}

// build builds the program, unless it is an executable already.
func (r *runner) build() error {
	if !r.program.isPackage() {
		return nil
	}
	r.builds++
	into := filepath.Join(r.directory, strconv.Itoa(r.builds)) // an executable that runs cannot be overwritten everywhere
	if err := os.Mkdir(into, 0o700); err != nil {
		return err
	}
	c, err := r.program.buildCommand(into)
	if err != nil {
		return err
	}
	began := time.Now()
	done := r.screen.progress("building %s …", r.argument)
	child, err := r.start(c)
	if err != nil {
		return err
	}
	select {
	case <-child.done:
	case <-r.signals:
		child.kill()
		done()
		return errInterrupted
	}
	done()
	if code, words := child.exit(); code != 0 {
		return fmt.Errorf("%s does not build: the go command %s", r.argument, words)
	}
	path, err := built(into)
	if err != nil {
		return err
	}
	r.program.path = path
	r.screen.say("built in %s", short(time.Since(began)))
	if r.watch {
		return r.watchSources() // what it consists of may have changed
	}
	return nil
}

// start starts a child and shows its output.
func (r *runner) start(c *exec.Cmd) (*process, error) {
	stdout, stderr := r.screen.speech(r.screen.out), r.screen.speech(r.screen.err)
	c.Stdout, c.Stderr = stdout, stderr
	return startProcess(c, stdout, stderr)
}
