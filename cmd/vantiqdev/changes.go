package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"
)

// changes tells when files change. Editors replace a file, or write it bit by bit: several changes at once are one. It may
// be a symbolic link that changes, in the file's name or further on, as in the volumes of Kubernetes.
type changes struct {
	changed chan string // what has changed last, a file as a rule
	watcher *fsnotify.Watcher
	matters func(file string) bool // nil: none
	wanted  chan order
	placed  chan error // how a round of place went
	over    chan struct{}

	// The goroutine of run has these.
	seen map[string]sight // what the files were when they were last looked at
	near map[string]bool  // directories in which something can happen to them
}

// settleTime is how long files must have been left alone.
const settleTime = 100 * time.Millisecond

// watchFiles tells when one of these files changes, appears or goes, and when another in the same directories does that matters.
func watchFiles(files []string, matters func(file string) bool) (*changes, error) {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	c := &changes{
		changed: make(chan string), watcher: watcher, matters: matters,
		wanted: make(chan order), placed: make(chan error), over: make(chan struct{}), seen: look(files),
	}
	if err := c.place(c.around()); err != nil { // which is safe as long as nothing has happened
		_ = watcher.Close()
		return nil, err
	}
	go c.run()
	return c, nil
}

// An order is to watch these files from now on.
type order struct {
	files []string
	done  chan error
}

// watch replaces the files that are watched, and returns why some are not.
func (c *changes) watch(files []string) error {
	o := order{files, make(chan error, 1)}
	c.wanted <- o
	return <-o.done
}

// A sight is what can be seen of a file without reading it.
type sight struct {
	file     string // without symbolic links; empty if it is not there
	modified time.Time
	size     int64
}

func look(files []string) map[string]sight {
	seen := make(map[string]sight)
	for _, file := range files {
		var s sight
		if target, err := filepath.EvalSymlinks(file); err == nil {
			if info, err := os.Stat(target); err == nil {
				s = sight{target, info.ModTime(), info.Size()}
			}
		}
		seen[filepath.Clean(file)] = s
	}
	return seen
}

// A placement is what to watch.
type placement struct {
	near  map[string]bool
	above map[string]bool // where a directory is another one of the same name one day; as far as that can be watched
}

// around returns where something can happen to the files.
func (c *changes) around() placement {
	p := placement{make(map[string]bool), make(map[string]bool)}
	for file := range c.seen {
		for _, directory := range onTheWay(file) {
			p.near[directory] = true
			p.above[filepath.Dir(directory)] = true
		}
	}
	c.near = p.near
	return p
}

// place watches directories, as far as they are there. One that is watched already may be another one of the same name by now.
func (c *changes) place(p placement) error {
	var errs []error
	for directory := range p.above {
		_ = c.watcher.Add(directory) // who may not read it can do without
	}
	for _, directory := range slices.Sorted(maps.Keys(p.near)) {
		if _, err := os.Stat(directory); err != nil {
			continue
		}
		if err := c.watcher.Add(directory); err != nil {
			errs = append(errs, fmt.Errorf("changes in %s are not noticed: %w", directory, err))
		}
	}
	return errors.Join(errs...)
}

// compare looks at files, which are watched from now on, and returns one that is not what it was, if there is any.
func (c *changes) compare(files []string) (changed string) {
	now := look(files)
	for file, s := range now {
		if before, known := c.seen[file]; known && s != before {
			changed = file
		}
	}
	c.seen = now
	return changed
}

// concerns reports whether an event may mean that one of the files has changed, and whether it does by its name alone.
func (c *changes) concerns(event fsnotify.Event) (maybe, surely bool) {
	file := filepath.Clean(event.Name)
	if !c.near[file] && !c.near[filepath.Dir(file)] {
		return false, false // it only happens to be beside a directory that matters
	}
	_, known := c.seen[file]
	return true, event.Op != fsnotify.Chmod && (known || c.matters != nil && c.matters(file))
}

// run ends with close. It goes on reading what the watcher says while directories are placed, which could not be otherwise.
func (c *changes) run() {
	settled := time.NewTimer(0)
	<-settled.C
	defer settled.Stop()
	var last string
	var changed chan string // nil until something has changed, and settled
	note := func(what string) {
		last, changed = what, nil
		settled.Reset(settleTime)
	}
	placing, again := false, false
	var waiting, served []chan error // for a round that is to begin, and for the one that is under way
	for {
		if again && !placing {
			placing, again = true, false
			served, waiting = waiting, nil
			go func(p placement) { // ends when it is done, or with close
				select {
				case c.placed <- c.place(p):
				case <-c.over:
				}
			}(c.around())
		}
		select {
		case event, ok := <-c.watcher.Events:
			if !ok {
				return
			}
			maybe, surely := c.concerns(event)
			if surely {
				note(filepath.Clean(event.Name))
			}
			if maybe {
				again = true
			}
		case err, ok := <-c.watcher.Errors: // more at once than it could tell: as good as a change
			if ok {
				note(err.Error())
			}
		case o := <-c.wanted:
			if file := c.compare(o.files); file != "" {
				note(file)
			}
			again, waiting = true, append(waiting, o.done)
		case err := <-c.placed:
			placing = false
			if file := c.compare(slices.Collect(maps.Keys(c.seen))); file != "" { // also what came about before it was watched
				note(file)
				again = true
			}
			for _, done := range served {
				done <- err
			}
			served = nil
		case <-settled.C:
			changed = c.changed
		case changed <- last:
			changed = nil
		case <-c.over:
			return
		}
	}
}

func (c *changes) close() {
	close(c.over)
	_ = c.watcher.Close()
}
