package boltoutbox_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/vantiq-go/connectorsdk/boltoutbox"
)

var _ = addRole("full disk, no pause", playFullDiskWithoutPause)

// What was delivered makes room on a full disk although the senders do not pause.
func TestDeliveredMakesRoomOnAFullDisk(t *testing.T) {
	if err := child(t, "full disk, no pause", filepath.Join(t.TempDir(), "outbox.db")).Run(); err != nil {
		t.Error(err)
	}
}

// playFullDiskWithoutPause fills the disk with small notifications, and tries a large one again and again after they were
// delivered.
func playFullDiskWithoutPause() {
	outbox, err := boltoutbox.Open(os.Args[1], boltoutbox.Options{NoSync: true})
	fatal(err)
	q, err := outbox.Open("Orders")
	fatal(err)
	limitFiles(1 << 20)
	event := bytes.Repeat([]byte("x"), 200_000)
	var last uint64
	for err == nil {
		var seq uint64
		if seq, err = q.Append(event[:2000]); err == nil {
			last = seq
		}
	}
	time.Sleep(1200 * time.Millisecond) // nothing is to be removed yet
	fatal(q.Remove(last))
	for range 30 {
		if _, err = q.Append(event); err == nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	fatal(err)
	fatal(outbox.Close())
}
