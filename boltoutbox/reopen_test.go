package boltoutbox

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
)

func openTest(t *testing.T) *Outbox {
	t.Helper()
	o, err := Open(filepath.Join(t.TempDir(), "outbox.db"), Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.Close() })
	return o
}

// A notification that is being accepted while its queue is closed and opened again is not forgotten.
func TestReopenedWhileAppending(t *testing.T) {
	o := openTest(t)
	q, _ := o.Open("Orders")
	disk, err := o.db.Begin(true) // the disk is slow
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(chan error)
	go func() {
		_, err := q.Append([]byte(`{"n":1}`))
		accepted <- err
	}()
	for appended := false; !appended; time.Sleep(time.Millisecond) {
		o.mu.Lock()
		appended = o.committing != nil
		o.mu.Unlock()
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(100*time.Millisecond, func() { _ = disk.Rollback() })
	q, err = o.Open("Orders")
	if err != nil {
		t.Fatal(err)
	}
	if err := <-accepted; err != nil {
		t.Fatal(err)
	}
	if n, _, _ := q.Left(); n != 1 {
		t.Errorf("%d left", n)
	}
	seq, err := q.Append([]byte(`{"n":2}`))
	if err != nil {
		t.Fatal(err)
	}
	entries := make([]connector.OutboxEntry, 9)
	if n, err := q.Read(0, entries, 1<<20); n != 2 || err != nil {
		t.Errorf("%d notifications, the first is %s", n, entries[0].Event)
	}
	_ = q.Remove(seq - 1)
	_ = q.Close()
}
