package boltoutbox_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vantiq-go/connectorsdk/boltoutbox"
	"github.com/vantiq-go/connectorsdk/connector"
)

var _ = addRole("full disk", playFullDisk)

// A process that may write no larger files has the same trouble as one whose disk is full.
func TestFullDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "outbox.db")
	out, err := child(t, "full disk", path).Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var first, last int
	if _, err := fmt.Sscan(string(out), &first, &last); err != nil || last < 200 {
		t.Fatalf("%v: %s", err, out)
	}
	held := contents(t, openQueue(t, open(t, path, boltoutbox.Options{}), "Orders"))
	if len(held) != last-first+1 || !strings.HasPrefix(held[0], fmt.Sprintf(`{"n":%d,`, first)) {
		t.Errorf("%d notifications, want %d to %d; the first is %.20s", len(held), first, last, held[0])
	}
}

// playFullDisk appends until the disk is full, and again when half has been delivered and there is room. It answers with
// the first and the last number in the outbox.
func playFullDisk() {
	outbox, err := boltoutbox.Open(os.Args[1], boltoutbox.Options{})
	fatal(err)
	q, err := outbox.Open("Orders")
	fatal(err)
	limitFiles(1 << 20)
	last := 0
	var seqs []uint64
	for err == nil {
		var seq uint64
		if seq, err = q.Append(large(last + 1)); err == nil {
			last++
			seqs = append(seqs, seq)
		}
	}
	if !strings.Contains(err.Error(), syscall.EFBIG.Error()) || !strings.Contains(err.Error(), os.Args[1]) {
		fatal(fmt.Errorf("the disk is full, and the error says %w", err))
	}
	if _, err := q.Append(large(last + 1)); err == nil {
		fatal(errors.New("the disk is still full, and there is no error"))
	}
	n, err := q.Read(seqs[len(seqs)-2], make([]connector.OutboxEntry, 2), 1<<20)
	fatal(err)
	if n != 1 {
		fatal(fmt.Errorf("%d notifications behind the last but one", n))
	}
	limitFiles(1 << 30)
	fatal(q.Remove(seqs[last/2-1]))
	if _, err := q.Append(large(last + 1)); err != nil {
		fatal(fmt.Errorf("there is room again, and the outbox says %w", err))
	}
	fatal(outbox.Close())
	fmt.Println(last/2+1, last+1)
}

func limitFiles(bytes uint64) {
	fatal(syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: bytes, Max: 1 << 30}))
}

func large(n int) json.RawMessage {
	return fmt.Appendf(nil, `{"n":%d,"pad":%q}`, n, strings.Repeat("x", 2000))
}

func TestLockedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "outbox.db")
	outbox := open(t, path, boltoutbox.Options{})
	_, err := boltoutbox.Open(path, boltoutbox.Options{LockTimeout: time.Millisecond})
	if err == nil || !strings.Contains(err.Error(), "another process") || !strings.Contains(err.Error(), path) {
		t.Errorf("%v", err)
	}
	time.AfterFunc(10*time.Millisecond, func() { _ = outbox.Close() })
	open(t, path, boltoutbox.Options{}) // it waits
}

func TestUnusablePlaces(t *testing.T) {
	directory := t.TempDir()
	if err := os.Chmod(directory, 0o500); err != nil {
		t.Fatal(err)
	}
	inTheWay := filepath.Join(t.TempDir(), "outbox.db")
	if err := os.Mkdir(inTheWay, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		as         func(func() error) error
		path, want string
		is         error
	}{
		"a read-only directory": {withoutPrivileges, filepath.Join(directory, "outbox.db"), "cannot be written to", fs.ErrPermission},
		"no directory":          {asWeAre, filepath.Join(directory, "missing", "outbox.db"), "directory is missing", fs.ErrNotExist},
		"a directory":           {asWeAre, inTheWay, "not a regular file", nil},
	} {
		t.Run(name, func(t *testing.T) {
			err := test.as(func() error {
				outbox, err := boltoutbox.Open(test.path, boltoutbox.Options{})
				if err == nil {
					_ = outbox.Close()
				}
				return err
			})
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), test.path) ||
				test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("%v", err)
			}
		})
	}
}

func asWeAre(f func() error) error { return f() }

// Two names of one file lead to one lock.
func TestALinkToTheFile(t *testing.T) {
	path, link := filepath.Join(t.TempDir(), "outbox.db"), filepath.Join(t.TempDir(), "link.db")
	outbox := open(t, path, boltoutbox.Options{})
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if _, err := boltoutbox.Open(link, boltoutbox.Options{LockTimeout: time.Millisecond}); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("%v", err)
	}
	if err := outbox.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, link, boltoutbox.Options{})
}
