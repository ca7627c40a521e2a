package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"time"

	"github.com/vantiq-go/connectorsdk/checkpoint"
	"github.com/vantiq-go/connectorsdk/connector"
)

// A progress is how far the files of a directory have come. It outlives sessions, so that what one has sent and Vantiq has
// not acknowledged yet is not read again by the next.
type progress struct {
	visiting  sync.Mutex // held while files are read and sent
	settling  sync.Mutex // held while acknowledgements are awaited
	finishing sync.Mutex // held while a file is moved away
	saving    sync.Mutex // held while positions are saved
	saved     string     // what the store has; saving guards it

	store *checkpoint.Store
	name  string // of the position in store

	more chan struct{} // has an element if sent may have grown

	mu     sync.Mutex // guards what follows, and the files
	loaded bool
	files  map[string]*file  // by name
	sent   []delivery        // in order; not acknowledged yet
	told   map[string]string // problems that were logged, by what they are with
}

func newProgress(store *checkpoint.Store, name string) *progress {
	return &progress{store: store, name: name, more: make(chan struct{}, 1), files: map[string]*file{}, told: map[string]string{}}
}

// A file is one that is watched.
type file struct {
	name  string
	seen  shape     // when it was looked at last
	since time.Time // it has that shape
	read  shape     // all of this was sent
	sent  position  // what is before it has been sent
	acked position  // what is before it has been acknowledged
}

// A shape changes when a file does.
type shape struct {
	inode    uint64
	size     int64
	modified time.Time
}

func shapeOf(info fs.FileInfo) shape { return shape{inodeOf(info), info.Size(), info.ModTime()} }

// A delivery is a notification that is on its way.
type delivery struct {
	receipt  *connector.Receipt
	file     *file
	name     string   // that the file had
	end      position // behind its rows
	problems []string
}

// maxProblems is how many problems with a file are remembered.
const maxProblems = 20

// load takes over what an earlier process has saved.
func (p *progress) load() error {
	p.saving.Lock() // before mu, as save does
	defer p.saving.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.loaded {
		return nil
	}
	positions := map[string]position{}
	found, err := p.store.Load(p.name, &positions)
	if err != nil {
		return err
	}
	if found {
		p.saved = "of an earlier process"
	}
	for name, at := range positions {
		p.files[name] = &file{name: name, sent: at, acked: at}
	}
	p.loaded = true
	return nil
}

// save stores the positions in those files that are acknowledged in part, or could not be moved away.
func (p *progress) save() error {
	p.saving.Lock()
	defer p.saving.Unlock()
	p.mu.Lock()
	loaded, positions := p.loaded, map[string]position{}
	for name, f := range p.files {
		if f.acked.Offset > 0 {
			positions[name] = f.acked
		}
	}
	p.mu.Unlock()
	if !loaded {
		return nil
	}
	text, err := json.Marshal(positions)
	switch {
	case err != nil || string(text) == p.saved || p.saved == "" && len(positions) == 0:
		return err
	case len(positions) == 0:
		err = p.store.Remove(p.name)
	default:
		err = p.store.Save(p.name, positions)
	}
	if err == nil {
		p.saved = string(text)
	}
	return err
}

// hasSent notes that rows of a file are on their way.
func (p *progress) hasSent(d delivery) {
	p.mu.Lock()
	defer p.mu.Unlock()
	d.file.sent = d.end
	p.sent = append(p.sent, d)
	select {
	case p.more <- struct{}{}:
	default:
	}
}

// settleAll settles what is sent, until ctx ends.
func (d *directory) settleAll(ctx context.Context) error {
	for {
		if err := d.settle(ctx); err != nil {
			return err
		}
		select {
		case <-d.more:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// settle waits until all that has been sent is acknowledged, in order, for as long as ctx lasts, and moves the files away of
// which nothing is left. With an ended ctx it does that for what is acknowledged already.
func (d *directory) settle(ctx context.Context) error {
	d.settling.Lock()
	defer d.settling.Unlock()
	defer d.savePositions()
	for {
		next, found := d.oldest()
		if !found {
			return nil
		}
		select {
		case <-next.receipt.Done():
		default:
			d.savePositions() // before a wait
		}
		err := next.receipt.Wait(ctx)
		if err != nil && !errors.Is(err, connector.ErrRefused) {
			return err
		}
		if err != nil {
			next.problems = append(next.problems, fmt.Sprintf("rows up to %d: %v", next.end.Row, err))
			d.log.Error("Vantiq refused rows; they are not sent again", "file", next.name, "upToRow", next.end.Row, "error", err)
		}
		d.acknowledged(next)
	}
}

func (p *progress) oldest() (delivery, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.sent) == 0 {
		return delivery{}, false
	}
	return p.sent[0], true
}

// acknowledged notes that the oldest delivery has been acknowledged, or refused for good.
func (d *directory) acknowledged(done delivery) {
	d.mu.Lock()
	d.sent[0] = delivery{}
	d.sent = d.sent[1:]
	f := done.file
	problems := slices.Concat(f.acked.Problems, done.problems)
	f.acked = done.end
	f.acked.Problems = problems[:min(len(problems), maxProblems)]
	finished := f.acked.Last && d.files[f.name] == f
	d.mu.Unlock()
	if finished {
		d.report(done.name, d.finish(f))
	}
}

func (d *directory) savePositions() { d.report("saved positions", d.save()) }

// report logs what is wrong with a file or the like when that changes, for as long as nobody has mended it.
func (d *directory) report(what string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text == d.told[what] {
		return
	}
	if err != nil {
		d.told[what] = text
		d.log.Error("this will be tried again", "what", what, "error", err)
	} else {
		delete(d.told, what)
		d.log.Info("this works again", "what", what)
	}
}
