package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"
	"go.uber.org/goleak"

	"github.com/vantiq-go/connectorsdk/connectortest"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(builtIn)
		os.Exit(code)
	}))
}

// builtIn is where the program was built, once for all tests; empty if none needed it.
var builtIn string

type document = map[string]any

// A desk is where a test works: directories, and connectors that watch one of them in virtual time, one after the other.
// There is no watcher, whose goroutine would hold the time: what is there is found by scans.
type desk struct {
	*testing.T
	in, state string
	directory document // the configuration of in
	log       *logged

	latest  *fileConnector
	running *connectortest.Running
	source  *vantiqtest.Source
}

// work runs a test at a desk. What the directory's configuration does not say is as a test needs it.
func work(t *testing.T, directory document, test func(d *desk)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := &desk{T: t, in: t.TempDir(), state: filepath.Join(t.TempDir(), "state"), directory: document{"format": "jsonl", "settle": "1s", "scan": "1s"}, log: &logged{}}
		d.directory["path"] = d.in
		for name, value := range directory {
			d.directory[name] = value
		}
		test(d)
	})
}

// start starts a connector as a new process would.
func (d *desk) start(options ...connectortest.Option) {
	d.Helper()
	options = append(options, connectortest.WithSource("Files", configOf(d.directory)))
	d.running = connectortest.Start(d.T, d.connector().handlers(), options...)
	d.source = d.running.Source("Files")
}

// connector returns a connector as a new process has it.
func (d *desk) connector() *fileConnector {
	c := newConnector(d.state, slog.New(slog.NewTextHandler(d.log, nil)))
	c.newWatcher = func() (*fsnotify.Watcher, error) { return nil, errors.New("there is none in this test") }
	d.latest = c
	return c
}

func configOf(directories ...document) document {
	return document{"fileConfig": document{"directories": directories}}
}

// pass lets time pass: enough for a scan, for a file to be complete, and for what follows; not so much that the SDK does
// something about acknowledgements that are withheld.
func (d *desk) pass() {
	time.Sleep(4 * time.Second)
	synctest.Wait()
}

// stop leaves as a pod does when it is told to. The error is about what was not acknowledged.
func (d *desk) stop() error {
	d.Helper()
	err := d.running.Stop()
	d.latest.leave()
	return err
}

func (d *desk) mustStop() {
	d.Helper()
	if err := d.stop(); err != nil {
		d.Error(err)
	}
}

func (d *desk) path(name string) string { return filepath.Join(d.in, name) }

func (d *desk) write(name, text string) {
	d.Helper()
	if err := os.WriteFile(d.path(name), []byte(text), 0o600); err != nil {
		d.Fatal(err)
	}
}

func (d *desk) add(name, text string) {
	d.Helper()
	file, err := os.OpenFile(d.path(name), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		d.Fatal(err)
	}
	_, err = file.WriteString(text)
	if err := errors.Join(err, file.Close()); err != nil {
		d.Fatal(err)
	}
}

func (d *desk) rename(from, to string) {
	d.Helper()
	if err := os.Rename(d.path(from), d.path(to)); err != nil {
		d.Fatal(err)
	}
}

// age returns when a file was modified.
func (d *desk) age(name string) time.Time {
	d.Helper()
	info, err := os.Stat(d.path(name))
	if err != nil {
		d.Fatal(err)
	}
	return info.ModTime()
}

// holds fails the test unless the directory, with what is below it, holds exactly these files.
func (d *desk) holds(want ...string) {
	d.Helper()
	if got := filesIn(d.T, d.in); !slices.Equal(got, want) {
		d.Errorf("there are %q, want %q", got, want)
	}
}

func filesIn(t *testing.T, directory string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(directory, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			path, err = filepath.Rel(directory, path)
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// A received is an event as VAIL gets it.
type received struct {
	File, ID, Directory string
	First               int64
	Last                bool
	Rows                []json.RawMessage
	Errors              []wrong
}

// String returns the event in short, like "orders.csv 1 {…} {…} last".
func (e received) String() string {
	text := []string{e.File, fmt.Sprint(e.First)}
	for _, row := range e.Rows {
		text = append(text, string(row))
	}
	for _, w := range e.Errors {
		text = append(text, fmt.Sprintf("(%d: line %d: %s: %s)", w.Row, w.Line, w.Error, w.Text))
	}
	if e.Last {
		text = append(text, "last")
	}
	return strings.Join(text, " ")
}

func decode[T any](t *testing.T, text []byte) (value T) {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&value); err != nil {
		t.Errorf("%s: %v", text, err)
	}
	return value
}

func receivedOf(t *testing.T, event protocol.Document) received {
	t.Helper()
	e := decode[received](t, event.Raw())
	if e.ID == "" || e.Directory == "" || e.Rows == nil {
		t.Errorf("%s lacks something", event)
	}
	return e
}

// receives fails the test unless exactly these events have come since the last call.
func (d *desk) receives(want ...string) {
	d.Helper()
	var got []string
	for _, event := range d.source.Notifications() {
		got = append(got, receivedOf(d.T, event).String())
	}
	if !slices.Equal(got, want) {
		d.Errorf("received\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

// receive returns the next event.
func receive(t *testing.T, source *vantiqtest.Source) string {
	t.Helper()
	event, err := source.Notification(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return receivedOf(t, event).String()
}

// logged is what a connector logs.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

// count returns how many lines hold a text.
func (l *logged) count(text string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.text.String()) {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}
