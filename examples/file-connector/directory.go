package main

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
)

// A directory is watched by a session.
type directory struct {
	directoryConfig
	*progress
	c       *connector.SourceConnection
	log     *slog.Logger
	earlier []*directoryConfig // whose files are not this one's
	watch   func(directory string) error
	changed chan struct{} // has an element if something may have changed
}

// poll looks through the directory again and again: at the latest after the time of a scan, when a file may be complete, and
// when the file system tells of a change. It returns when the directory cannot be read, or ctx ends.
func (d *directory) poll(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		wait, err := d.visit(ctx)
		if err != nil {
			return err
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
			continue
		case <-d.changed:
		case <-ctx.Done():
			return ctx.Err()
		}
		timer.Reset(d.MaxDelay)
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// visit sends what is there to be sent, and returns when the next file may be complete.
func (d *directory) visit(ctx context.Context) (again time.Duration, err error) {
	d.visiting.Lock()
	defer d.visiting.Unlock()
	if err := d.load(); err != nil {
		return 0, err
	}
	root, err := os.OpenRoot(d.Path)
	if err != nil {
		return 0, err
	}
	defer func() { _ = root.Close() }()
	if err := d.watch(d.Path); ctx.Err() == nil {
		d.report("watching "+d.Path, err)
	}
	files, err := d.list(root)
	if err != nil {
		return 0, err
	}
	again = d.Scan
	for _, f := range files {
		wait, err := d.attend(ctx, root, f)
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		d.report(f.name, err)
		again = min(again, wait)
	}
	d.savePositions()
	return again, nil
}

// list returns the files that are to be read, in order, and forgets those that are gone.
func (d *directory) list(root *os.Root) ([]*file, error) {
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	var known map[uint64]*file // a followed file stays one whatever its name
	if d.Follow {
		known = map[uint64]*file{}
		for _, f := range d.files {
			known[cmp.Or(f.seen.inode, f.sent.Inode)] = f
		}
		delete(known, 0)
	}
	now := time.Now()
	present := map[string]*file{}
	for _, entry := range entries {
		name := entry.Name()
		mine := d.matches(name) && !slices.ContainsFunc(d.earlier, func(e *directoryConfig) bool { return e.matches(name) })
		if base, isMarker := strings.CutSuffix(name, d.Marker); d.Marker != "" && isMarker && d.matches(base) {
			d.removeOrphan(root, name, base)
		}
		if !entry.Type().IsRegular() || !mine && !d.Follow {
			continue
		}
		info, err := root.Lstat(name)
		if err != nil {
			continue // gone since
		}
		looks := shapeOf(info)
		f := known[looks.inode]
		if other := d.files[name]; f == nil && other != nil && (!d.Follow || looks.inode == 0 || other.seen == (shape{})) {
			f = other
		}
		if f == nil && mine {
			f = &file{}
		}
		if f == nil {
			continue
		}
		if f.name = name; f.seen != looks {
			f.seen, f.since = looks, now
		}
		present[name] = f
	}
	for name := range d.files {
		if present[name] == nil {
			delete(d.told, name)
		}
	}
	d.files = present
	files := make([]*file, 0, len(present))
	for _, f := range present {
		files = append(files, f)
	}
	slices.SortFunc(files, func(a, b *file) int {
		if d.Order == "name" && !d.Follow {
			return cmp.Compare(a.name, b.name)
		}
		return cmp.Or(d.compareBegun(a, b), a.seen.modified.Compare(b.seen.modified), cmp.Compare(a.name, b.name))
	})
	return files, nil
}

// compareBegun puts the rest of a followed file that was rotated before the new one of its name.
func (d *directory) compareBegun(a, b *file) int {
	switch {
	case !d.Follow || (a.sent.Offset > 0) == (b.sent.Offset > 0):
		return 0
	case a.sent.Offset > 0:
		return -1
	}
	return 1
}

// removeOrphan removes the marker of a file that has been moved away: it would make the next one of that name look complete.
func (d *directory) removeOrphan(root *os.Root, marker, file string) {
	if _, err := root.Lstat(file); errors.Is(err, fs.ErrNotExist) {
		_ = root.Remove(marker) // or the next time
	}
}

// attend sends the rest of a file if it is complete; else it returns when it may be.
func (d *directory) attend(ctx context.Context, root *os.Root, f *file) (again time.Duration, err error) {
	d.mu.Lock()
	unchanged := f.read == f.seen
	d.mu.Unlock()
	if unchanged {
		return d.Scan, d.finish(f)
	}
	switch {
	case d.Follow:
	case d.Marker != "":
		if _, err := root.Lstat(f.name + d.Marker); errors.Is(err, fs.ErrNotExist) {
			return d.Scan, nil
		} else if err != nil {
			return d.Scan, err
		}
	default:
		if wait := time.Until(f.since.Add(d.Settle)); wait > 0 {
			return wait, nil
		}
	}
	return d.Scan, d.send(ctx, root, f)
}
