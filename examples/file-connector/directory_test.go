package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vantiq-go/connectorsdk/connectorset"
	"github.com/vantiq-go/connectorsdk/connectortest"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

func TestAFileIsCompleteWhenItDoesNotGrow(t *testing.T) {
	work(t, document{"settle": "5s"}, func(d *desk) {
		d.start()
		for n := range 5 {
			d.add("f", fmt.Sprintf("{\"n\":%d}", n))
			d.pass()
			d.receives()
		}
		d.add("f", "\n")
		d.pass()
		d.pass()
		d.receives(`f 1 (1: line 1: not JSON: {"n":0}{"n":1}{"n":2}{"n":3}{"n":4}) last`)
		d.holds("done/f")
	})
}

func TestAFileIsCompleteWhenItIsRenamed(t *testing.T) {
	work(t, document{"settle": "0s", "pattern": "*.jsonl"}, func(d *desk) {
		d.write("f.part", "{\"n\":1}\n")
		d.write(".f.jsonl", "{\"n\":2}\n")
		d.start()
		d.pass()
		d.rename("f.part", "f.jsonl")
		time.Sleep(1100 * time.Millisecond)
		synctest.Wait()
		d.receives(`f.jsonl 1 {"n":1} last`)
		d.holds(".f.jsonl", "done/f.jsonl")
	})
}

func TestAFileIsCompleteWhenItHasAMarker(t *testing.T) {
	work(t, document{"marker": ".ready"}, func(d *desk) {
		d.write("a", "{\"n\":1}\n")
		d.write("b", "{\"n\":2}\n")
		d.write("b.ready", "")
		d.write("moved.ready", "") // what a kill between two steps leaves
		d.start()
		d.pass()
		d.receives(`b 1 {"n":2} last`)
		d.holds("a", "done/b")
		d.write("moved", "{\"n\"")
		d.write("a.ready", "")
		d.pass()
		d.receives(`a 1 {"n":1} last`)
		d.holds("done/a", "done/b", "moved")
	})
}

func TestOrder(t *testing.T) {
	for order, want := range map[string][]string{
		"name":     {`a 1 {"n":2} last`, `b 1 {"n":1} last`, `c 1 {"n":3} last`},
		"modified": {`b 1 {"n":1} last`, `a 1 {"n":2} last`, `c 1 {"n":3} last`},
	} {
		work(t, document{"order": order}, func(d *desk) {
			for i, name := range []string{"b", "a", "c"} {
				d.write(name, fmt.Sprintf("{\"n\":%d}\n", i+1))
				if err := os.Chtimes(d.path(name), time.Time{}, time.Unix(int64(i), 0)); err != nil {
					d.Fatal(err)
				}
			}
			d.start()
			d.pass()
			d.receives(want...)
		})
	}
}

// What is appended after a file seemed complete is read, too.
func TestAFileThatGrowsWhileItIsSent(t *testing.T) {
	work(t, nil, func(d *desk) {
		d.write("f", "{\"n\":1}\n")
		d.start()
		d.source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
		d.pass()
		d.receives(`f 1 {"n":1} last`)
		d.add("f", "{\"n\":2}\n")
		d.source.SetAcknowledgements(vantiqtest.Acknowledgements{})
		d.pass()
		d.receives(`f 2 {"n":2} last`)
		d.holds("done/f")
	})
}

// What is appended while a file is sent has to be complete before it is read, as the file had to be.
func TestARowThatIsWrittenWhileItsFileIsSent(t *testing.T) {
	work(t, document{"format": "csv", "rowsPerEvent": 1}, func(d *desk) {
		row := strings.Repeat("x", 60_000) // so that the rest is not read ahead
		d.write("f", fmt.Sprintf("n,x\n1,%s\n2,%s\n3,%s\n", row, row, row))
		d.start(connectortest.WithConfig(func(c *connectorset.Config) { c.OutboxMessages = 1 }))
		d.source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
		d.pass()
		d.add("f", "4,whole\n5,ha")
		d.source.SetAcknowledgements(vantiqtest.Acknowledgements{})
		time.Sleep(500 * time.Millisecond)
		synctest.Wait()
		d.add("f", "lf\n")
		d.pass()
		want := []string{`f 4 {"n":"4","x":"whole"}`, `f 5 {"n":"5","x":"half"} last`}
		events := d.source.Notifications()
		if len(events) != 5 {
			d.Fatalf("there are %d events", len(events))
		}
		for i, event := range events[3:] {
			if got := receivedOf(d.T, event).String(); got != want[i] {
				d.Errorf("received %s, want %s", got, want[i])
			}
		}
		d.holds("done/f")
	})
}

// A file of the same name is another one, whatever became of the first.
func TestAFileThatIsReplaced(t *testing.T) {
	for _, test := range []struct {
		name, by string
		replace  func(d *desk, text string)
		want     []string
	}{
		{"by renaming", "{\"n\":1}\n{\"n\":5}\n", (*desk).replace, []string{`f 1 {"n":1}`, `f 2 {"n":5} last`}},
		{"by one that begins as it did", "{\"n\":1}\n{\"n\":2}\n{\"n\":5}\n", (*desk).replace, []string{`f 1 {"n":1}`, `f 2 {"n":2}`, `f 3 {"n":5} last`}},
		{"in its place", "{\"n\":1}\n{\"n\":5}\n", func(d *desk, text string) { d.write("f", text) }, []string{`f 1 {"n":1}`, `f 2 {"n":5} last`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			work(t, document{"rowsPerEvent": 1}, func(d *desk) {
				d.write("f", "{\"n\":1}\n{\"n\":2}\n")
				d.start()
				d.source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
				d.pass()
				d.receives(`f 1 {"n":1}`, `f 2 {"n":2} last`)
				test.replace(d, test.by)
				d.source.ReleaseAcknowledgements(2)
				d.pass()
				d.receives(test.want...)
				d.holds("f")
				d.source.ReleaseAcknowledgements(len(test.want))
				d.pass()
				d.holds("done/f")
			})
		})
	}
}

// replace replaces f as a program does that writes files properly.
func (d *desk) replace(text string) {
	d.write(".new", text)
	d.rename(".new", "f")
}

func TestAFileThatIsReplacedWhileTheConnectorIsAway(t *testing.T) {
	work(t, document{"rowsPerEvent": 1}, func(d *desk) {
		d.write("f", "{\"n\":1}\n{\"n\":2}\n")
		d.start()
		d.source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
		d.pass()
		d.source.ReleaseAcknowledgements(1)
		d.pass()
		_ = d.stop() // it says that a row was not acknowledged
		d.write("f", "{\"n\":3}\n{\"n\":4}\n")
		d.start()
		d.pass()
		d.receives(`f 1 {"n":3}`, `f 2 {"n":4} last`)
		d.holds("done/f")
		if left := filesIn(d.T, d.state); len(left) > 0 {
			d.Errorf("positions are left: %q", left)
		}
	})
}

// A file in done is never replaced.
func TestTwoFilesOfOneName(t *testing.T) {
	work(t, nil, func(d *desk) {
		d.start()
		ids := map[string]bool{}
		for n := range 3 {
			d.write("f.x", fmt.Sprintf("{\"n\":%d}\n", n))
			d.pass()
			for _, event := range d.source.Notifications() {
				ids[receivedOf(d.T, event).ID] = true
			}
		}
		files := filesIn(d.T, d.path("done"))
		if len(files) != 3 || len(ids) != 3 {
			d.Fatalf("%q, ids %v", files, ids)
		}
		for _, name := range files {
			if !strings.HasPrefix(name, "f.") || !strings.HasSuffix(name, ".x") {
				d.Errorf("%s", name)
			}
		}
	})
}

func TestAFileThatIsDeletedWhileItIsSent(t *testing.T) {
	work(t, nil, func(d *desk) {
		d.write("f", "{\"n\":1}\n")
		d.start()
		d.source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
		d.pass()
		if err := os.Remove(d.path("f")); err != nil {
			d.Fatal(err)
		}
		d.source.SetAcknowledgements(vantiqtest.Acknowledgements{})
		d.pass()
		d.receives(`f 1 {"n":1} last`)
		d.write("g", "{\"n\":2}\n")
		d.pass()
		d.receives(`g 1 {"n":2} last`)
		d.holds("done/g")
		if n := d.log.count("level=ERROR"); n != 1 { // that there is no watcher
			d.Errorf("%d errors", n)
		}
	})
}

func TestADirectoryThatGoesAndComes(t *testing.T) {
	work(t, nil, func(d *desk) {
		d.write("f", "{\"n\":1}\n")
		d.start()
		d.pass()
		d.receives(`f 1 {"n":1} last`)
		if err := os.RemoveAll(d.in); err != nil {
			d.Fatal(err)
		}
		d.pass()
		if err := os.Mkdir(d.in, 0o700); err != nil {
			d.Fatal(err)
		}
		d.write("f", "{\"n\":2}\n")
		d.pass()
		d.receives(`f 1 {"n":2} last`)
		d.holds("done/f")
	})
}

// A done directory below the watched one cannot lead elsewhere.
func TestADoneDirectoryThatLeadsElsewhere(t *testing.T) {
	work(t, nil, func(d *desk) {
		elsewhere := d.TempDir()
		if err := os.Symlink(elsewhere, d.path("done")); err != nil {
			d.Fatal(err)
		}
		d.write("f", "{\"n\":1}\n")
		d.start()
		d.pass()
		d.receives(`f 1 {"n":1} last`)
		d.holds("done", "f")
		if got := filesIn(d.T, elsewhere); len(got) > 0 {
			d.Errorf("%q", got)
		}
	})
}

// A file that cannot be moved is not sent again, also not by the next process, and does not hold up others.
func TestADoneDirectoryOnAnotherFileSystem(t *testing.T) {
	elsewhere, err := os.MkdirTemp("/dev/shm", "file-connector-") //nolint:usetesting // t.TempDir is on the file system of the test
	if err != nil {
		t.Skipf("there is no other file system to be had: %v", err)
	}
	defer os.RemoveAll(elsewhere)
	if os.Link(os.Args[0], filepath.Join(elsewhere, "link")) == nil {
		t.Skip("/dev/shm is no other file system")
	}
	work(t, document{"done": elsewhere}, func(d *desk) {
		d.write("a", "{\"n\":1}\n")
		d.write("b", "{\"n\":2}\n")
		for want := range 2 {
			d.start()
			d.pass()
			d.pass()
			d.holds("a", "b")
			if n := d.log.count("choose a directory on the same file system as " + d.in); n != 2*(want+1) {
				d.Errorf("told %d times", n)
			}
			if want == 0 {
				d.receives(`a 1 {"n":1} last`, `b 1 {"n":2} last`)
			}
			rows, err := d.source.Query(d.Context(), nil)
			if err != nil || len(rows) != 2 || !strings.Contains(rows[1].String(), `"state":"acknowledged","problem":"all of it is acknowledged, but`) {
				d.Errorf("%v (%v)", rows, err)
			}
			d.mustStop()
		}
		d.directory["done"] = "done"
		d.start()
		d.pass()
		d.receives()
		d.holds("done/a", "done/b")
	})
}

func TestManySmallFiles(t *testing.T) {
	const files = 10_000
	work(t, nil, func(d *desk) {
		for n := range files {
			d.write(fmt.Sprintf("%05d", n), fmt.Sprintf("{\"n\":%d}\n", n))
		}
		d.start()
		d.pass()
		events := d.source.Notifications()
		for n, event := range events {
			if got, want := receivedOf(d.T, event).String(), fmt.Sprintf("%05d 1 {\"n\":%d} last", n, n); got != want {
				d.Fatalf("%s, want %s", got, want)
			}
		}
		if moved := len(filesIn(d.T, d.path("done"))); len(events) != files || moved != files {
			d.Errorf("%d events, %d files moved", len(events), moved)
		}
	})
}

// A large file is not held in memory.
func TestALargeFile(t *testing.T) {
	const megabytes = 64
	work(t, document{"rowsPerEvent": 1000}, func(d *desk) {
		file, err := os.Create(d.path("f"))
		if err != nil {
			d.Fatal(err)
		}
		line := []byte(`{"pad":"` + strings.Repeat("x", 1013) + `"}` + "\n")
		for range megabytes {
			if _, err := file.Write([]byte(strings.Repeat(string(line), 1024))); err != nil {
				d.Fatal(err)
			}
		}
		if err := file.Close(); err != nil {
			d.Fatal(err)
		}
		heap := func() uint64 { // what is alive: the first collection leaves what stands in pools
			runtime.GC()
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		before, most := heap(), uint64(0) // other tests have left something
		rows := 0
		d.start(connectortest.WithConfig(func(config *connectorset.Config) { config.OutboxBytes = 1 << 20 }))
		next := 0
		d.source.HandleNotifications(func(event protocol.Document) {
			rows += strings.Count(event.String(), `{"pad"`)
			if rows > next {
				next += 2000
				most = max(most, heap())
			}
		})
		for range 20 {
			d.pass()
		}
		d.holds("done/f")
		most -= min(most, before)
		if rows != megabytes*1024 || most > 8<<20 {
			d.Errorf("%d rows, %d MiB", rows, most>>20)
		}
		d.Logf("%d MiB of heap for a file of %d MiB", most>>20, megabytes)
	})
}
