package boltoutbox

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/gofrs/flock"
	bolt "go.etcd.io/bbolt"

	"github.com/vantiq-go/connectorsdk/connector"
)

// Options say how an outbox file is kept. All are useful at zero.
type Options struct {
	// NoSync accepts notifications when the operating system has them. They survive the end of the process, but the end of
	// the machine may damage the whole file, also after Close. Default: accepted means on the disk.
	NoSync bool
	// LockTimeout is how long Open waits for another process to give up the file. Default: 10 s.
	LockTimeout time.Duration
	// Logger is told of damage and of a disk that refuses notifications. Default: none.
	Logger *slog.Logger
}

// An Outbox keeps notifications in a file. Its methods may be called from several goroutines.
type Outbox struct {
	path string
	log  *slog.Logger
	lock *flock.Flock
	db   *bolt.DB

	mu         sync.Mutex
	queues     map[string]*queue // by their source
	newest     uint64            // the seq that was given to a notification last
	next       *batch            // notifications for the next transaction, or nil
	delivered  map[*queue]bool   // queues of which there is something to remove
	later      *time.Timer       // removes if no notification comes, or nil
	committing chan struct{}     // closed when the committer ends; nil if there is none
	failing    bool              // the last transaction failed
	broken     error             // why nothing can be stored any more
	closed     bool
}

// Open opens the outbox file at path, or creates it. It waits for a lock, and reads the whole of the file to check it.
// A damaged file is set aside, which is no error but is logged. It is an error if the file is another program's, locked
// for longer than LockTimeout, or cannot be written.
func Open(path string, options Options) (*Outbox, error) {
	log := options.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target // so that whoever opens the same file takes the same lock
	}
	lock, err := acquire(path, options.LockTimeout)
	if err != nil {
		return nil, fmt.Errorf("outbox %s: %w", path, err)
	}
	db, err := openFile(path, options.NoSync, log)
	if err != nil {
		_ = lock.Unlock()
		return nil, fmt.Errorf("outbox %s: %w", path, err)
	}
	o := &Outbox{
		path:      path,
		log:       log.With("outbox", path),
		lock:      lock,
		db:        db,
		queues:    map[string]*queue{},
		delivered: map[*queue]bool{},
	}
	err = db.View(func(tx *bolt.Tx) error {
		// The time, as a process that was killed may have given numbers away of which nothing is left but a page that
		// nothing leads to, which salvage would find.
		o.newest = max(tx.Bucket(format).Sequence(), uint64(time.Now().UnixMicro())) //nolint:gosec // it is long after 1970
		return nil
	})
	if err != nil {
		return nil, errors.Join(err, o.Close())
	}
	return o, nil
}

// Open implements [connector.Outbox]: it returns the queue of a source, which must not be open already.
func (o *Outbox) Open(source string) (connector.OutboxQueue, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for before := o.queues[source]; before != nil && !before.open && before.last != nil; before = o.queues[source] {
		last := before.last
		o.mu.Unlock()
		<-last.done // what it is still storing is to be counted
		o.mu.Lock()
		if before.last == last {
			before.last = nil
		}
	}
	q := newQueue(o, source)
	if before := o.queues[source]; before != nil {
		if before.open {
			return nil, fmt.Errorf("outbox %s: source %s is using it already: let one source connection serve it", o.path, source)
		}
		q.delivered = before.delivered
	}
	if o.closed {
		return nil, o.errClosed()
	}
	if err := q.load(o.newest); err != nil {
		return nil, err
	}
	q.open = true
	o.queues[source] = q
	return q, nil
}

// release closes a queue.
func (o *Outbox) release(q *queue) {
	o.mu.Lock()
	defer o.mu.Unlock()
	q.open = false
}

// Close writes which notifications were delivered, closes the file and gives up its lock. Call it when all source
// connections that use the outbox have closed. What they still hold stays for the next process.
func (o *Outbox) Close() error {
	o.mu.Lock()
	if o.closed {
		o.mu.Unlock()
		return nil
	}
	o.closed = true
	o.commit()
	committing := o.committing
	if o.later != nil {
		o.later.Stop()
	}
	o.mu.Unlock()
	if committing != nil {
		<-committing
	}
	return errors.Join(o.db.Close(), o.lock.Unlock())
}

func (o *Outbox) errClosed() error {
	return fmt.Errorf("outbox %s: %w", o.path, connector.ErrClosed)
}
