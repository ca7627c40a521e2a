package connector

import (
	"context"
	"maps"
	"slices"
)

// A Receipt tells what became of one notification, for connectors that owe something to whoever they have it from: an
// acknowledgement, a position to go on from, a file to move away. Its methods may be called from several goroutines.
//
// It can say no more than Vantiq does. A server that has never acknowledged anything is found out after ten seconds, with a
// line at Warn, and from then on what is written to the link counts as acknowledged. A server that has acknowledged before
// and is silent for ten seconds loses its link, and gets the notification again.
type Receipt struct {
	out  *outbound
	seq  uint64
	done chan struct{} // closed when err is final
	err  error

	awaited bool // somebody has asked for done; the outbound's mutex guards it
}

// SendWithReceipt sends an event as [SourceConnection.SendNotification] does, and returns a Receipt once it is accepted.
// The receipts of one caller are settled in the order of its calls.
func (c *SourceConnection) SendWithReceipt(ctx context.Context, message any) (*Receipt, error) {
	event, err := c.encodeEvent(message)
	if err != nil {
		return nil, err
	}
	r := &Receipt{out: c.out, done: make(chan struct{})}
	if err := c.out.accept(ctx, event, r); err != nil {
		return nil, err
	}
	return r, nil
}

// Done returns a channel that is closed when it is known what became of the notification. In a Publish handler, and in what
// it waits for, Wait is better: for whoever waits for Done there, the acknowledgements behind further messages are read
// slowly, a message each second, and not at all when no more messages can be held.
func (r *Receipt) Done() <-chan struct{} {
	r.out.await(r)
	return r.done
}

// Err returns nil when Vantiq has acknowledged the notification, as far as counting acknowledgements can tell, and also while
// nothing is known. It returns [ErrRefused], wrapping a [StatusError], when Vantiq answered it with an error; [ErrOutboxFull]
// when DropOldest dropped it; and [ErrUndelivered] when the source connection closed before: it may have arrived, and with a
// durable outbox the next process sends it (again).
func (r *Receipt) Err() error {
	select {
	case <-r.done:
		return r.err
	default:
		return nil
	}
}

// Wait waits until it is known what became of the notification, for as long as ctx lasts, and returns what Err does. In a
// Publish handler it fails, as [SourceConnection.Flush] does, when more messages stand before the acknowledgement than can
// be held.
func (r *Receipt) Wait(ctx context.Context) error {
	select {
	case <-r.done:
		return r.err
	default:
	}
	err := r.out.awaitReceipt(ctx, r.seq)
	select {
	case <-r.done:
		return r.err
	default:
		return err
	}
}

// await tells the reader that somebody waits for acknowledgements until r is settled, as far as anybody can know.
func (o *outbound) await(r *Receipt) {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case <-r.done:
	default:
		if !r.awaited {
			r.awaited = true
			o.waits.Add(1)
		}
	}
}

// receipts are those of notifications that are not settled yet. The outbound's mutex guards them.
type receipts struct {
	open deque[*Receipt] // by seq

	// A notification may be settled before the sender that stores it knows its number. What is then to be told waits here.
	storing []*Receipt // with the newest seq that was accepted before: theirs will be larger
	early   map[uint64]error
}

// begin notes that a notification is about to be stored.
func (r *receipts) begin(receipt *Receipt, accepted uint64) {
	receipt.seq = accepted
	r.storing = append(r.storing, receipt)
}

// stored takes the receipt of a notification that has been stored under seq, or 0 if it could not be.
func (r *receipts) stored(receipt *Receipt, seq, settled uint64) {
	i := slices.Index(r.storing, receipt)
	r.storing = slices.Delete(r.storing, i, i+1)
	receipt.seq = seq
	switch {
	case seq == 0:
	case seq <= settled:
		receipt.settle(r.early[seq])
	default:
		r.insert(receipt)
	}
	maps.DeleteFunc(r.early, func(seq uint64, _ error) bool { return len(r.storing) == 0 || seq <= r.storing[0].seq })
}

// insert puts a receipt among those that are open. Senders that store at the same time may come in any order.
func (r *receipts) insert(receipt *Receipt) {
	r.open.pushBack(receipt)
	for i := r.open.len() - 1; i > 0; i-- {
		before, this := r.open.at(i-1), r.open.at(i)
		if (*before).seq < (*this).seq {
			return
		}
		*before, *this = *this, *before
	}
}

// fail notes that the notification seq, which is about to be settled, was not delivered.
func (r *receipts) fail(seq uint64, err error) {
	for i := 0; i < r.open.len() && (*r.open.at(i)).seq <= seq; i++ {
		if receipt := *r.open.at(i); receipt.seq == seq {
			receipt.err = err
			return
		}
	}
	if len(r.storing) > 0 {
		if r.early == nil {
			r.early = map[uint64]error{}
		}
		r.early[seq] = err
	}
}

// settle completes the receipts up to seq.
func (r *receipts) settle(seq uint64) {
	for r.open.len() > 0 && (*r.open.at(0)).seq <= seq {
		receipt := r.open.popFront()
		receipt.settle(receipt.err)
	}
}

// abandon completes all receipts with err.
func (r *receipts) abandon(err error) {
	for r.open.len() > 0 {
		r.open.popFront().settle(err)
	}
}

func (r *Receipt) settle(err error) {
	r.err = err
	close(r.done)
	if r.awaited {
		r.out.waits.Add(-1)
	}
}
