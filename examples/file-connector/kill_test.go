//go:build unix

package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

var (
	kills = flag.Int("kills", 10, "how often TestKilledConnectorLosesNothing kills the connector")
	drops = flag.Int("drops", 10, "how often it drops the link to Vantiq")
)

// numbered is a row as the tests write them: the n-th of a stream, in a file of its own or in several.
type numbered struct {
	Stream string      `json:"s"`
	N      json.Number `json:"n"` // from 1
}

// A ledger knows what was written and what has arrived.
type ledger struct {
	*testing.T
	mu           sync.Mutex
	written      map[string]int64 // how many rows a stream has
	next         map[string]int64 // the next row of a stream that has not arrived
	acknowledged map[string]int64 // how many rows of a stream were acknowledged
	unsure       map[string]int64 // the same, when those are acknowledged that are withheld
	withheld     bool
	copies       int
	mistakes     int

	arrived chan struct{} // has an element if something may have arrived
}

func (l *ledger) arrive(event protocol.Document) {
	e := receivedOf(l.T, event)
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(e.Errors) > 0 {
		l.mistake("%s: %+v", e.File, e.Errors)
	}
	for i, text := range e.Rows {
		row := decode[numbered](l.T, text)
		n, err := row.N.Int64()
		if err != nil || n != e.First+int64(i) {
			l.mistake("%s: row %s has the number %d", e.File, text, e.First+int64(i))
		}
		switch next := l.next[row.Stream]; {
		case n > next:
			l.mistake("%s: row %d came before row %d", row.Stream, n, next)
		case n < next:
			l.copies++
		default:
			l.next[row.Stream]++
		}
		l.unsure[row.Stream] = max(l.unsure[row.Stream], n)
		if !l.withheld {
			l.acknowledged[row.Stream] = max(l.acknowledged[row.Stream], n)
		}
	}
	select {
	case l.arrived <- struct{}{}:
	default:
	}
}

// missing returns how many rows of a stream have not arrived.
func (l *ledger) missing(stream string) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.written[stream] + 1 - l.next[stream]
}

func (l *ledger) mistake(format string, args ...any) {
	if l.mistakes++; l.mistakes <= 5 {
		l.Errorf(format, args...)
	}
}

// write notes that rows are about to be written, and returns them.
func (l *ledger) write(stream string, rows int, format string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.next[stream] == 0 {
		l.next[stream] = 1
	}
	var text strings.Builder
	for range rows {
		l.written[stream]++
		fmt.Fprintf(&text, format, stream, l.written[stream])
	}
	return text.String()
}

// withhold changes whether acknowledgements are withheld.
func (l *ledger) withhold(source *vantiqtest.Source, withhold bool) {
	l.mu.Lock()
	if !withhold {
		maps.Copy(l.acknowledged, l.unsure) // they are sent now
	}
	l.withheld = withhold
	l.mu.Unlock()
	source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: withhold})
}

// lost notes that what was withheld is never sent.
func (l *ledger) lost() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unsure = maps.Clone(l.acknowledged)
}

// checkDone fails the test if a file was moved before all of it was acknowledged.
func (l *ledger) checkDone(directory string) {
	for _, name := range filesIn(l.T, directory) {
		l.mu.Lock()
		if l.acknowledged[name] != l.written[name] {
			l.mistake("%s is in done: %d rows, %d acknowledged", name, l.written[name], l.acknowledged[name])
		}
		l.mu.Unlock()
	}
}

// A load writes files for as long as it is not stopped: small ones, renamed into place; larger ones, which grow for a while;
// and a log, which is rotated.
type load struct {
	*ledger
	renamed, grown, logs string // directories
}

func (l *load) run(stop <-chan struct{}) {
	ticks := time.NewTicker(5 * time.Millisecond)
	defer ticks.Stop()
	for n := 0; ; n++ {
		log := fmt.Sprint("log.", n/300) // what it will be called
		l.append(filepath.Join(l.logs, "log"), l.write(log, 3, "{\"s\":%q,\"n\":%d}\n"))
		if n%300 == 299 {
			l.must(os.Rename(filepath.Join(l.logs, "log"), filepath.Join(l.logs, log)))
		}
		if n%10 == 0 {
			name := fmt.Sprintf("small%05d", n/10)
			l.append(filepath.Join(l.renamed, ".new"), l.write(name, 1+n%37, "{\"s\":%q,\"n\":%d}\n"))
			l.must(os.Rename(filepath.Join(l.renamed, ".new"), filepath.Join(l.renamed, name)))
		}
		name := fmt.Sprintf("large%05d", n/40)
		if n%40 == 0 {
			l.append(filepath.Join(l.grown, name), "s,n\n")
		}
		l.append(filepath.Join(l.grown, name), l.write(name, 20, "%q,%d\n"))
		select {
		case <-ticks.C:
		case <-stop:
			return
		}
	}
}

func (l *load) append(path, text string) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	l.must(err)
	_, err = file.WriteString(text)
	l.must(err)
	l.must(file.Close())
}

func (l *load) must(err error) {
	if err != nil {
		panic(err)
	}
}

// A connector that is killed at any instant, and whose link is dropped at any other, loses no row of any file.
func TestKilledConnectorLosesNothing(t *testing.T) {
	server := vantiqtest.NewServer()
	defer server.Close()
	root := t.TempDir()
	l := &load{
		ledger: &ledger{
			T: t, arrived: make(chan struct{}, 1),
			written: map[string]int64{}, next: map[string]int64{}, acknowledged: map[string]int64{}, unsure: map[string]int64{},
		},
		renamed: filepath.Join(root, "renamed"), grown: filepath.Join(root, "grown"), logs: filepath.Join(root, "logs"),
	}
	done := filepath.Join(root, "done")
	for _, directory := range []string{l.renamed, l.grown, l.logs, done} {
		if err := os.Mkdir(directory, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	source := server.Source("Files", configOf(
		document{"path": l.renamed, "format": "jsonl", "settle": "0s", "rowsPerEvent": 10, "maxDelay": "20ms", "done": done},
		document{"path": l.grown, "settle": "300ms", "rowsPerEvent": 50, "maxDelay": "20ms", "done": done},
		document{"path": l.logs, "pattern": "log*", "format": "jsonl", "follow": true, "maxDelay": "20ms"},
	))
	source.HandleNotifications(l.arrive)
	p := prepare(t, server)

	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		l.run(stop)
	}()
	for round := range max(*kills, *drops) {
		l.withhold(source, rand.IntN(4) == 0)
		p.start(nil)
		if round < *drops {
			if err := source.WaitConnected(t.Context()); err != nil {
				t.Fatal(err)
			}
			pause(rand.N(300 * time.Millisecond))
			source.Drop([]vantiqtest.Drop{vantiqtest.RST, vantiqtest.FIN, 1012}[rand.IntN(3)])
			l.lost()
		}
		if round < *kills {
			pause(rand.N(1200 * time.Millisecond))
			p.end(os.Kill)
			l.lost()
		} else {
			p.end(syscall.SIGTERM)
		}
		l.checkDone(done)
	}
	close(stop)
	<-stopped
	l.withhold(source, false)
	p.start(nil)
	files := 0
	for stream := range l.written {
		if !strings.HasPrefix(stream, "log") {
			files++
		}
	}
	waitForFiles(t, done, files)
	for stream := range l.written {
		for l.missing(stream) > 0 {
			select {
			case <-l.arrived:
			case <-t.Context().Done():
				t.Fatal("the test ended before")
			}
		}
	}
	if out := p.end(syscall.SIGTERM); strings.Contains(out, "level=ERROR") || strings.Contains(out, "ERR") {
		t.Errorf("it wrote %s", out)
	}
	l.checkDone(done)
	rows := int64(0)
	for _, written := range l.written {
		rows += written
	}
	t.Logf("%d kills, %d drops: %d rows of %d files and of %d logs, %d mistakes, %d copies", *kills, *drops, rows, files, len(l.written)-files, l.mistakes, l.copies)
}

// pause lets the processes work for a while: what is tested is that any length will do.
func pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	<-timer.C
}

// waitForFiles waits until there are so many files in a directory.
func waitForFiles(t *testing.T, directory string, files int) {
	t.Helper()
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = watcher.Close() }()
	if err := watcher.Add(directory); err != nil {
		t.Fatal(err)
	}
	for len(filesIn(t, directory)) < files {
		select {
		case <-watcher.Events:
		case <-t.Context().Done():
			t.Fatal("the test ended before")
		case <-time.NewTimer(time.Minute).C:
			t.Fatalf("after a minute without a new file there are %d, want %d", len(filesIn(t, directory)), files)
		}
	}
}
