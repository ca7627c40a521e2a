package main

import (
	"path/filepath"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"
)

// changes tells when files change. Editors replace a file, or write it bit by bit: several changes at once are one.
type changes struct {
	changed chan string // what has changed last, a file as a rule
	watcher *fsnotify.Watcher
	matters func(file string) bool
	over    chan struct{}
}

// settleTime is how long files must have been left alone.
const settleTime = 100 * time.Millisecond

// watchFiles tells when one of these files changes, appears or goes. Their directories must exist.
func watchFiles(files []string) (*changes, error) {
	var directories []string
	for i, file := range files {
		files[i] = filepath.Clean(file)
		directories = append(directories, filepath.Dir(files[i]))
	}
	return watchDirectories(directories, func(file string) bool { return slices.Contains(files, filepath.Clean(file)) })
}

// watchDirectories tells when a file of these directories changes that matters.
func watchDirectories(directories []string, matters func(file string) bool) (*changes, error) {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	c := &changes{changed: make(chan string), watcher: watcher, matters: matters, over: make(chan struct{})}
	if err := c.add(directories); err != nil {
		_ = watcher.Close()
		return nil, err
	}
	go c.run()
	return c, nil
}

// add watches these directories as well.
func (c *changes) add(directories []string) error {
	watched := c.watcher.WatchList()
	for _, directory := range directories {
		if !slices.Contains(watched, directory) {
			if err := c.watcher.Add(directory); err != nil {
				return err
			}
		}
	}
	return nil
}

// run ends with close.
func (c *changes) run() {
	settled := time.NewTimer(0)
	<-settled.C
	defer settled.Stop()
	var last string
	var changed chan string // nil until something has changed, and settled
	for {
		select {
		case event, ok := <-c.watcher.Events:
			if !ok {
				return
			}
			if event.Op != fsnotify.Chmod && c.matters(event.Name) {
				last, changed = event.Name, nil
				settled.Reset(settleTime)
			}
		case err, ok := <-c.watcher.Errors: // more at once than it could tell: as good as a change
			if ok {
				last, changed = err.Error(), nil
				settled.Reset(settleTime)
			}
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
