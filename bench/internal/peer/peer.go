// Package peer has the connectors that are measured: loops by hand, which are the floor, and what uses the SDK.
package peer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/vantiq-go/connectorsdk/bench/internal/job"
)

// A peer serves its sources until ctx ends or the link does.
type peer func(ctx context.Context, j job.Job) error

func find(j job.Job) (peer, error) {
	switch j.Peer {
	case job.Raw, job.JSON:
		return loop, nil
	case job.SDK, job.SDKVouch, job.SDKStruct, job.SDKCodec:
		return sdk, nil
	default:
		return nil, fmt.Errorf("there is no peer %q in this program", j.Peer)
	}
}

// Run is one peer of a case. It reports when it is told to, and returns when in ends.
func Run(ctx context.Context, j job.Job, in io.Reader, out io.Writer) error {
	serve, err := find(j)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	control := job.NewControl(ctx, in, out)
	served := make(chan error, 1)
	go func() { served <- serve(ctx, j) }()
	var since usage
	for {
		select {
		case word, ok := <-control.Words:
			if !ok {
				cancel()
				return ignoreEnd(<-served)
			}
			if err := obey(control, word, &since); err != nil {
				return err
			}
		case err := <-served:
			if err == nil {
				err = errors.New("it has ended by itself")
			}
			return fmt.Errorf("peer %s: %w", j.Peer, err)
		}
	}
}

// ignoreEnd leaves out what is only the consequence of having been told to end.
func ignoreEnd(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

func obey(control *job.Control, word string, since *usage) error {
	switch word {
	case job.Begin:
		*since = used()
		return nil
	case job.End:
		now := used()
		report := job.Report{Seconds: now.at.Sub(since.at).Seconds(), Mallocs: now.mallocs - since.mallocs}
		return control.Say(job.Line{Event: job.Reported, Report: &report})
	case job.Settle:
		debug.FreeOSMemory()
		return control.Say(job.Line{Event: job.Reported, Report: &job.Report{Goroutines: runtime.NumGoroutine()}})
	default:
		return fmt.Errorf("told %q, which means nothing", word)
	}
}

// Usage is what a process has used so far.
type usage struct {
	at      time.Time
	mallocs uint64
}

func used() usage {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return usage{time.Now(), m.Mallocs}
}
