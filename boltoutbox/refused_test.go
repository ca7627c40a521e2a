package boltoutbox

import (
	"io/fs"
	"syscall"
	"testing"
)

// Where fsync is a method of the file, its error comes as a PathError.
func TestFsyncErrorIsNoRefusedWrite(t *testing.T) {
	if refusedWrite(&fs.PathError{Op: "sync", Path: "outbox.db", Err: syscall.EIO}) {
		t.Error("an error of fsync is taken for a transaction that never happened")
	}
}
