package boltoutbox

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

func init() {
	if os.Getenv("WEDGE") != "" {
		wedge()
		os.Exit(0)
	}
}

// What was delivered makes room on a full disk although the senders do not pause.
func TestDeliveredMakesRoomOnAFullDisk(t *testing.T) {
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), "WEDGE="+filepath.Join(t.TempDir(), "outbox.db"))
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

func wedge() {
	o, err := Open(os.Getenv("WEDGE"), Options{NoSync: true})
	if err != nil {
		panic(err)
	}
	q, _ := o.Open("Orders")
	_ = syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 1 << 20, Max: 1 << 30})
	event := bytes.Repeat([]byte("x"), 200_000)
	var last uint64
	for {
		seq, err := q.Append(event[:2000])
		if err != nil {
			break
		}
		last = seq
	}
	time.Sleep(1200 * time.Millisecond) // the timer of the failed transaction
	_ = q.Remove(last)                  // all is delivered
	for range 50 {
		if _, err = q.Append(event); err == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	println(err.Error())
	os.Exit(1)
}
