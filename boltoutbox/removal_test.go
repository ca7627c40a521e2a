package boltoutbox

import (
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
)

// A removal that becomes due during a slow transaction is written after it, and one before Close is written by that.
func TestRemovalDuringASlowTransaction(t *testing.T) {
	for _, closing := range []bool{false, true} {
		o := openTest(t)
		q, _ := o.Open("Orders")
		seq, _ := q.Append([]byte(`{"n":1}`))
		disk, _ := o.db.Begin(true)
		go func() { _, _ = q.Append([]byte(`{"n":2}`)) }()
		for taken := false; !taken; time.Sleep(time.Millisecond) {
			o.mu.Lock()
			taken = o.newest == seq+1 && o.next == nil
			o.mu.Unlock()
		}
		_ = q.Remove(seq)
		if closing {
			time.AfterFunc(200*time.Millisecond, func() { _ = disk.Rollback() })
			_ = o.Close()
			again, err := Open(o.path, Options{NoSync: true})
			if err != nil {
				t.Fatal(err)
			}
			defer again.Close() //nolint:errcheck // a test
			q, _ := again.Open("Orders")
			if n, _, _ := q.Left(); n != 1 {
				t.Errorf("closing: %d left", n)
			}
			continue
		}
		time.Sleep(removeWithin + 200*time.Millisecond)
		_ = disk.Rollback()
		time.Sleep(2*removeWithin + 200*time.Millisecond)
		_ = o.db.View(func(tx *bolt.Tx) error {
			if n := tx.Bucket(format).Stats().KeyN; n != 1 {
				t.Errorf("%d in the file", n)
			}
			return nil
		})
	}
}
