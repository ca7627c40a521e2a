package connector

import (
	"context"
	"iter"
	"time"
)

// Batches groups what arrives on a channel, rows of a file or a table, say, into batches that are sent as one
// notification each. A batch is complete when it has Count elements, when the next would make it larger than Bytes, or
// Delay after its first element. A limit that is zero does not count; at least one should.
type Batches[T any] struct {
	Count int
	Bytes int           // as Size counts: keep it below MaxOutbound, with room for what is put around the elements
	Delay time.Duration // the longest that an element waits for others
	Size  func(T) int   // of an element; needed with Bytes
}

// From returns the batches of what arrives on in, until in is closed, or ctx ends: what then stands in a batch that is not
// complete is not sent. While the body of the loop runs nothing is taken from in, so that a slow one holds up whoever fills
// it. Each batch is a new slice.
//
//	for batch := range batches.From(ctx, rows) {
//		err := c.SendNotification(ctx, event{Rows: batch})
//		…
//	}
func (b Batches[T]) From(ctx context.Context, in <-chan T) iter.Seq[[]T] {
	return func(yield func([]T) bool) {
		var batch []T
		bytes := 0
		late := time.NewTimer(0)
		late.Stop()
		defer late.Stop()
		next := func() bool {
			whole := batch
			batch, bytes = nil, 0
			late.Stop()
			return yield(whole)
		}
		for {
			select {
			case element, more := <-in:
				if !more {
					if len(batch) > 0 {
						next()
					}
					return
				}
				size := b.size(element)
				if b.Bytes > 0 && len(batch) > 0 && bytes+size > b.Bytes && !next() {
					return
				}
				if len(batch) == 0 && b.Delay > 0 {
					late.Reset(b.Delay)
				}
				batch, bytes = append(batch, element), bytes+size
				if (len(batch) == b.Count || b.Bytes > 0 && bytes >= b.Bytes) && !next() {
					return
				}
			case <-late.C:
				if !next() {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}
}

func (b Batches[T]) size(element T) int {
	if b.Size == nil {
		return 0
	}
	return b.Size(element)
}
