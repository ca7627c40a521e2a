package main

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

func TestAFollowedFile(t *testing.T) {
	for name, format := range map[string]document{"jsonl": {}, "csv": {"format": "csv"}} {
		t.Run(name, func(t *testing.T) {
			format["follow"] = true
			work(t, format, func(d *desk) {
				d.start()
				if name == "csv" {
					d.add("f", "n,")
					d.pass()
					d.add("f", "t\n1,a\n2,\"a\n")
					d.pass()
					d.receives(`f 1 {"n":"1","t":"a"}`)
					d.add("f", "b\"\n3,c\n4")
					d.pass()
					d.receives(`f 2 {"n":"2","t":"a\nb"} {"n":"3","t":"c"}`)
				} else {
					d.add("f", "{\"n\":1}\n{\"n\":")
					d.pass()
					d.receives(`f 1 {"n":1}`)
					d.add("f", "2}")
					d.pass()
					d.receives()
					d.add("f", "\n{\"n\":3}\n")
					d.pass()
					d.receives(`f 2 {"n":2} {"n":3}`)
				}
				d.mustStop()
				d.add("f", map[string]string{"csv": ",d\n", "jsonl": "{\"n\":4}\n"}[name])
				d.start()
				d.pass()
				d.receives(map[string]string{"csv": `f 4 {"n":"4","t":"d"}`, "jsonl": `f 4 {"n":4}`}[name])
				d.holds("f")
			})
		})
	}
}

func TestAFollowedFileIsTruncated(t *testing.T) {
	work(t, document{"follow": true}, func(d *desk) {
		d.add("f", "{\"n\":1}\n{\"n\":2}\n")
		d.start()
		d.pass()
		d.receives(`f 1 {"n":1} {"n":2}`)
		d.write("f", "{\"n\":3}\n")
		d.pass()
		d.receives(`f 1 {"n":3}`)
		d.write("f", "{\"n\":4}\n{\"n\":5}\n{\"n\":6}\n") // more than before
		d.pass()
		d.receives(`f 1 {"n":4} {"n":5} {"n":6}`)
	})
}

// What was written to a log file before it was rotated is read, also if the connector was away.
func TestAFollowedFileIsRotated(t *testing.T) {
	for _, pattern := range []string{"f", "f*"} {
		for _, away := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, away %t", pattern, away), func(t *testing.T) {
				work(t, document{"follow": true, "pattern": pattern}, func(d *desk) {
					d.add("f", "{\"n\":1}\n")
					d.start()
					d.pass()
					d.receives(`f 1 {"n":1}`)
					for n := 2; n < 8; n += 2 {
						if away {
							d.mustStop()
						}
						d.add("f", fmt.Sprintf("{\"n\":%d}\n", n))
						if n == 4 {
							d.rename("f.1", "f.2")
						}
						if n == 6 {
							if err := os.Remove(d.path("f.2")); err != nil {
								d.Fatal(err)
							}
						}
						d.rename("f", "f.1")
						d.add("f", fmt.Sprintf("{\"n\":%d}\n", n+1))
						age := d.age("f.1")
						if n == 6 { // the new file may have the inode of the one that was removed, and then looks begun, too
							age = age.Add(time.Second)
						}
						if err := os.Chtimes(d.path("f"), time.Time{}, age); err != nil {
							d.Fatal(err)
						}
						if away {
							d.start()
						}
						d.pass()
						d.receives(fmt.Sprintf(`f.1 2 {"n":%d}`, n), fmt.Sprintf(`f 1 {"n":%d}`, n+1))
					}
				})
			})
		}
	}
}

func TestAFollowedFileWithALostLink(t *testing.T) {
	work(t, document{"follow": true, "rowsPerEvent": 1}, func(d *desk) {
		d.start()
		for n := range 10 {
			d.add("f", fmt.Sprintf("{\"n\":%d}\n", n))
			d.pass()
			d.source.Drop(vantiqtest.FIN)
			if err := d.source.WaitConnected(d.Context()); err != nil {
				d.Fatal(err)
			}
		}
		d.pass()
		if accepted := d.running.Connection("Files").Stats().Accepted; accepted != 10 {
			d.Errorf("%d notifications, want 10", accepted)
		}
	})
}
