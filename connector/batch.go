package connector

import (
	"context"
	"iter"
	"time"

	"github.com/vantiq-go/connectorsdk/protocol"
)

// Batches groups rows of a file or a table, messages of a broker and the like into batches that are sent as one
// notification each. A batch is complete when it has Count elements, when the next would make it larger than Bytes, or
// Delay after its first element. A limit that is zero does not count; at least one should. Only an element that is larger
// than Bytes by itself makes a batch that is.
type Batches[T any] struct {
	Count int
	Bytes int           // as Size counts: keep it below MaxOutbound, with room for what is put around the elements
	Delay time.Duration // the longest that an element waits for others
	Size  func(T) int   // of an element. Default: the length of its JSON
}

// From returns the batches of what arrives on in, until in is closed, ctx ends, or the loop does: in the last two cases what
// was taken from in and is in no batch yet is lost. While the body of the loop runs nothing is taken from in, so that a slow one holds up whoever fills
// it. Each batch is a new slice.
//
//	for batch := range batches.From(ctx, messages) {
//		err := c.SendNotification(ctx, event{Messages: batch})
//		…
//	}
func (b Batches[T]) From(ctx context.Context, in <-chan T) iter.Seq[[]T] {
	return func(yield func([]T) bool) {
		late := time.NewTimer(0)
		late.Stop()
		defer late.Stop()
		batch := filling[T]{Batches: b, yield: func(whole []T) bool {
			late.Stop()
			return yield(whole)
		}}
		for {
			select {
			case element, more := <-in:
				if !more {
					batch.finish()
					return
				}
				if !batch.add(element) {
					return
				}
				if len(batch.elements) == 1 && b.Delay > 0 {
					late.Reset(b.Delay)
				}
			case <-late.C:
				if !batch.finish() {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}
}

// Of returns the batches of what a sequence yields, like that of a cursor, for elements that are fetched rather than waited
// for: Delay does not count. An element is fetched when the batch before it has been dealt with. An error of the sequence
// ends the batches, behind the one of what came before it.
func (b Batches[T]) Of(elements iter.Seq2[T, error]) iter.Seq2[[]T, error] {
	return func(yield func([]T, error) bool) {
		batch := filling[T]{Batches: b, yield: func(whole []T) bool { return yield(whole, nil) }}
		for element, err := range elements {
			if err != nil {
				if batch.finish() {
					yield(nil, err)
				}
				return
			}
			if !batch.add(element) {
				return
			}
		}
		batch.finish()
	}
}

// A filling is a batch that is not complete. Its methods report whether more are wanted.
type filling[T any] struct {
	Batches[T]
	yield    func(whole []T) bool
	elements []T
	bytes    int
}

func (b *filling[T]) add(element T) bool {
	size := b.size(element)
	if b.Bytes > 0 && b.bytes+size > b.Bytes && !b.finish() {
		return false
	}
	b.elements, b.bytes = append(b.elements, element), b.bytes+size
	if len(b.elements) == b.Count || b.Bytes > 0 && b.bytes >= b.Bytes {
		return b.finish()
	}
	return true
}

func (b *filling[T]) size(element T) int {
	switch {
	case b.Bytes <= 0:
		return 0
	case b.Size != nil:
		return b.Size(element)
	}
	text, _ := protocol.AppendJSON(nil, element) // what has no JSON is told when the batch is sent
	return len(text)
}

// finish yields the batch as it is, unless there is nothing in it.
func (b *filling[T]) finish() bool {
	whole := b.elements
	b.elements, b.bytes = nil, 0
	return len(whole) == 0 || b.yield(whole)
}
