package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/vantiq-go/connectorsdk/protocol"
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
	screen  *screen
	signals chan os.Signal
	target  target
	last    []string // to be said when all has been told
}

var errInterrupted = errors.New("interrupted")

func (r *runner) run() error {
	var err error
	if r.target, err = r.readTarget(); err != nil {
		return err
	}
	p, err := find(r.program)
	if err != nil {
		return err
	}
	listener, err := r.target.listen()
	if err != nil {
		return err
	}
	defer listener.Close() // for the ways out on which no server has it

	r.screen.say("%s: %s", r.target.file, enumerate("source", r.target.sources))
	if p.path == "" {
		directory, err := os.MkdirTemp("", "vantiqdev-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(directory)
		if p.path, err = r.build(p, directory); err != nil {
			return err
		}
	}

	x := newExchange(r.runFlags)
	server := vantiqtest.NewServer(
		vantiqtest.WithListener(listener),
		vantiqtest.WithToken(r.target.token),
		vantiqtest.WithObserver(newNarrator(r.screen, r.target.sources, x.offer).observe))
	r.screen.say("a local Vantiq is ready at %s; starting %s", r.target.server, p.name)
	r.screen.say("%s to Vantiq, %s from Vantiq, %s output of %s", toVantiq, fromVantiq, programSpeak, p.name)
	err = r.serve(p, server, x)
	server.Close() // tells the rest
	for _, line := range r.last {
		r.screen.say("%s", line)
	}
	return err
}

// build builds a Go package and returns the executable.
func (r *runner) build(p program, directory string) (path string, err error) {
	c, err := p.buildCommand(directory)
	if err != nil {
		return "", err
	}
	r.screen.say("building %s …", r.program)
	began := time.Now()
	child, err := r.start(c)
	if err != nil {
		return "", err
	}
	select {
	case <-child.done:
	case <-r.signals:
		child.kill()
		return "", errInterrupted
	}
	if code, words := child.exit(); code != 0 {
		return "", fmt.Errorf("%s does not build: the go command %s", r.program, words)
	}
	r.screen.say("built in %s", short(time.Since(began)))
	return built(directory)
}

// start starts a child and shows its output.
func (r *runner) start(c *exec.Cmd) (*process, error) {
	stdout, stderr := r.screen.speech(r.screen.out), r.screen.speech(r.screen.err)
	c.Stdout, c.Stderr = stdout, stderr
	return startProcess(c, stdout, stderr)
}

// serve runs the connector on the server, to its end.
func (r *runner) serve(p program, server *vantiqtest.Server, x *exchange) error {
	var sources []*vantiqtest.Source
	for _, name := range r.target.sources {
		source := server.Source(name, r.sample.config)
		source.HandleNotifications(func(protocol.Document) {}) // the narrator tells them; nobody takes them
		sources = append(sources, source)
	}
	ctx, cancel := context.WithTimeoutCause(context.Background(), r.timeout, fmt.Errorf("within %s", r.timeout))
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
	command := exec.Command(p.path, args...)
	command.Dir = r.directory
	child, err := r.start(command)
	if err != nil {
		return fmt.Errorf("%s does not start: %w", r.program, err)
	}
	stop, outcome := r.attend(p, child, exchanged)
	return errors.Join(outcome, r.drain(p, child, stop))
}

// attend watches the connector and the exchange until it is time to end. It returns the signal to end the connector
// with, unless it has ended by itself, and what went wrong.
func (r *runner) attend(p program, child *process, exchanged <-chan error) (stop os.Signal, outcome error) {
	complete := false
	for {
		select {
		case err := <-exchanged:
			complete = err == nil
			switch {
			case complete && r.once:
				r.screen.say("the sample exchange is complete")
				return syscall.SIGTERM, nil
			case r.once:
				return syscall.SIGTERM, fmt.Errorf("the sample exchange is not complete: %w", err)
			case complete:
				r.screen.say("the sample exchange is complete; %s goes on until Ctrl-C", p.name)
			default:
				r.screen.say("the sample exchange is not complete: %v", err)
				r.screen.say("%s goes on until Ctrl-C", p.name)
			}
		case <-child.done:
			code, words := child.exit()
			switch {
			case !complete:
				return nil, fmt.Errorf("%s %s before the sample exchange was complete", p.name, words)
			case code != 0:
				return nil, fmt.Errorf("%s %s", p.name, words)
			}
			r.last = append(r.last, p.name+" "+words)
			return nil, nil
		case stop = <-r.signals:
			if r.once {
				outcome = errInterrupted
			}
			return stop, outcome
		}
	}
}

// drainReserve is how much longer than its drain time a connector may take to end.
const drainReserve = 2 * time.Second

// drain ends the connector with a signal and waits until it has ended, with violence if need be. The local Vantiq is
// still there meanwhile, for what the connector has left to say.
func (r *runner) drain(p program, child *process, stop os.Signal) error {
	if stop == nil {
		return nil
	}
	r.screen.say("stopping %s", p.name)
	child.signal(stop)
	patience := r.target.drain + drainReserve
	select {
	case <-child.done:
	case <-r.signals:
		child.kill()
		return fmt.Errorf("%s was killed while it was draining, at your second signal", p.name)
	case <-time.After(patience):
		child.kill()
		return fmt.Errorf("%s was killed: it had not ended %s after the signal (%v). A connector ends when it gets SIGTERM: "+
			"pass Run a context of signal.NotifyContext", p.name, patience, stop)
	}
	code, words := child.exit()
	if code > 0 {
		return fmt.Errorf("%s was told to end (%v) and %s instead of 0", p.name, stop, words)
	}
	r.last = append(r.last, p.name+" "+words)
	if code < 0 {
		r.last = append(r.last, "so it did not drain: pass Run a context of signal.NotifyContext")
	}
	return nil
}
