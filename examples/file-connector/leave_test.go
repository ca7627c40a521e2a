//go:build unix

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// What is acknowledged after the last session has ended is not sent again by the next process.
func TestAProcessLeaves(t *testing.T) {
	server := vantiqtest.NewServer()
	defer server.Close()
	p := prepare(t, server)
	directory := filepath.Join(p.directory, "in")
	source := server.Source("Files", configOf(document{"path": directory, "format": "jsonl", "settle": "0s"}))
	source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
	if err := os.Mkdir(directory, 0o700); err != nil {
		t.Fatal(err)
	}
	put(t, directory, "f", "{\"n\":1}\n")
	p.start(nil)
	if got := receive(t, source); got != `f 1 {"n":1} last` {
		t.Error(got)
	}
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for err := error(nil); err == nil; { // until it takes no more work
		_, err = source.Query(t.Context(), document{})
	}
	source.SetAcknowledgements(vantiqtest.Acknowledgements{})
	if err := p.command.Wait(); err != nil {
		t.Errorf("it ended with %v and wrote %s", err, p.out)
	}
	if got := filesIn(t, directory); len(got) != 1 || got[0] != "done/f" {
		t.Errorf("%q", got)
	}
}

// However small the outbox is, and whatever server.config says of a full one: nothing of a file is dropped.
func TestASmallOutbox(t *testing.T) {
	server := vantiqtest.NewServer()
	defer server.Close()
	p := prepare(t, server, "outboxMessages=2", "outboxFull=dropOldest")
	directory := filepath.Join(p.directory, "in")
	source := server.Source("Files", configOf(document{"path": directory, "format": "jsonl", "settle": "0s", "rowsPerEvent": 1}))
	if err := os.Mkdir(directory, 0o700); err != nil {
		t.Fatal(err)
	}
	put(t, directory, "f", strings.Repeat("{}\n", 500))
	p.start(nil)
	for n := range 500 {
		last := ""
		if n == 499 {
			last = " last"
		}
		if got, want := receive(t, source), fmt.Sprintf("f %d {}%s", n+1, last); got != want {
			t.Fatalf("%s, want %s", got, want)
		}
	}
	p.end(syscall.SIGTERM)
	if got := filesIn(t, directory); len(got) != 1 || got[0] != "done/f" {
		t.Errorf("%q", got)
	}
}
