package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// firstBuild builds the program. If somebody watches its sources, it does so until it can be built.
func (r *runner) firstBuild() error {
	for {
		err := r.build()
		if err == nil || !r.watch || errors.Is(err, errInterrupted) {
			return err
		}
		r.screen.complain("vantiqdev run", err)
		if again, err := r.awaitChange(); !again {
			return err
		}
	}
}

// awaitChange waits until the program has changed, or somebody loses patience.
func (r *runner) awaitChange() (again bool, err error) {
	r.screen.say("%s is tried again when it has changed", r.program.name)
	select {
	case <-r.changes.changed:
		return true, nil
	case <-r.signals:
		return false, errInterrupted
	}
}

// removeOldBuilds removes what was built before the program that is to be started.
func (r *runner) removeOldBuilds() {
	for n := 1; n < r.builds; n++ {
		_ = os.RemoveAll(filepath.Join(r.directory, strconv.Itoa(n)))
	}
}

// build builds the program, unless it is an executable already.
func (r *runner) build() error {
	if !r.program.isPackage() {
		return r.program.isThere()
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
	if r.watch { // what it consists of may have changed, and what does not build may be in what is new
		if err := r.watchSources(); err != nil {
			return err
		}
	}
	if code, words := child.exit(); code != 0 {
		return fmt.Errorf("%s does not build: the go command %s", r.argument, words)
	}
	path, err := built(into)
	if err != nil {
		return err
	}
	r.program.path = path
	r.screen.say("built in %s", short(time.Since(began)))
	return nil
}

// start starts a child and shows its output.
func (r *runner) start(c *exec.Cmd) (*process, error) {
	stdout, stderr := r.screen.speech(r.screen.out), r.screen.speech(r.screen.err)
	c.Stdout, c.Stderr = stdout, stderr
	return startProcess(c, stdout, stderr)
}
