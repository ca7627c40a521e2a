package peer

import (
	"context"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/vantiq-go/connectorsdk/bench/internal/job"
)

const (
	rawDials = 256                   // at a time
	rawPause = 10 * time.Millisecond // before a link is dialled again: no backoff to speak of
)

// rawSources serves many sources: a goroutine each, no pings, and dialling again when a link is lost.
func rawSources(ctx context.Context, dialer *websocket.Dialer, j job.Job) error {
	var all sync.WaitGroup
	defer all.Wait()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	dials := make(chan struct{}, rawDials)
	for i := range j.Sources {
		all.Go(func() {
			for ctx.Err() == nil {
				err := rawSource(ctx, dialer, j, job.SourceName(i), dials)
				if j.Kind != job.Restart { // there, links end
					cancel(err)
				}
			}
		})
	}
	<-ctx.Done()
	return context.Cause(ctx)
}

// rawSource serves a source until its link ends.
func rawSource(ctx context.Context, dialer *websocket.Dialer, j job.Job, source string, dials chan struct{}) error {
	dials <- struct{}{}
	c, err := connect(ctx, dialer, j, source)
	<-dials
	if err != nil {
		time.Sleep(rawPause)
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = c.Close() })()
	defer func() { _ = c.Close() }()
	return discard(c)
}
