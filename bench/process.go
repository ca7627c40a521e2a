package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"

	"github.com/vantiq-go/connectorsdk/bench/internal/job"
)

// A process is a server or a peer. It ends when its standard input does, so also when this process dies.
type process struct {
	name    string
	command *exec.Cmd
	stdin   io.WriteCloser
	lines   chan job.Line
	gone    chan struct{} // closed when the process has ended; then err says how
	err     error
	stderr  tail
}

// start starts a process in a directory, with its job as its last argument.
func start(ctx context.Context, name string, argv []string, directory string, j job.Job) (*process, error) {
	text, err := json.Marshal(j)
	if err != nil {
		return nil, err
	}
	p := &process{name: name, lines: make(chan job.Line, 8), gone: make(chan struct{})}
	p.command = exec.CommandContext(ctx, argv[0], append(argv[1:], string(text))...)
	p.command.Dir = directory
	p.command.Stderr = &p.stderr
	p.command.WaitDelay = time.Second
	if p.stdin, err = p.command.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := p.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.command.Start(); err != nil {
		return nil, err
	}
	go func() { // ends with the process; end waits for it
		defer close(p.gone)
		err := p.read(stdout)
		_, _ = io.Copy(io.Discard, stdout)
		p.err = p.reason(errors.Join(err, p.command.Wait()))
	}()
	return p, nil
}

// read reads what the process tells.
func (p *process) read(stdout io.Reader) error {
	for lines := json.NewDecoder(stdout); ; {
		var line job.Line
		switch err := lines.Decode(&line); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("it tells something else than JSON: %w", err)
		}
		p.lines <- line
	}
}

// reason says why a process has ended, which it should not have.
func (p *process) reason(err error) error {
	said := strings.TrimSpace(string(p.stderr))
	if err == nil {
		err = errors.New("it was done")
	}
	return fmt.Errorf("the %s has ended: %w\n%s", p.name, err, said)
}

func (p *process) pid() int { return p.command.Process.Pid }

// tell says a word to the process.
func (p *process) tell(word string) error {
	if _, err := io.WriteString(p.stdin, word+"\n"); err != nil {
		<-p.gone
		return p.err
	}
	return nil
}

// await waits for the next line, which is to be about the event, for as long as ctx lasts and the other process lives.
func (p *process) await(ctx context.Context, event string, other *process) (job.Line, error) {
	var otherGone chan struct{}
	if other != nil {
		otherGone = other.gone
	}
	select {
	case line := <-p.lines:
		if line.Event != event {
			return line, fmt.Errorf("the %s tells %q, expected %q", p.name, line.Event, event)
		}
		return line, nil
	case <-p.gone:
		return job.Line{}, p.err
	case <-otherGone:
		return job.Line{}, other.err
	case <-ctx.Done():
		return job.Line{}, fmt.Errorf("the %s does not tell %q: %w", p.name, event, context.Cause(ctx))
	}
}

// end ends the process, by force if it does not end by itself soon.
func (p *process) end() {
	_ = p.stdin.Close()
	kill := time.AfterFunc(patience, func() { _ = p.command.Process.Kill() })
	defer kill.Stop()
	<-p.gone
}

// patience is how long a process may take to end.
const patience = 15 * time.Second

// A tail keeps the end of what is written.
type tail []byte

func (t *tail) Write(p []byte) (int, error) {
	*t = append(*t, p...)
	*t = (*t)[max(0, len(*t)-2048):]
	return len(p), nil
}
