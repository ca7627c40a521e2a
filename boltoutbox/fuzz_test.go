package boltoutbox_test

import (
	"bytes"
	"os"
	"testing"
)

// Whatever happens to a file, it is opened, and nothing that nobody wrote is in it.
func FuzzDamage(f *testing.F) {
	var content []byte
	page := os.Getpagesize()
	f.Add(0, 16, []byte("magic"))
	f.Add(0, page+16+8, []byte("page size"))
	f.Add(0, 2*page, []byte{9})           // a page's number
	f.Add(0, 3*page+8, []byte{1, 0})      // its kind
	f.Add(0, 3*page+10, []byte{255, 255}) // the number of its elements
	f.Add(0, 4*page+12, []byte{1})        // its overflow
	f.Add(0, 5*page+16, []byte{1})        // an element's flags
	f.Add(0, 5*page+20, []byte{255, 255}) // an element's place
	f.Add(page+7, 0, []byte(nil))
	f.Add(32, page, []byte(nil))
	f.Fuzz(func(t *testing.T, cut, at int, with []byte) {
		if content == nil {
			content = original(t)
		}
		if cut > 0 && (cut < 20 || cut < 3*page && at < page) {
			t.Skip("nothing is left that tells what it was")
		}
		damaged := bytes.Clone(content)
		if cut > 0 {
			damaged = damaged[:min(cut, len(damaged))]
		}
		if at >= 0 && at < len(damaged) {
			copy(damaged[at:], with)
		}
		reopen(t, damaged)
	})
}
