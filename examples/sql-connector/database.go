package main

import (
	"context"
	"encoding/json"
	"iter"
)

// A database runs statements, several at a time. Its errors are QueryErrors, or the cause of the context's end.
type database interface {
	// query runs a statement and yields its rows, JSON objects, as they come. Who breaks off ends the statement.
	query(ctx context.Context, s statement) iter.Seq2[json.RawMessage, error]
	// exec runs statements in one transaction: all of them, or none.
	exec(ctx context.Context, statements []statement) error
	close() error
}

// open connects to the database of a source and waits for its first answer.
func (s *sqlConnector) open(ctx context.Context, source string, g general) (database, error) {
	switch {
	case g.isPostgres():
		return openPostgres(ctx, g)
	case g.URL == "":
		return openSample(ctx, s.state, source)
	}
	return openSQLite(ctx, string(g.URL))
}
