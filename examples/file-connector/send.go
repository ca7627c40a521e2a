package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/protocol"
)

// send sends what is in a file behind the position that has been sent before, in events of no more rows and bytes than
// configured. It returns when all of it is in the outbox.
func (d *directory) send(ctx context.Context, root *os.Root, f *file) error {
	in, err := root.Open(f.name)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	f = d.begin(f, in, info)
	from := f.sent
	if !from.Last || from.Offset != info.Size() {
		from.Last = false
		if err := d.sendFrom(ctx, f, in, info, from); err != nil {
			return err
		}
	}
	d.mu.Lock()
	f.read = shapeOf(info)
	d.mu.Unlock()
	return d.finish(f)
}

// begin returns what is to be read: the file, or one that is new, if the position is not in it.
func (d *directory) begin(f *file, in *os.File, info os.FileInfo) *file {
	if f.sent.isIn(in, info) {
		return f
	}
	d.log.Info("a file was replaced or truncated; it is read from its beginning", "file", f.name)
	d.mu.Lock()
	defer d.mu.Unlock()
	again := &file{name: f.name, seen: f.seen, since: f.since} // acknowledgements that are still to come are of the other one
	d.files[f.name] = again
	return again
}

// sendFrom sends what is in a file behind a position. The position that is sent is behind whole events only. What is appended
// meanwhile is left for later: its last row may be there in part.
func (d *directory) sendFrom(ctx context.Context, f *file, in *os.File, info os.FileInfo, from position) error {
	complete := io.NewSectionReader(in, 0, info.Size())
	reader, err := newReader(d.formatConfig, d.EventBytes, d.Follow, complete, from)
	if err != nil {
		return err
	}
	id := idOf(info, d.Follow)
	batches := connector.Batches[row]{Count: d.RowsPerEvent, Bytes: d.EventBytes, Size: row.size}
	for batch, err := range batches.Of(reader.rows()) {
		if err != nil {
			return err
		}
		for len(batch) > 0 {
			n := alike(batch)
			end := batch[n-1].end
			end.Inode = inodeOf(info)
			if end.Sum, err = sumOf(in, end.Offset); err != nil {
				return fmt.Errorf("it changes while it is read: %w", err)
			}
			e := event{f.name, id, d.Path, from.Row + 1, end.Last}
			receipt, err := d.c.SendWithReceipt(ctx, e.with(batch[:n]))
			if err != nil {
				return err
			}
			problems := problemsOf(batch[:n])
			if len(problems) > 0 {
				d.log.Warn("rows are wrong; an event tells which", "file", f.name, "rows", n, "first", problems[0])
			}
			d.hasSent(delivery{receipt, f, f.name, end, problems})
			batch, from = batch[n:], end
		}
	}
	return nil
}

// idOf returns what tells files of one name apart. A followed one keeps it while it grows.
func idOf(info os.FileInfo, follow bool) string {
	id := strconv.FormatUint(inodeOf(info), 36)
	if !follow {
		id += "-" + strconv.FormatInt(info.ModTime().UnixNano(), 36)
	}
	return id
}

// alike returns how many of the rows go into one event: good ones or wrong ones, so that rows have the numbers from First on.
func alike(rows []row) int {
	for i, r := range rows {
		if (r.wrong == nil) != (rows[0].wrong == nil) {
			return i
		}
	}
	return len(rows)
}

func problemsOf(rows []row) (problems []string) {
	for _, r := range rows {
		if r.wrong != nil && len(problems) < maxProblems {
			problems = append(problems, r.wrong.String())
		}
	}
	return problems
}

// size is what a row adds to its event.
func (r row) size() int { return len(r.json) + 1 }

// An event is what Vantiq gets: rows that follow each other in a file, or rows that are wrong and follow each other.
type event struct {
	File      string `json:"file"`
	ID        string `json:"id"`
	Directory string `json:"directory"`
	First     int64  `json:"first"` // the number of the first row
	Last      bool   `json:"last"`  // no row of the file follows
}

// with returns the event with rows. They stay as they are, byte for byte: marshalling would change the space in them.
func (e event) with(rows []row) json.RawMessage {
	var texts [][]byte
	for _, r := range rows {
		if r.json != nil {
			texts = append(texts, r.json)
		}
	}
	text, _ := protocol.AppendJSON(nil, e) // texts and numbers always can be
	text = append(text[:len(text)-1], `,"rows":[`...)
	if rows[0].wrong != nil {
		text = append(text, `],"errors":[`...)
	}
	text = append(text, bytes.Join(texts, []byte{','})...)
	return append(text, "]}"...)
}
