package connector_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// settled reports whether it is known what became of a notification.
func settled(r *connector.Receipt) bool {
	select {
	case <-r.Done():
		return true
	default:
		return false
	}
}

func TestAReceiptIsSettledByItsAcknowledgement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{}).connect(echo())
		b.source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
		var receipts []*connector.Receipt
		for n := range 3 {
			r, err := b.conn.SendWithReceipt(b.soon(), object{"n": n})
			b.must(err)
			receipts = append(receipts, r)
		}
		synctest.Wait()
		b.source.ReleaseAcknowledgements(2)
		b.must(receipts[1].Wait(b.soon()))
		synctest.Wait()
		if !settled(receipts[0]) || settled(receipts[2]) || receipts[2].Err() != nil {
			t.Errorf("settled: %t, %t, err %v", settled(receipts[0]), settled(receipts[2]), receipts[2].Err())
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errors.New("no time"))
		if err := receipts[2].Wait(ctx); !errors.Is(err, context.Canceled) || settled(receipts[2]) {
			t.Errorf("a wait that ends early returns %v", err)
		}
		b.source.Drop(vantiqtest.RST)
		b.source.SetAcknowledgements(vantiqtest.Acknowledgements{})
		b.must(receipts[2].Wait(b.soon())) // in the next session
	})
}

func TestAReceiptSaysWhyANotificationWasNotDelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{OutboxMessages: 2, OutboxFull: connector.DropOldest})
		send := func(n int) *connector.Receipt {
			r, err := b.conn.SendWithReceipt(b.soon(), object{"n": n})
			b.must(err)
			return r
		}
		dropped, refused, kept := send(0), send(1), send(2)
		if err := dropped.Err(); !settled(dropped) || !errors.Is(err, connector.ErrOutboxFull) {
			t.Errorf("dropped: %v", err)
		}
		b.source.Inject(vantiqtest.Fault{Op: protocol.OpNotification, Answer: `{"status":422,"body":[{"code":"c","message":"m"}]}`})
		b.connect(echo())
		var status *connector.StatusError
		if err := refused.Wait(b.soon()); !errors.Is(err, connector.ErrRefused) || !errors.As(err, &status) || status.Status != 422 {
			t.Errorf("refused: %v", err)
		}
		b.must(kept.Wait(b.soon()))

		b.source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
		left := send(3)
		waited := make(chan error)
		go func() { waited <- left.Wait(context.Background()) }()
		synctest.Wait()
		if err := b.end(); !errors.Is(err, connector.ErrUndelivered) {
			t.Errorf("Run returned %v", err)
		}
		if err := <-waited; !errors.Is(err, connector.ErrUndelivered) || !errors.Is(left.Err(), connector.ErrUndelivered) {
			t.Errorf("left: %v, %v", err, left.Err())
		}
		if r, err := b.conn.SendWithReceipt(b.soon(), object{}); r != nil || !errors.Is(err, connector.ErrClosed) {
			t.Errorf("after the end: %v, %v", r, err)
		}
	})
}

func TestWaitingForAReceiptInAPublishHandlerDoesNotDeadlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{Logger: quiet, PublishQueue: 8})
		const messages = 200
		handled, done := 0, make(chan struct{})
		b.connect(connector.Handlers{Publish: func(ctx context.Context, c *connector.SourceConnection, message connector.Document) error {
			if handled++; handled == messages {
				defer close(done)
			}
			r, err := c.SendWithReceipt(ctx, message)
			if err != nil {
				return err
			}
			return r.Wait(ctx)
		}})
		published := make(chan error, 1)
		go func() { published <- b.publishAll(messages) }()
		select {
		case <-done:
		case <-b.soon().Done():
			t.Fatalf("not all were handled: %+v", b.conn.Stats())
		}
		b.must(<-published)
		if err := inOrder(b.received(), messages); err != nil {
			t.Error(err)
		}
	})
}

// Done can be waited for with anything else, so the SDK does not see that a Publish handler waits.
func TestWaitingForDoneInAPublishHandlerDoesNotDeadlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{Logger: quiet, PublishQueue: 8})
		const messages = 200
		handled, done := 0, make(chan struct{})
		b.connect(connector.Handlers{Publish: func(ctx context.Context, c *connector.SourceConnection, message connector.Document) error {
			if handled++; handled == messages {
				defer close(done)
			}
			r, err := c.SendWithReceipt(ctx, message)
			if err != nil {
				return err
			}
			select {
			case <-r.Done():
				return r.Err()
			case <-ctx.Done():
				return ctx.Err()
			}
		}})
		published := make(chan error, 1)
		go func() { published <- b.publishAll(messages) }()
		select {
		case <-done:
		case <-time.After(time.Hour):
			t.Fatalf("not all were handled: %+v", b.conn.Stats())
		}
		b.must(<-published)
	})
}

func TestReceiptsOfManySendersAreEachSettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{OutboxMessages: 50, Logger: quiet}).connect(echo())
		b.dropEvery(23, 5, 4, vantiqtest.FIN)
		var all sync.WaitGroup
		for sender := range 20 {
			all.Go(func() {
				var before *connector.Receipt
				for n := range 50 {
					r, err := b.conn.SendWithReceipt(context.Background(), object{"sender": sender, "n": n})
					if err != nil {
						t.Error(err)
						return
					}
					if n%10 != 9 {
						before = r
						continue
					}
					if err := r.Wait(context.Background()); err != nil {
						t.Error(err)
					}
					if !settled(before) {
						t.Errorf("sender %d: %d is settled before the one before it", sender, n)
					}
				}
			})
		}
		all.Wait()
		if s := b.conn.Stats(); s.Acknowledged != 1000 || s.Queued != 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

// A lateOutbox keeps its senders waiting after it has stored their notification, as the disk of a durable one may do.
type lateOutbox struct {
	mu       sync.Mutex
	events   []json.RawMessage
	removed  uint64
	returned chan struct{} // Append waits for it
}

func (o *lateOutbox) Open(string) (connector.OutboxQueue, error) { return o, nil }

func (o *lateOutbox) Append(event json.RawMessage) (uint64, error) {
	o.mu.Lock()
	o.events = append(o.events, event)
	seq := uint64(len(o.events))
	o.mu.Unlock()
	if seq%2 == 0 {
		<-o.returned
	}
	return seq, nil
}

func (o *lateOutbox) Read(after uint64, entries []connector.OutboxEntry, _ int) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if after = max(after, o.removed); after >= uint64(len(o.events)) {
		return 0, nil
	}
	entries[0] = connector.OutboxEntry{Seq: after + 1, Event: o.events[after]}
	return 1, nil
}

func (o *lateOutbox) Remove(through uint64) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.removed = through
	return nil
}

func (*lateOutbox) Left() (messages, bytes int, newest uint64) { return 0, 0, 0 }
func (*lateOutbox) Durable() bool                              { return false }
func (*lateOutbox) Close() error                               { return nil }

// What became of a notification may be known before its sender is told that it is stored.
func TestAReceiptMayBeSettledBeforeItIsGiven(t *testing.T) {
	for _, refusedAt := range []int{-1, 0, 1, 2, 3} {
		t.Run(fmt.Sprint(refusedAt), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				outbox := &lateOutbox{returned: make(chan struct{})}
				letReturn := sync.OnceFunc(func() { close(outbox.returned) })
				defer letReturn()
				b := setUp(t, nil, connector.Options{Outbox: outbox}).connect(echo())
				if refusedAt >= 0 {
					b.source.Inject(vantiqtest.Fault{Op: protocol.OpNotification, Skip: refusedAt, Answer: `{"status":400}`})
				}
				receipts := make([]*connector.Receipt, 6)
				var all sync.WaitGroup
				for n := range receipts {
					all.Go(func() {
						var err error
						receipts[n], err = b.conn.SendWithReceipt(context.Background(), object{"n": n})
						if err != nil {
							t.Error(err)
						}
					})
					pass(5 * time.Second) // it is written and acknowledged, unless it waits for the next to wake the writer
				}
				if n := len(b.source.Notifications()); n == 0 {
					t.Fatal("nothing was written while the outbox kept the senders waiting")
				}
				letReturn()
				all.Wait()
				for n, r := range receipts {
					if err := r.Wait(b.soon()); errors.Is(err, connector.ErrRefused) != (n == refusedAt) || err != nil && n != refusedAt {
						t.Errorf("%d: %v", n, err)
					}
				}
			})
		})
	}
}

// Senders that store at the same time need not be told in the order in which they stored.
func TestReceiptsAreSettledInTheOrderOfTheOutbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		outbox := &lateOutbox{returned: make(chan struct{})}
		b := setUp(t, nil, connector.Options{Outbox: outbox}).connect(echo())
		b.source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
		receipts := make([]*connector.Receipt, 3)
		var all sync.WaitGroup
		for n := range receipts {
			all.Go(func() {
				var err error
				if receipts[n], err = b.conn.SendWithReceipt(context.Background(), object{"n": n}); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		close(outbox.returned) // the second is told after the third
		all.Wait()
		b.source.ReleaseAcknowledgements(2)
		synctest.Wait()
		if !settled(receipts[0]) || !settled(receipts[1]) || settled(receipts[2]) {
			t.Errorf("settled: %t, %t, %t, when two were acknowledged", settled(receipts[0]), settled(receipts[1]), settled(receipts[2]))
		}
		b.source.SetAcknowledgements(vantiqtest.Acknowledgements{})
		b.must(receipts[2].Wait(b.soon()))
	})
}

// Whoever waits when the source connection closes is told the same as who asks later.
func TestAWaitThatTheCloseEndsReturnsWhatErrDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{Logger: quiet}).connect(echo())
		b.source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
		var all sync.WaitGroup
		for n := range 1000 {
			r, err := b.conn.SendWithReceipt(b.soon(), object{"n": n})
			b.must(err)
			all.Go(func() {
				if err := r.Wait(context.Background()); !errors.Is(err, connector.ErrUndelivered) || !errors.Is(err, r.Err()) {
					t.Errorf("%d: Wait returned %v, Err %v", n, err, r.Err())
				}
			})
		}
		synctest.Wait()
		_ = b.end()
		all.Wait()
	})
}

// A fullOutbox gives numbers to notifications and cannot store them, as a durable one on a full disk.
type fullOutbox struct {
	lateOutbox
	tried atomic.Uint64
}

func (o *fullOutbox) Open(string) (connector.OutboxQueue, error) { return o, nil }

func (o *fullOutbox) Append(json.RawMessage) (uint64, error) {
	return o.tried.Add(1), errors.New("no space left on device")
}

// The receipts of what could not be stored were kept until something was delivered.
func TestWhatIsNotStoredLeavesNoReceipt(t *testing.T) {
	b := setUp(t, nil, connector.Options{Logger: quiet, Outbox: &fullOutbox{}})
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	const attempts = 50_000
	for range attempts {
		if r, err := b.conn.SendWithReceipt(t.Context(), object{}); r != nil || err == nil || !strings.Contains(err.Error(), "no space left") {
			t.Fatalf("%v, %v", r, err)
		}
	}
	if grown := int64(heap()) - int64(before); grown > attempts*10 {
		t.Errorf("%d bytes are held after %d notifications that could not be stored", grown, attempts)
	}
	b.must(b.conn.Close(t.Context()))
}

// A sender that is still storing when the source connection closes gets a receipt that is settled.
func TestAReceiptOfWhatIsStoredDuringTheClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		outbox := &lateOutbox{returned: make(chan struct{})}
		b := setUp(t, nil, connector.Options{Outbox: outbox, Logger: quiet})
		b.must(b.conn.SendNotification(b.soon(), object{"n": 0}))
		receipt := make(chan *connector.Receipt)
		go func() {
			r, err := b.conn.SendWithReceipt(context.Background(), object{"n": 1})
			if err != nil {
				t.Error(err)
			}
			receipt <- r
		}()
		synctest.Wait()
		if err := b.conn.Close(b.soon()); !errors.Is(err, connector.ErrUndelivered) {
			t.Errorf("Close returned %v", err)
		}
		close(outbox.returned)
		if r := <-receipt; !settled(r) || !errors.Is(r.Wait(b.soon()), connector.ErrUndelivered) {
			t.Errorf("settled: %t, %v", settled(r), r.Err())
		}
	})
}
