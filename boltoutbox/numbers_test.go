package boltoutbox

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/vantiq-go/connectorsdk/connector"
)

// A page that an interrupted transaction wrote does not replace what was accepted later under the same number.
func TestSalvagePrefersWhatWasAccepted(t *testing.T) {
	lost := 0
	for seed := range uint64(100) {
		lost += ghost(t, rand.New(rand.NewPCG(seed, 0)))
	}
	if lost > 0 {
		t.Errorf("%d times an accepted notification was replaced by one that was not", lost)
	}
}

// ghost kills a process before the meta page of its last transaction is written, by way of the file, lets the next one
// accept notifications, damages the root page, and returns how many of the accepted ones were replaced.
func ghost(t *testing.T, random *rand.Rand) (lost int) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "outbox.db")
	reopen := func() (*Outbox, connector.OutboxQueue) {
		o, err := Open(path, Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		q, err := o.Open("Orders")
		if err != nil {
			t.Fatal(err)
		}
		return o, q
	}
	pad := func(text string) []byte { return append([]byte(text), make([]byte, random.IntN(9000))...) }
	o, q := reopen()
	for range 1 + random.IntN(30) {
		seq, _ := q.Append(pad("old"))
		if random.IntN(4) == 0 {
			_ = q.Remove(seq - uint64(random.IntN(2)))
		}
	}
	_ = o.Close()
	before, _ := os.ReadFile(path)
	o, q = reopen()
	_, _ = q.Append(pad("ghost"))
	_ = o.Close()
	content, _ := os.ReadFile(path)
	page := os.Getpagesize()
	copy(content[:2*page], before[:2*page])
	_ = os.WriteFile(path, content, 0o600)
	o, q = reopen()
	accepted := 1 + random.IntN(3)
	for range accepted {
		_, _ = q.Append(pad("accepted"))
	}
	_ = o.Close()

	content, _ = os.ReadFile(path)
	i := &inspector{file: bytes.NewReader(content), size: int64(len(content)), seen: map[uint64]bool{}}
	if found, err := i.readMeta(); !found || err != nil {
		t.Fatal(err)
	}
	content[int(i.meta.root)*page+8] ^= 0xff
	_ = os.WriteFile(path, content, 0o600)
	o, q = reopen()
	defer o.Close() //nolint:errcheck // a test
	got := make([]connector.OutboxEntry, 99)
	n, _ := q.Read(0, got, 1<<30)
	for _, e := range got[:n] {
		if bytes.HasPrefix(e.Event, []byte("accepted")) {
			accepted--
		}
	}
	return accepted
}
