package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vantiq-go/connectorsdk/connectortest"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

func TestEventsAreBounded(t *testing.T) {
	work(t, document{"rowsPerEvent": 2, "eventBytes": 100}, func(d *desk) {
		long := `{"n":"` + strings.Repeat("x", 60) + `"}`
		d.write("f", "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n"+long+"\n"+long+"\n")
		d.start()
		d.pass()
		d.receives(`f 1 {"n":1} {"n":2}`, `f 3 {"n":3} `+long, `f 5 `+long+` last`)
	})
}

// A file is moved only when the last of its rows is acknowledged, however long that takes.
func TestAFileStaysUntilAllOfItIsAcknowledged(t *testing.T) {
	work(t, document{"rowsPerEvent": 1}, func(d *desk) {
		d.write("a", "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n")
		d.write("b", "{\"n\":4}\n")
		d.start()
		d.source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
		d.pass()
		d.receives(`a 1 {"n":1}`, `a 2 {"n":2}`, `a 3 {"n":3} last`, `b 1 {"n":4} last`)
		for range 3 {
			d.holds("a", "b")
			d.source.ReleaseAcknowledgements(1)
			d.pass()
		}
		d.holds("b", "done/a")
		d.source.ReleaseAcknowledgements(1)
		d.pass()
		d.holds("done/a", "done/b")
		d.receives()
	})
}

// The next process goes on behind the last row that was acknowledged.
func TestTheNextProcessGoesOnInTheMiddleOfAFile(t *testing.T) {
	for name, directory := range map[string]document{
		"jsonl": {"rowsPerEvent": 1},
		"csv":   {"rowsPerEvent": 1, "format": "csv"},
	} {
		t.Run(name, func(t *testing.T) {
			work(t, directory, func(d *desk) {
				row := func(n int) string { return fmt.Sprintf(`{"n":%d}`, n) }
				text := "{\"n\":1}\n\n{\"n\":2}\n{\"n\":3}\n{\"n\":4}\n"
				if name == "csv" {
					row = func(n int) string { return fmt.Sprintf(`{"n":"%d"}`, n) }
					text = "n\n1\n\n2\n\"3\"\n4\n"
				}
				d.write("f", text)
				d.start()
				d.source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
				d.pass()
				d.receives("f 1 "+row(1), "f 2 "+row(2), "f 3 "+row(3), "f 4 "+row(4)+" last")
				d.source.ReleaseAcknowledgements(2)
				d.pass()
				if err := d.stop(); err == nil {
					d.Error("nothing is said of what was not acknowledged")
				}
				d.holds("f")
				d.start()
				d.pass()
				d.receives("f 3 "+row(3), "f 4 "+row(4)+" last")
				d.holds("done/f")
			})
		})
	}
}

// What is acknowledged while the connector leaves is not sent again by the next.
func TestNothingIsSentTwiceWhenTheConnectorLeaves(t *testing.T) {
	work(t, document{"rowsPerEvent": 1}, func(d *desk) {
		d.write("f", strings.Repeat("{\"n\":1}\n", 50))
		d.start()
		d.source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
		time.Sleep(3 * time.Second) // the window is small: most of the file waits in the outbox
		go func() {
			time.Sleep(time.Second) // after the drain began
			d.source.SetAcknowledgements(vantiqtest.Acknowledgements{})
		}()
		d.mustStop()
		if got := len(d.source.Notifications()); got != 50 {
			d.Errorf("%d events, want 50", got)
		}
		d.start()
		d.pass()
		d.receives()
		d.holds("done/f")
	})
}

// A lost link does not make the connector read anything again: only what the SDK sends again comes twice.
func TestALostLinkReadsNothingAgain(t *testing.T) {
	work(t, document{"rowsPerEvent": 1}, func(d *desk) {
		d.write("f", strings.Repeat("{\"n\":1}\n", 500))
		d.start()
		d.source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
		for range 20 {
			time.Sleep(3 * time.Second)
			d.source.ReleaseAcknowledgements(3)
			d.source.Drop(vantiqtest.RST)
			if err := d.source.WaitConnected(d.Context()); err != nil {
				d.Fatal(err)
			}
		}
		d.source.SetAcknowledgements(vantiqtest.Acknowledgements{})
		d.pass()
		d.holds("done/f")
		if accepted := d.running.Connection("Files").Stats().Accepted; accepted != 500 {
			d.Errorf("%d notifications, want 500", accepted)
		}
		next := int64(1)
		for _, event := range d.source.Notifications() {
			switch e := receivedOf(d.T, event); {
			case e.First > next:
				d.Fatalf("row %d came before row %d", e.First, next)
			case e.First == next:
				next++
			}
		}
		if next != 501 {
			d.Errorf("%d rows came, want 500", next-1)
		}
	})
}

// What Vantiq refuses is told, and not sent for ever.
func TestRefusedRows(t *testing.T) {
	work(t, document{"rowsPerEvent": 1, "failed": "failed"}, func(d *desk) {
		d.write("a", "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n")
		d.write("b", "{\"n\":4}\n")
		d.start()
		d.source.Inject(vantiqtest.Fault{Op: protocol.OpNotification, Skip: 1, Answer: `{"status":400,"body":[{"code":"no.such.type","message":"there is no such type"}]}`})
		d.pass()
		d.receives(`a 1 {"n":1}`, `a 3 {"n":3} last`, `b 1 {"n":4} last`)
		d.holds("done/b", "failed/a", "failed/a.reason.txt")
		reason, err := os.ReadFile(d.path("failed/a.reason.txt"))
		if err != nil || !strings.HasPrefix(string(reason), "rows up to 2: ") || !strings.Contains(string(reason), "there is no such type") {
			d.Errorf("%q (%v)", reason, err)
		}
		if n := d.log.count("Vantiq refused rows"); n != 1 {
			d.Errorf("logged %d times", n)
		}
	})
}

// What is wrong with a file is still known when another process comes to its end.
func TestAFileWithWrongRowsFails(t *testing.T) {
	work(t, document{"rowsPerEvent": 1, "failed": "failed"}, func(d *desk) {
		d.write("f", "nonsense\n{\"n\":2}\n{\"n\":3}\n")
		d.start()
		d.source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
		d.pass()
		d.source.ReleaseAcknowledgements(2)
		d.pass()
		_ = d.stop() // it says that a row was not acknowledged
		_ = d.source.Notifications()
		d.start()
		d.pass()
		d.receives(`f 3 {"n":3} last`)
		d.holds("failed/f", "failed/f.reason.txt")
		if reason, err := os.ReadFile(d.path("failed/f.reason.txt")); err != nil || string(reason) != "line 1: not JSON\n" {
			d.Errorf("%q (%v)", reason, err)
		}
	})
}

func TestADeletedFile(t *testing.T) {
	work(t, document{"delete": true}, func(d *desk) {
		d.write("f", "{\"n\":1}\n")
		d.start()
		d.pass()
		d.receives(`f 1 {"n":1} last`)
		d.holds()
		if left := filesIn(d.T, d.state); len(left) > 0 {
			d.Errorf("positions are left: %q", left)
		}
	})
}

// Several sources, and several directories of a source, do not wait for each other.
func TestDirectoriesAreIndependent(t *testing.T) {
	work(t, nil, func(d *desk) {
		other := d.TempDir()
		d.write("a.jsonl", "{\"n\":1}\n")
		d.write("a.csv", "n\n2\n")
		d.write("neither", "")
		if err := os.WriteFile(filepath.Join(other, "b"), []byte("{\"n\":3}\n"), 0o600); err != nil {
			d.Fatal(err)
		}
		running := connectortest.Start(d.T, d.connector().handlers(),
			connectortest.WithSource("One", configOf(
				document{"path": d.in, "pattern": "*.csv"},
				document{"path": d.in, "pattern": "*.*", "format": "jsonl"}, // but the first takes a.csv
				document{"path": filepath.Join(other, "absent")},
			)),
			connectortest.WithSource("Other", configOf(document{"path": other, "format": "jsonl"})))
		d.pass()
		d.holds("done/a.csv", "done/a.jsonl", "neither")
		for name, want := range map[string]string{"One": `a.csv 1 {"n":"2"} last a.jsonl 1 {"n":1} last`, "Other": `b 1 {"n":3} last`} {
			var got []string
			for _, event := range running.Source(name).Notifications() {
				got = append(got, receivedOf(d.T, event).String())
			}
			if len(got) == 2 && got[0] > got[1] {
				got[0], got[1] = got[1], got[0]
			}
			if text := strings.Join(got, " "); text != want {
				d.Errorf("%s received %s, want %s", name, text, want)
			}
		}
	})
}
