package boltoutbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

const fileMode = 0o600 // notifications are nobody else's business

// acquire locks the outbox for this process. The lock is a file of its own, because the outbox may be replaced.
func acquire(path string, timeout time.Duration) (*flock.Flock, error) {
	timeout = cmp.Or(timeout, 10*time.Second)
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	lock := flock.New(path+".lock", flock.SetPermissions(fileMode))
	_, err := lock.TryLockContext(ctx, 50*time.Millisecond)
	switch {
	case err == nil:
		return lock, nil
	case errors.Is(err, context.DeadlineExceeded):
		return nil, fmt.Errorf("another process has locked it for %v: give each process a file of its own", timeout)
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("its directory is missing: create it, or mount a volume there: %w", err)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("its directory cannot be written to: %w", err)
	}
	return nil, fmt.Errorf("locking it: %w", err)
}

// openFile opens the file, which this process has locked. A damaged one is replaced first.
func openFile(path string, noSync bool, log *slog.Logger) (*bolt.DB, error) {
	if err := finishReplacing(path); err != nil {
		return nil, err
	}
	damage, err := inspect(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Lstat(path); err == nil {
			log.Warn("the outbox file was empty; if it was in use, what it held is lost", "outbox", path)
		}
		err = create(path, nil)
	case err == nil && len(damage) > 0:
		err = replace(path, damage, log)
	}
	if err != nil {
		return nil, err
	}
	db, err := openBolt(path, noSync)
	if errors.Is(err, bolterrors.ErrTimeout) {
		err = errors.New("another program has it open: one of bbolt's own tools?")
	}
	return db, err
}

func openBolt(path string, noSync bool) (*bolt.DB, error) {
	return bolt.Open(path, fileMode, &bolt.Options{
		Timeout:        time.Second, // the lock is ours: only bbolt's own tools could be in the way
		NoSync:         noSync,
		NoFreelistSync: true,
		FreelistType:   bolt.FreelistMapType,
		NoStatistics:   true,
	})
}

// create makes a file with what fill puts into it. It has its name only when it is complete.
func create(path string, fill func(*bolt.Bucket) error) error {
	if err := build(path+".part", fill); err != nil {
		return err
	}
	return moveFile(path+".part", path)
}

func build(path string, fill func(*bolt.Bucket) error) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	db, err := openBolt(path, false)
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bolt.Tx) error {
		all, err := tx.CreateBucket(format)
		if err != nil || fill == nil {
			return err
		}
		return fill(all)
	})
	if err == nil {
		err = db.Update(func(*bolt.Tx) error { return nil }) // so that both meta pages know of it, if one is damaged
	}
	return errors.Join(err, db.Close())
}

// replace sets a damaged file aside and puts one in its place that has what could be read of it.
func replace(path string, damage []error, log *slog.Logger) error {
	recovered := 0
	err := create(path+".new", func(all *bolt.Bucket) error {
		return salvage(path, func(key, value []byte) error {
			if all.Get(key) == nil {
				recovered++
			}
			return errors.Join(all.Put(key, value), all.SetSequence(max(all.Sequence(), seqOf(key))))
		})
	})
	if err != nil {
		return fmt.Errorf("it is damaged (%w), and replacing it failed: %w", errors.Join(damage...), err)
	}
	aside := path + time.Now().UTC().Format(".damaged-20060102T150405.000000000Z")
	if err := moveFile(path, aside); err != nil {
		return err
	}
	log.Error("the outbox file was damaged and has been set aside; what could be read of it is delivered. "+
		"Find out what damaged it (the disk, a copy made while it was in use?); what could not be read is only in the file set aside",
		"outbox", path, "aside", aside, "recovered", recovered, "error", errors.Join(damage...))
	return finishReplacing(path)
}

// finishReplacing goes on where replace was interrupted.
func finishReplacing(path string) error {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	err := moveFile(path+".new", path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // there is nothing to go on with
	}
	return err
}

// moveFile renames a file so that the new name is on the disk before it returns.
func moveFile(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	directory, err := os.Open(filepath.Dir(to))
	if err != nil {
		return err
	}
	_ = directory.Sync() // not every system can
	return directory.Close()
}
