package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/fsnotify/fsnotify"

	"github.com/vantiq-go/connectorsdk/connectortest"
)

// startWatched starts a connector in real time, with real watchers, that scans so rarely that it learns of nothing by that.
func startWatched(t *testing.T, newWatcher func() (*fsnotify.Watcher, error), directories ...document) *connectortest.Running {
	t.Helper()
	c := newConnector(filepath.Join(t.TempDir(), "state"), slog.New(slog.NewTextHandler(t.Output(), nil)))
	c.newWatcher = newWatcher
	for _, d := range directories {
		d["scan"] = "1h"
	}
	return connectortest.Start(t, c.handlers(), connectortest.WithSource("Files", configOf(directories...)))
}

func put(t *testing.T, directory, name, text string) {
	t.Helper()
	path := filepath.Join(directory, name)
	if err := os.WriteFile(path+".part", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".part", path); err != nil {
		t.Fatal(err)
	}
}

// The file system tells of files, in each directory, and in each session.
func TestTheFileSystemTellsOfFiles(t *testing.T) {
	one, other := t.TempDir(), t.TempDir()
	running := startWatched(t, fsnotify.NewWatcher,
		document{"path": one, "pattern": "*.jsonl", "format": "jsonl", "settle": "0s"},
		document{"path": one, "pattern": "*.csv", "settle": "300ms"},
		document{"path": other, "pattern": "log", "format": "jsonl", "follow": true})
	source := running.Source("Files")
	for session := range 2 {
		if session > 0 {
			source.RequireReconnect()
			if err := source.WaitSession(t.Context(), 2); err != nil {
				t.Fatal(err)
			}
		}
		put(t, one, "a.jsonl", "{\"n\":1}\n")
		if got := receive(t, source); got != `a.jsonl 1 {"n":1} last` {
			t.Error(got)
		}
		put(t, one, "b.csv", "n\n2\n")
		if got := receive(t, source); got != `b.csv 1 {"n":"2"} last` {
			t.Error(got)
		}
		put(t, other, "log", "{\"n\":3}\n")
		if got := receive(t, source); got != `log 1 {"n":3}` {
			t.Error(got)
		}
	}
}

// When the watcher has lost something, everything is looked through.
func TestAnOverflowOfTheWatcher(t *testing.T) {
	directory := t.TempDir()
	lost := make(chan error)
	running := startWatched(t, func() (*fsnotify.Watcher, error) {
		watcher, err := fsnotify.NewWatcher()
		if err == nil {
			watcher.Events, watcher.Errors = nil, lost
		}
		return watcher, err
	}, document{"path": directory, "pattern": "f", "format": "jsonl", "settle": "0s"})
	put(t, directory, "f", "{\"n\":1}\n")
	lost <- fsnotify.ErrEventOverflow
	if got := receive(t, running.Source("Files")); got != `f 1 {"n":1} last` {
		t.Error(got)
	}
}
