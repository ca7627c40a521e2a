package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/vantiq-go/connectorsdk/checkpoint"
	"github.com/vantiq-go/connectorsdk/connector"
)

// pageRows is how many rows are read at a time, at most.
const pageRows = 1000

var pages = connector.Batches[json.RawMessage]{Count: pageRows, Bytes: 4 << 20, Size: func(row json.RawMessage) int { return len(row) }}

// A poll asks a SELECT every interval, and sends its rows.
type poll struct {
	pollConfig
	c       *connector.SourceConnection
	db      database
	timeout time.Duration
	log     *slog.Logger

	// Of a poll with a key:
	store    *checkpoint.Store
	position *position
}

// A position is how far a poll has come. It outlives sessions, so that what was sent in one may be acknowledged in the next.
type position struct {
	After json.RawMessage `json:"after"` // the key of the last row that is done with
	sent  []sent          // behind After, in order
}

// A sent is a notification on its way. What could not be sent at all has no receipt.
type sent struct {
	receipt *connector.Receipt
	key     json.RawMessage // of its last row
}

// An event is a notification, with one row or several.
type event struct {
	Poll string            `json:"poll"`
	Row  json.RawMessage   `json:"row,omitempty"`
	Rows []json.RawMessage `json:"rows,omitempty"`
}

func (p *poll) poll(ctx context.Context) error {
	if p.Key == "" {
		return p.sendAll(ctx)
	}
	return p.sendNew(ctx)
}

// sendAll sends what the SELECT yields, from the database's cursor.
func (p *poll) sendAll(ctx context.Context) error {
	ctx, cancel := limited(ctx, p.timeout)
	defer cancel()
	for page, err := range pages.Of(p.db.query(ctx, statement{sql: p.SQL})) {
		if err == nil {
			err = p.sendPage(ctx, page)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// sendNew sends the rows behind the position, page by page, and moves the position behind each page when Vantiq has
// acknowledged it.
func (p *poll) sendNew(ctx context.Context) error {
	for {
		if err := p.settle(ctx); err != nil {
			return err
		}
		page, err := p.next(ctx)
		if err != nil || len(page) == 0 {
			return err
		}
		if err := p.sendPage(ctx, page); err != nil {
			return err
		}
	}
}

// next returns the page behind the position. The database is done with it before it is sent, so that a slow link does not
// keep a statement open.
func (p *poll) next(ctx context.Context) ([]json.RawMessage, error) {
	ctx, cancel := limited(ctx, p.timeout)
	defer cancel()
	for page, err := range pages.Of(p.db.query(ctx, statement{p.SQL, []json.RawMessage{p.position.After}})) {
		if err != nil {
			return nil, err
		}
		key, err := p.keyOf(page)
		if err == nil && bytes.Equal(key, p.position.After) { // the page would be sent for ever
			err = connector.Permanent(fmt.Errorf("poll %s: the rows behind key %s end with that key again: select those with %s > $1, ordered by it",
				p.Name, key, p.Key))
		}
		return page, err
	}
	return nil, nil
}

func (p *poll) sendPage(ctx context.Context, page []json.RawMessage) error {
	for rows := range slices.Chunk(page, p.RowsPerEvent) {
		if err := p.send(ctx, rows); err != nil {
			return err
		}
	}
	return nil
}

// send sends rows in one notification, or in several if they do not fit. A single row that does not fit is skipped.
func (p *poll) send(ctx context.Context, rows []json.RawMessage) error {
	key, err := p.keyOf(rows)
	if err != nil {
		return err
	}
	event := event{Poll: p.Name, Rows: rows}
	if p.RowsPerEvent == 1 {
		event.Row, event.Rows = rows[0], nil
	}
	receipt, err := p.c.SendWithReceipt(ctx, event)
	half := len(rows) / 2
	switch tooLarge := errors.Is(err, connector.ErrTooLarge); {
	case tooLarge && half > 0:
		if err := p.send(ctx, rows[:half]); err != nil {
			return err
		}
		return p.send(ctx, rows[half:])
	case tooLarge:
		p.log.Error("a row is skipped", "key", string(key), "error", err)
	case err != nil:
		return err
	}
	if p.position != nil {
		p.position.sent = append(p.position.sent, sent{receipt, key})
	}
	return nil
}

// keyOf returns the key of the last row, or nil if the poll has none.
func (p *poll) keyOf(rows []json.RawMessage) (json.RawMessage, error) {
	if p.Key == "" {
		return nil, nil
	}
	var values map[string]json.RawMessage
	err := json.Unmarshal(rows[len(rows)-1], &values)
	key := values[p.Key]
	if err == nil && (key == nil || string(key) == "null") {
		err = connector.Permanent(fmt.Errorf("poll %s: a row has no %q: select the key, and no row without one", p.Name, p.Key))
	}
	return key, err
}

// settle waits until it is known what became of everything that was sent, for as long as ctx lasts, and saves the position
// behind what is done with. What was not delivered is sent again from the position before it.
func (p *poll) settle(ctx context.Context) error {
	done, err := p.done(ctx)
	if done > 0 {
		next := position{After: p.position.sent[done-1].key, sent: p.position.sent[done:]}
		if err := p.store.Save(p.positionName(), next); err != nil {
			return err
		}
		*p.position = next
	}
	if errors.Is(err, connector.ErrUndelivered) || errors.Is(err, connector.ErrOutboxFull) {
		p.position.sent = nil
	}
	return err
}

// done returns how many of the notifications that were sent are done with, and why not all are. What Vantiq refuses, it will
// refuse again: that is skipped.
func (p *poll) done(ctx context.Context) (n int, err error) {
	for _, sent := range p.position.sent {
		if sent.receipt != nil {
			err = sent.receipt.Wait(ctx)
		}
		if errors.Is(err, connector.ErrRefused) {
			p.log.Error("Vantiq refused rows, they are skipped", "key", string(sent.key), "error", err)
			err = nil
		}
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// resume finds the position that the poll goes on from.
func (p *poll) resume() error {
	found, err := p.store.Load(p.positionName(), p.position)
	if err == nil && !found {
		p.position.After = p.Start
	}
	return err
}

func (p *poll) positionName() string { return p.c.Source() + "/" + p.Name }
