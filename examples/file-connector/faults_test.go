//go:build linux

package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// inChild runs the rest of a test in a process of its own, and returns whether this is it.
func inChild(t *testing.T) bool {
	t.Helper()
	const variable = "FILE_CONNECTOR_TEST_CHILD"
	if os.Getenv(variable) == t.Name() {
		return true
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	child.Env = append(os.Environ(), variable+"="+t.Name())
	if out, err := child.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("%v: %s", err, out)
	}
	return false
}

// limitFiles makes writing fail as it does on a full disk.
func limitFiles(t *testing.T, bytes uint64) {
	t.Helper()
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: bytes, Max: 1 << 30}); err != nil {
		t.Fatal(err)
	}
}

// While positions cannot be saved, everything goes on; when they can be, they are.
func TestAFullDiskForPositions(t *testing.T) {
	if !inChild(t) {
		return
	}
	work(t, document{"rowsPerEvent": 1}, func(d *desk) {
		d.write("f", "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n{\"n\":4}\n")
		d.write("g", "{\"n\":5}\n")
		limitFiles(d.T, 0)
		d.start()
		d.source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
		d.pass()
		d.source.ReleaseAcknowledgements(1)
		d.pass()
		d.source.ReleaseAcknowledgements(1)
		d.pass()
		if n := d.log.count("is not saved"); n != 1 {
			d.Errorf("it is told %d times", n)
		}
		limitFiles(d.T, 1<<30)
		d.pass()
		if n := d.log.count("this works again"); n != 1 {
			d.Errorf("it is told %d times that it works again", n)
		}
		_ = d.stop() // it says what was not acknowledged
		_ = d.source.Notifications()
		d.start()
		d.pass()
		d.receives(`f 3 {"n":3}`, `f 4 {"n":4} last`, `g 1 {"n":5} last`)
		d.holds("done/f", "done/g")
	})
}

// On a file system without room for the done directory a file stays, is not sent again, and is moved when there is room.
func TestAFullDiskForDone(t *testing.T) {
	directory := t.TempDir()
	if err := syscall.Mount("none", directory, "tmpfs", 0, "nr_inodes=4"); errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) {
		t.Skip("only root may mount a small file system")
	} else if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := syscall.Unmount(directory, 0); err != nil {
			t.Error(err)
		}
	}()
	work(t, document{"path": directory}, func(d *desk) {
		d.in = directory
		d.write("f", "{\"n\":1}\n")
		d.write("x", "{\"n\":2}\n")
		d.write(".fills", "")
		d.start()
		d.pass()
		d.pass()
		d.receives(`f 1 {"n":1} last`, `x 1 {"n":2} last`)
		d.holds(".fills", "f", "x")
		if n := d.log.count("no space left on device"); n != 2 {
			d.Errorf("it is told %d times", n)
		}
		if err := os.Remove(d.path(".fills")); err != nil {
			d.Fatal(err)
		}
		d.pass()
		d.receives()
		d.holds("done/f", "done/x")
		d.mustStop()
	})
}

// What is no regular file is left alone, and nothing is waited for.
func TestOddFiles(t *testing.T) {
	work(t, nil, func(d *desk) {
		secret := filepath.Join(d.TempDir(), "secret")
		d.write("f", "{\"n\":1}\n")
		for _, err := range []error{
			os.WriteFile(secret, []byte("{\"secret\":true}\n"), 0o600),
			os.Symlink(secret, d.path("link")),
			syscall.Mkfifo(d.path("fifo"), 0o600),
			os.Mkdir(d.path("directory"), 0o700),
		} {
			if err != nil {
				d.Fatal(err)
			}
		}
		d.start()
		d.pass()
		d.receives(`f 1 {"n":1} last`)
		d.holds("done/f", "fifo", "link")
	})
}

// A file that may not be read, and a directory in which nothing may be moved, are tried again until that is mended.
func TestPermissionsThatAreTakenAway(t *testing.T) {
	server := vantiqtest.NewServer()
	defer server.Close()
	p := prepare(t, server)
	directory := filepath.Join(p.directory, "in")
	source := server.Source("Files", configOf(document{"path": directory, "format": "jsonl", "settle": "0s", "scan": "100ms"}))
	if err := os.Mkdir(directory, 0o755); err != nil {
		t.Fatal(err)
	}
	put(t, directory, "a", "{\"n\":1}\n")
	put(t, directory, "b", "{\"n\":2}\n")
	change := func(path string, mode os.FileMode) {
		t.Helper()
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	var nobody *syscall.Credential
	if os.Geteuid() == 0 { // whom permissions do not hold up
		nobody = &syscall.Credential{Uid: 65534, Gid: 65534}
		change(filepath.Dir(p.directory), 0o755)
		for _, path := range []string{p.directory, directory, filepath.Join(directory, "a"), filepath.Join(directory, "b")} {
			if err := os.Chown(path, 65534, 65534); err != nil {
				t.Fatal(err)
			}
		}
	}
	change(filepath.Join(directory, "a"), 0)
	change(directory, 0o500)
	p.start(nobody)
	if got := receive(t, source); got != `b 1 {"n":2} last` {
		t.Error(got)
	}
	change(filepath.Join(directory, "a"), 0o600)
	if got := receive(t, source); got != `a 1 {"n":1} last` {
		t.Error(got)
	}
	if got := filesIn(t, directory); strings.Join(got, " ") != "a b" {
		t.Errorf("%q", got)
	}
	change(directory, 0)
	change(directory, 0o700)
	done := filepath.Join(directory, "done")
	if err := os.Mkdir(done, 0o777); err != nil {
		t.Fatal(err)
	}
	change(done, 0o777)
	waitForFiles(t, done, 2)
	out := p.end(syscall.SIGTERM)
	if more := source.Notifications(); len(more) > 0 || strings.Count(out, "permission denied") < 2 {
		t.Errorf("more events: %v; it wrote %s", more, out)
	}
}
