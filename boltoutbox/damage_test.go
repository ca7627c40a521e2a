package boltoutbox_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/vantiq-go/connectorsdk/boltoutbox"
)

const damaged = 400 // notifications in the file that is damaged

// original returns an outbox file with some past: notifications that were removed, and others that are still there.
func original(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "outbox.db")
	for range 3 { // processes
		outbox := open(t, path, boltoutbox.Options{NoSync: true})
		q := openQueue(t, outbox, "Orders")
		for _, first := range []int{-200, -100} {
			if err := q.Remove(fill(t, q, first, first+99)); err != nil {
				t.Fatal(err)
			}
		}
		if err := outbox.Close(); err != nil {
			t.Fatal(err)
		}
	}
	outbox := open(t, path, boltoutbox.Options{NoSync: true})
	fill(t, openQueue(t, outbox, "Orders"), 1, damaged)
	fill(t, openQueue(t, outbox, "Invoices"), 1, 5) // small enough to be within a page of another bucket
	if err := outbox.Close(); err != nil {
		t.Fatal(err)
	}
	return read(t, path)
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func write(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// reopened is what became of a file.
type reopened struct {
	orders, invoices int
	aside            []string
	log              string
}

// reopen opens a file with that content, expects that the outbox works, and that a file set aside is the one there was.
func reopen(t *testing.T, content []byte) (r reopened) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "outbox.db")
	write(t, path, content)
	var log bytes.Buffer
	outbox, err := boltoutbox.Open(path, boltoutbox.Options{NoSync: true, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer outbox.Close() //nolint:errcheck // what it holds has been read
	orders, invoices := openQueue(t, outbox, "Orders"), openQueue(t, outbox, "Invoices")
	last := ""
	for _, text := range contents(t, orders) {
		var n int
		if _, err := fmt.Sscanf(text, `{"n":%d}`, &n); err != nil || n < 1 || n > damaged || string(event(n)) != text {
			t.Fatalf("an event that nobody wrote: %s", text)
		}
		if r.orders++; last == text {
			t.Fatalf("twice: %s", text)
		}
		last = text
	}
	r.invoices = len(contents(t, invoices))
	fill(t, orders, damaged+1, damaged+1)
	if r.aside, err = filepath.Glob(path + ".damaged-*"); err != nil {
		t.Fatal(err)
	}
	for _, name := range r.aside {
		if !bytes.Equal(read(t, name), content) {
			t.Error("the file set aside is not the one that was there")
		}
	}
	r.log = log.String()
	return r
}

// saved checks that damage was noticed and how many notifications were saved.
func (r reopened) saved(t *testing.T, atLeast int) {
	t.Helper()
	if len(r.aside) != 1 || !strings.Contains(r.log, "ERROR") || !strings.Contains(r.log, filepath.Base(r.aside[0])) {
		t.Errorf("set aside: %v, log:\n%s", r.aside, r.log)
	}
	if r.orders < atLeast {
		t.Errorf("%d of %d notifications are left, want at least %d; log:\n%s", r.orders, damaged, atLeast, r.log)
	}
}

func (r reopened) intact(t *testing.T) {
	t.Helper()
	if r.orders != damaged || r.invoices != 5 || len(r.aside) > 0 || r.log != "" {
		t.Errorf("%d and %d notifications, set aside %v, log %s", r.orders, r.invoices, r.aside, r.log)
	}
}

func TestAnIntactFileIsTakenAsItIs(t *testing.T) { reopen(t, original(t)).intact(t) }

func TestTruncatedFile(t *testing.T) {
	content := original(t)
	most := 0
	for size := 1; size < len(content); size += 2039 {
		if r := reopen(t, content[:size]); len(r.aside) > 0 {
			r.saved(t, 0)
			most = max(most, r.orders)
		} else {
			r.intact(t) // nothing was there
		}
	}
	if most < damaged/2 {
		t.Errorf("%d of %d notifications were saved at best", most, damaged)
	}
}

// A page is lost: only what is on it may be missing.
func TestLostPages(t *testing.T) {
	content := original(t)
	size := os.Getpagesize()
	noticed := 0
	for at := 2 * size; at < len(content); at += size {
		for _, with := range []byte{0, 0xFF} {
			lost := bytes.Clone(content)
			copy(lost[at:], bytes.Repeat([]byte{with}, size))
			if r := reopen(t, lost); len(r.aside) > 0 {
				r.saved(t, damaged-100)
				noticed++
			} else {
				r.intact(t) // the page was free
			}
		}
	}
	if noticed < 6 {
		t.Errorf("only %d lost pages were noticed", noticed)
	}
}

func TestLostMetaPages(t *testing.T) {
	content := original(t)
	size := os.Getpagesize()
	for lost := range 2 {
		one := bytes.Clone(content)
		copy(one[lost*size:], make([]byte, 512))
		if r := reopen(t, one); r.orders == 0 { // the other page knows the state one transaction earlier
			t.Errorf("page %d: nothing is left; log:\n%s", lost, r.log)
		}
	}
	both := bytes.Clone(content)
	copy(both[16:], "damage")
	copy(both[size+16+8:], "damage")
	reopen(t, both).saved(t, 0)
	reopen(t, make([]byte, len(content))).saved(t, 0)
}

func TestFlippedBits(t *testing.T) {
	content := original(t)
	random := rand.New(rand.NewPCG(1, 2))
	noticed := 0
	for range 1500 {
		flipped := bytes.Clone(content)
		flipped[random.IntN(len(flipped))] ^= 1 << random.IntN(8)
		if r := reopen(t, flipped); len(r.aside) > 0 {
			r.saved(t, damaged-100)
			noticed++
		}
	}
	if noticed < 100 {
		t.Errorf("only %d flipped bits were noticed", noticed)
	}
}

// Power is lost during a transaction: any part of what it wrote may be on the disk, but for its last write, the meta page,
// which comes after all others, and may be torn itself. Everything that was accepted before is there, and no damage is seen.
func TestTornTransaction(t *testing.T) {
	path := filepath.Join(t.TempDir(), "outbox.db")
	q := openQueue(t, open(t, path, boltoutbox.Options{}), "Orders")
	other := fill(t, q, 1, 200)
	fill(t, q, 201, damaged)
	random := rand.New(rand.NewPCG(3, 4))
	for range 5 {
		before := read(t, path)
		if err := q.Remove(other); err != nil { // written by the next append
			t.Fatal(err)
		}
		other++
		fill(t, q, damaged+1, damaged+1)
		after := read(t, path)
		for range 40 {
			torn := tear(random, before, after)
			directory := t.TempDir()
			write(t, filepath.Join(directory, "outbox.db"), torn)
			var log bytes.Buffer
			outbox := open(t, filepath.Join(directory, "outbox.db"), boltoutbox.Options{NoSync: true, Logger: slog.New(slog.NewTextHandler(&log, nil))})
			held := contents(t, openQueue(t, outbox, "Orders"))
			if log.Len() > 0 {
				t.Fatalf("%s", log.String())
			}
			for n := 220; n <= damaged; n++ {
				if !strings.Contains(strings.Join(held, " "), string(event(n))) {
					t.Fatalf("%s is missing", event(n))
				}
			}
			if err := outbox.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// tear returns before with a random half of the sectors that changed until after, and a torn meta page.
func tear(random *rand.Rand, before, after []byte) []byte {
	const sector = 512
	page := os.Getpagesize()
	torn := append(bytes.Clone(before), make([]byte, max(0, len(after)-len(before)))...)
	for at := 2 * page; at < len(after); at += sector {
		if random.IntN(2) == 0 {
			copy(torn[at:at+sector], after[at:])
		}
	}
	if metas := after[:2*page]; random.IntN(2) == 0 { // of the one that was written, a few bytes
		for at := range metas {
			if checksum := at%page >= 16+56; !checksum && random.IntN(3) > 0 { // all of it never comes before the rest
				torn[at] = metas[at]
			}
		}
	}
	return torn
}

func TestForeignFilesAreLeftAlone(t *testing.T) {
	otherVersion := bytes.ReplaceAll(original(t), []byte("connector outbox 1"), []byte("connector outbox 7"))
	for name, test := range map[string]struct {
		content []byte
		want    string
	}{
		"text":            {bytes.Repeat([]byte("not an outbox\n"), 1000), "another program"},
		"short text":      {[]byte("x"), "another program"},
		"bbolt":           {otherBolt(t), "another program"},
		"another version": {otherVersion, "another version"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "outbox.db")
			write(t, path, test.content)
			_, err := boltoutbox.Open(path, boltoutbox.Options{})
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("%v", err)
			}
			if !bytes.Equal(read(t, path), test.content) {
				t.Error("the file was changed")
			}
		})
	}
}

// otherBolt returns a bbolt file of another program.
func otherBolt(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "other.db")
	db, err := bolt.Open(path, 0o600, &bolt.Options{NoFreelistSync: true})
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		bucket, err := tx.CreateBucket([]byte("users"))
		if err != nil {
			return err
		}
		return bucket.Put([]byte("a"), []byte("b"))
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return read(t, path)
}

func TestAnEmptyFileIsAnOutbox(t *testing.T) {
	path := filepath.Join(t.TempDir(), "outbox.db")
	write(t, path, nil)
	q := openQueue(t, open(t, path, boltoutbox.Options{}), "Orders")
	fill(t, q, 1, 3)
	expect(t, q, 1, 3)
}

// A process that was killed while it replaced a damaged file has left the new one beside it.
func TestAnInterruptedReplacementIsFinished(t *testing.T) {
	path := filepath.Join(t.TempDir(), "outbox.db")
	write(t, path+".new", original(t))
	write(t, path+".new.part", []byte("half of another"))
	expect(t, openQueue(t, open(t, path, boltoutbox.Options{}), "Orders"), 1, damaged)
}
