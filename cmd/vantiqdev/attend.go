package main

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

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
	if code < 0 && r.program.isPackage() {
		r.last = append(r.last, "so it did not drain: pass Run a context of signal.NotifyContext")
	}
	return nil
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
