package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"os"
	"slices"

	"github.com/vantiq-go/connectorsdk/connector"
)

// queryParameters are what a SELECT may say behind WITH.
type queryParameters struct {
	Directory string `json:"directory"` // as configured; default: all, and with File the first
	File      string `json:"file"`      // rows of this file; without it the files and their progress
	Limit     int    `json:"limit"`     // how many rows; default: 100
}

// A fileRow tells of one file.
type fileRow struct {
	Directory    string `json:"directory"`
	File         string `json:"file"`
	Size         int64  `json:"size"`
	Sent         int64  `json:"sent"`         // bytes that are on their way or acknowledged
	Acknowledged int64  `json:"acknowledged"` // bytes
	Rows         int64  `json:"rows"`         // acknowledged
	State        string `json:"state"`
	Problem      string `json:"problem,omitempty"`
}

// list returns the files that are there, and how far they are.
func (s *session) list(q queryParameters) iter.Seq2[fileRow, error] {
	return func(yield func(fileRow, error) bool) {
		for _, d := range s.directories {
			if q.Directory != "" && q.Directory != d.Path {
				continue
			}
			for _, row := range d.rows() {
				if !yield(row, nil) {
					return
				}
			}
		}
	}
}

func (d *directory) rows() (rows []fileRow) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(d.files)) {
		f := d.files[name]
		state := "waiting" // to be complete, or for its turn
		switch {
		case f.acked.Last && f.acked.Offset == f.seen.size:
			state = "acknowledged" // and not moved yet
		case f.sent.Last && f.sent.Offset == f.seen.size:
			state = "sent"
		case d.Follow:
			state = "followed"
		case f.sent.Offset > 0:
			state = "reading"
		}
		rows = append(rows, fileRow{d.Path, name, f.seen.size, f.sent.Offset, f.acked.Offset, f.acked.Row, state, d.told[name]})
	}
	return rows
}

func badQuery(err error) error {
	return connector.QueryError{Code: "file.badQuery", Template: "{0}", Parameters: []any{err.Error()}}
}

// readRows answers with the first rows of a file in a configured directory, or below it.
func (s *session) readRows(ctx context.Context, q *connector.Query, p queryParameters) error {
	i := slices.IndexFunc(s.directories, func(d *directory) bool { return p.Directory == "" || p.Directory == d.Path })
	if i < 0 {
		return badQuery(fmt.Errorf("directory %q is not one of the source configuration", p.Directory))
	}
	d := s.directories[i]
	root, err := os.OpenRoot(d.Path)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	info, err := root.Lstat(p.File)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return connector.QueryError{Code: "file.notFound", Template: "there is no file {0} in {1}", Parameters: []any{p.File, d.Path}}
	case err != nil:
		return badQuery(err)
	case !info.Mode().IsRegular():
		return badQuery(fmt.Errorf("%s is not a file", p.File))
	}
	in, err := root.Open(p.File)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	reader, err := newReader(d.formatConfig, d.EventBytes, d.Follow, io.NewSectionReader(in, 0, info.Size()), position{})
	if err != nil {
		return err
	}
	return connector.Rows(ctx, q, func(yield func(json.RawMessage, error) bool) {
		left := p.Limit
		if left <= 0 {
			left = 100
		}
		for row, err := range reader.rows() {
			if left == 0 || (err != nil || row.json != nil) && !yield(row.json, err) {
				return
			}
			left--
		}
	})
}
