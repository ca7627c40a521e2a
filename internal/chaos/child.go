package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/vantiq-go/connectorsdk/boltoutbox"
	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// A child is a place where one process of a connector after the other runs until it is killed. They share an outbox file.
type child struct {
	chaos   *chaos
	sources []*source
	file    string
	random  *rand.Rand // of its plan
	lives   int
}

// childOrder is the environment variable that makes this program a child. It holds an order.
const childOrder = "CHAOS_CHILD"

type order struct {
	URL, Token string
	Sources    []string
	Secrets    []string
	File       string
	NoSync     bool
	Process    string // the stream of its notifications
	Deliver    bool   // send nothing, deliver what is left, and end
}

// process begins the name of a child's stream. That of a later process is greater.
const process = "process "

func (c *chaos) addChild(index int, directory string) {
	child := &child{
		chaos:  c,
		file:   filepath.Join(directory, fmt.Sprintf("outbox-%d.db", index)),
		random: random(c.seed, serverStream, 1+index),
	}
	for i := range 2 {
		s := c.newSource(0, fmt.Sprintf("Child%d.%d", index, i))
		child.sources = append(child.sources, s)
		c.bySource[s.source] = s
	}
	c.children = append(c.children, child)
}

// live runs one process after the other until ctx ends.
func (c *child) live(ctx context.Context) {
	for ctx.Err() == nil {
		long := time.Duration(c.random.IntN(4000)) * time.Millisecond
		if c.random.IntN(4) == 0 {
			long = time.Duration(c.random.IntN(200)) * time.Millisecond
		}
		kill, drop, noSync := c.random.IntN(3) > 0, c.random.IntN(2) == 0, c.random.IntN(2) == 0
		p, err := c.start(order{NoSync: noSync})
		if err != nil {
			c.fails(err)
			return
		}
		_ = sleep(ctx, long/2)
		if drop && ctx.Err() == nil && c.sources[0].at.Drop(vantiqtest.RST) {
			c.chaos.faults.struck("drop: RST")
		}
		_ = sleep(ctx, long/2)
		if kill && ctx.Err() == nil {
			c.chaos.faults.struck("process: SIGKILL")
			_ = p.command.Process.Kill()
			_ = p.wait()
			continue
		}
		c.chaos.faults.struck("process: SIGTERM")
		if err := p.terminate(); err != nil {
			c.fails(err)
			return
		}
	}
}

// deliver runs a process that only delivers what the others have left.
func (c *child) deliver() {
	p, err := c.start(order{Deliver: true})
	if err == nil {
		err = p.wait()
	}
	if err != nil {
		c.fails(err)
	}
}

func (c *child) fails(err error) {
	c.sources[0].check("", func() error { return fmt.Errorf("process %d: %w", c.lives, err) })
}

// A running process.
type running struct {
	command *exec.Cmd
	stdin   io.Closer
	ready   chan struct{} // closed when a signal will be heard
	read    chan struct{} // closed when all that it said was read
	stderr  tail
}

func (c *child) start(o order) (*running, error) {
	c.lives++
	o.URL, o.Token, o.File = c.chaos.server.URL(), c.chaos.server.Token(), c.file
	o.Process = fmt.Sprintf("%s%06d", process, c.lives)
	for _, s := range c.sources {
		o.Sources = append(o.Sources, s.source)
		o.Secrets = append(o.Secrets, string(s.secret))
		s.note("process %d starts", c.lives)
	}
	text, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	executable, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &running{command: exec.Command(executable, c.chaos.childArgs...), ready: make(chan struct{}), read: make(chan struct{})}
	p.command.Env = append(os.Environ(), childOrder+"="+string(text))
	p.command.Stderr = &p.stderr
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
	go func() { // ends with the process; wait waits for it
		defer close(p.read)
		c.listen(stdout, o.Process, p.ready)
	}()
	return p, nil
}

// listen notes what a process says that it has accepted.
func (c *child) listen(stdout io.Reader, stream string, ready chan struct{}) {
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		var index int
		var n uint64
		switch count, _ := fmt.Sscanf(lines.Text(), "accepted %d %d", &index, &n); {
		case count == 2:
			c.sources[index].accepted(stream, n)
		case lines.Text() == "ready":
			close(ready)
		}
	}
}

// wait waits until the process has ended, by itself or killed.
func (p *running) wait() error {
	kill := time.AfterFunc(settlesWithin, func() { _ = p.command.Process.Kill() })
	defer kill.Stop()
	<-p.read
	_ = p.stdin.Close()
	if err := p.command.Wait(); err != nil {
		return fmt.Errorf("it ended with %w\n%s", err, p.stderr.text)
	}
	return nil
}

// terminate asks the process to end, as Kubernetes does.
func (p *running) terminate() error {
	select {
	case <-p.ready:
	case <-p.read:
	}
	_ = p.command.Process.Signal(syscall.SIGTERM)
	return p.wait()
}

// A tail keeps the end of what is written.
type tail struct{ text []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.text = append(t.text, p...)
	t.text = t.text[max(0, len(t.text)-4096):]
	return len(p), nil
}

// --- in the child

func beChild(text string) (exitCode int) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	var o order
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		say(os.Stderr, "%s: %v\n", childOrder, err)
		return exitUsage
	}
	say(os.Stdout, "ready\n")
	go func() { // ends with the process: when the parent has died, this one is to end as well
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	if err := o.obey(ctx, stop); err != nil {
		say(os.Stderr, "%v\n", err)
		return exitViolated
	}
	return exitDone
}

func (o *order) obey(ctx context.Context, stop func()) (err error) {
	outbox, err := boltoutbox.Open(o.File, boltoutbox.Options{NoSync: o.NoSync})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, outbox.Close()) }()
	var all []*connector.SourceConnection
	group := connector.NewGroup(len(o.Sources))
	for i, source := range o.Sources {
		c, err := connector.New(source, connector.Options{
			TargetServer:    o.URL,
			AuthToken:       protocol.Secret(o.Token),
			ReconnectSecret: protocol.Secret(o.Secrets[i]),
			Outbox:          outbox,
			PingInterval:    pingInterval,
			PingTimeout:     pingTimeout,
			Group:           group,
		})
		if err != nil {
			return err
		}
		all = append(all, c)
	}
	results := make([]error, len(all))
	var runs, senders sync.WaitGroup
	for i, c := range all {
		runs.Go(func() { results[i] = c.Run(ctx) })
		if !o.Deliver {
			senders.Go(func() { o.send(ctx, i, c) })
		}
	}
	for o.Deliver && ctx.Err() == nil {
		left := 0
		for _, c := range all {
			left += c.Stats().Queued
		}
		if left == 0 {
			stop()
		}
		_ = sleep(ctx, 10*time.Millisecond)
	}
	senders.Wait()
	runs.Wait()
	return errors.Join(results...)
}

// send sends notifications, and says which were accepted after they were.
func (o *order) send(ctx context.Context, index int, c *connector.SourceConnection) {
	for n := uint64(1); ctx.Err() == nil; n++ {
		if err := c.SendNotification(ctx, event{Stream: o.Process, Number: n}); err != nil {
			return
		}
		say(os.Stdout, "accepted %d %d\n", index, n)
		if n%20 == 0 {
			_ = sleep(ctx, 200*time.Millisecond)
		}
	}
}
