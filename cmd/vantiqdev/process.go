package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"time"
)

// A process is a child in a process group of its own, so that it does not hear Ctrl-C by itself, and nothing of it is
// left when it has ended.
type process struct {
	command *exec.Cmd
	group   int           // the number of the process, and of its group
	done    chan struct{} // closed when it has ended, after err was set
	err     error
}

// outputDelay is how long after the end of a process its own children may hold on to its output.
const outputDelay = time.Second

// startProcess starts a child. Its outputs are closed when it has ended.
func startProcess(c *exec.Cmd, outputs ...io.Closer) (*process, error) {
	p := &process{command: c, done: make(chan struct{})}
	c.WaitDelay = outputDelay
	isolate(c)
	started := make(chan error)
	go func() { // ends with the process
		// Where the system can end a child with its parent, it goes by the parent's thread.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := c.Start(); err != nil {
			started <- err
			return
		}
		p.group = c.Process.Pid
		started <- nil
		p.err = c.Wait()
		killGroup(p.group)
		for _, output := range outputs {
			_ = output.Close()
		}
		close(p.done)
	}()
	return p, <-started
}

// signal asks the process to end.
func (p *process) signal(s os.Signal) { signalGroup(p.group, s) }

// kill ends it at once, and returns when that is done.
func (p *process) kill() {
	killGroup(p.group)
	<-p.done
}

// exit says how an ended process has ended: with its exit code, or, if that is negative, in words.
func (p *process) exit() (code int, words string) {
	state := p.command.ProcessState
	if code = state.ExitCode(); code < 0 {
		return code, "was ended by " + state.String()
	}
	if code == 0 && p.err != nil && !errors.Is(p.err, exec.ErrWaitDelay) {
		return exitFailed, "ended with " + p.err.Error()
	}
	return code, fmt.Sprintf("exited with code %d", code)
}
