package main

import (
	"context"
	"path/filepath"

	"github.com/fsnotify/fsnotify"

	"github.com/vantiq-go/connectorsdk/connector"
)

// startWatching lets the file system tell of changes for as long as the session lasts. There is one watcher for all
// directories: systems have few of them.
func (s *session) startWatching(c *connector.SourceConnection, newWatcher func() (*fsnotify.Watcher, error)) error {
	s.watcher, s.unwatched = newWatcher()
	if s.unwatched != nil {
		return nil //nolint:nilerr // watch tells it, and scans have to do
	}
	err := c.Go(func(ctx context.Context) error {
		defer func() { _ = s.watcher.Close() }()
		for {
			select {
			case event := <-s.watcher.Events:
				if event.Has(fsnotify.Create) || event.Has(fsnotify.Write) {
					s.wake(filepath.Dir(event.Name))
				}
			case err := <-s.watcher.Errors: // something may have been lost
				s.log.Warn("all directories are looked through, as the file system may not have told of a change", "error", err)
				s.wake("")
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
	if err != nil {
		_ = s.watcher.Close()
	}
	return err
}

// watch adds a directory, or adds it again: a watch ends when its directory is removed.
func (s *session) watch(directory string) error {
	if s.unwatched != nil {
		return s.unwatched
	}
	return s.watcher.Add(directory)
}

// wake makes the session look through a directory, or through all.
func (s *session) wake(path string) {
	for _, d := range s.directories {
		if path == "" || d.Path == path {
			select {
			case d.changed <- struct{}{}:
			default:
			}
		}
	}
}
