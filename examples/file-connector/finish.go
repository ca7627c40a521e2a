package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// finish moves a file away, or deletes it, if all of it has been sent and acknowledged, and nothing was added since.
func (d *directory) finish(f *file) error {
	d.finishing.Lock()
	defer d.finishing.Unlock()
	d.mu.Lock()
	name, read, acked := f.name, f.read, f.acked
	current := d.files[name] == f
	d.mu.Unlock()
	if !current || !acked.Last || acked.Offset != read.size || acked.Inode != read.inode {
		return nil
	}
	root, err := os.OpenRoot(d.Path)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	info, err := root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist): // somebody else has moved it away
	case err != nil:
		return err
	case shapeOf(info) != read:
		return nil // the next visit reads what is new
	default:
		if err := d.moveAway(root, name, read, acked.Problems); err != nil {
			return fmt.Errorf("all of it is acknowledged, but it stays where it is: %w", err)
		}
	}
	if d.Marker != "" {
		_ = root.Remove(name + d.Marker) // or as an orphan
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.files[name] == f {
		delete(d.files, name)
	}
	return nil
}

func (d *directory) moveAway(root *os.Root, name string, read shape, problems []string) error {
	where := d.Done
	if len(problems) > 0 && d.Failed != "" {
		where = d.Failed
	} else if d.Delete {
		return root.Remove(name)
	}
	target, err := d.openTarget(root, where)
	if err != nil {
		return err
	}
	defer func() { _ = target.Close() }()
	as := name
	if _, err := target.Lstat(as); !errors.Is(err, fs.ErrNotExist) { // or else it would be replaced
		extension := filepath.Ext(name)
		as = strings.TrimSuffix(name, extension) + time.Now().UTC().Format(".20060102T150405.000000000") + extension
	}
	if len(problems) > 0 && where == d.Failed {
		if err := target.WriteFile(as+".reason.txt", []byte(strings.Join(problems, "\n")+"\n"), 0o644); err != nil {
			return err
		}
	}
	if filepath.IsLocal(where) {
		err = root.Rename(name, filepath.Join(where, as))
	} else {
		err = os.Rename(filepath.Join(d.Path, name), filepath.Join(d.within(where), as))
	}
	if errors.Is(err, syscall.EXDEV) {
		return fmt.Errorf("%w: choose a directory on the same file system as %s", err, d.Path)
	}
	if err != nil {
		return err
	}
	if info, err := target.Lstat(as); err == nil && shapeOf(info) != read {
		d.log.Error("a file was replaced or written to at the very moment when it was moved away; move it back to have it read", "file", name, "movedTo", filepath.Join(d.within(where), as))
	}
	return nil
}

// openTarget opens the directory that files are moved to, and makes it if need be. One below the watched directory cannot lead
// out of it.
func (d *directory) openTarget(root *os.Root, where string) (*os.Root, error) {
	if filepath.IsLocal(where) {
		if err := root.MkdirAll(where, 0o755); err != nil {
			return nil, err
		}
		return root.OpenRoot(where)
	}
	if err := os.MkdirAll(d.within(where), 0o755); err != nil {
		return nil, err
	}
	return os.OpenRoot(d.within(where))
}
