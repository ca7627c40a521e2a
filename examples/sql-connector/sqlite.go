package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"modernc.org/sqlite"

	"github.com/vantiq-go/connectorsdk/connector"
)

// sqliteDB is a SQLite database.
type sqliteDB struct{ db *sql.DB }

// sample is what stands in the database of a source that names none.
const sample = `
create table if not exists orders (id integer primary key, customer text not null, amount real not null);
insert into orders (customer, amount)
	select * from (values ('Ada', 12.5), ('Grace', 99.99), ('Edsger', 7)) where not exists (select * from orders);`

// openSample opens the database of a source that names none, in a file beside its positions.
func openSample(ctx context.Context, state, source string) (database, error) {
	if err := os.MkdirAll(state, 0o700); err != nil {
		return nil, err
	}
	d, err := openSQLite(ctx, filepath.Join(state, url.PathEscape(source)+".db"))
	if err != nil {
		return nil, err
	}
	if err := d.exec(ctx, []statement{{sql: sample}}); err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

func openSQLite(ctx context.Context, url string) (database, error) {
	if separator := "?"; !strings.Contains(url, "_busy_timeout") {
		if strings.Contains(url, "?") {
			separator = "&"
		}
		url += separator + "_busy_timeout=10000"
	}
	db, err := sql.Open("sqlite", url)
	if err != nil {
		return nil, err
	}
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &sqliteDB{db}, nil
}

func (d *sqliteDB) query(ctx context.Context, s statement) iter.Seq2[json.RawMessage, error] {
	return func(yield func(json.RawMessage, error) bool) {
		err := d.stream(ctx, s, func(row json.RawMessage) bool { return yield(row, nil) })
		if err != nil {
			yield(nil, sqliteFailed(ctx, err))
		}
	}
}

// stream hands each row to use, until that returns false.
func (d *sqliteDB) stream(ctx context.Context, s statement, use func(json.RawMessage) bool) error {
	arguments, err := sqliteArguments(s.parameters)
	if err != nil {
		return err
	}
	rows, err := d.db.QueryContext(ctx, s.sql, arguments...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // rows.Err has told
	types, err := rows.ColumnTypes()
	if err != nil {
		return err
	}
	names := make([]string, len(types))
	values, targets := make([]any, len(types)), make([]any, len(types))
	for i, t := range types {
		names[i], targets[i] = t.Name(), &values[i]
	}
	columns := newColumns(names)
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return err
		}
		row := columns.row(func(dst []byte, i int) []byte { return appendSQLite(dst, types[i].DatabaseTypeName(), values[i]) })
		if !use(row) {
			return nil
		}
	}
	return rows.Err()
}

func (d *sqliteDB) exec(ctx context.Context, statements []statement) error {
	tx, err := d.db.BeginTx(ctx, nil)
	if err != nil {
		return sqliteFailed(ctx, err)
	}
	for _, s := range statements {
		arguments, err := sqliteArguments(s.parameters)
		if err == nil {
			_, err = tx.ExecContext(ctx, s.sql, arguments...)
		}
		if err != nil {
			_ = tx.Rollback() // which the end of ctx does as well
			return sqliteFailed(ctx, err)
		}
	}
	return sqliteFailed(ctx, tx.Commit())
}

func (d *sqliteDB) close() error { return d.db.Close() }

func sqliteFailed(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var request connector.QueryError
	var database *sqlite.Error
	switch {
	case errors.As(err, &request):
		return request
	case errors.As(err, &database):
		return refused(fmt.Sprintf("SQLite %d", database.Code()), database.Error())
	}
	return badRequest("%v", err) // like a parameter that is missing
}

// appendSQLite appends a value as JSON, by the type that the value has, whatever its column declares.
func appendSQLite(dst []byte, declared string, value any) []byte {
	switch v := value.(type) {
	case int64:
		return strconv.AppendInt(dst, v, 10)
	case float64:
		if math.IsInf(v, 0) {
			return appendText(dst, strings.TrimPrefix(strconv.FormatFloat(v, 'g', -1, 64), "+")+"inity")
		}
		return strconv.AppendFloat(dst, v, 'g', -1, 64)
	case string:
		return appendText(dst, v)
	case []byte:
		return appendBytes(dst, v)
	case time.Time:
		return appendText(dst, sqliteTime(declared, v))
	}
	return append(dst, "null"...)
}

// sqliteTime writes a time as SQLite itself does. The driver makes times of the texts in columns that are declared DATE,
// DATETIME or TIMESTAMP, and does not tell how they were written.
func sqliteTime(declared string, t time.Time) string {
	switch {
	case t.Location() != time.UTC:
		return t.Format("2006-01-02 15:04:05.999999999-07:00")
	case declared == "DATE" && t.Equal(t.Truncate(24*time.Hour)):
		return t.Format(time.DateOnly)
	}
	return t.Format("2006-01-02 15:04:05.999999999")
}

// sqliteArguments makes values of SQLite from parameters in JSON. A whole number that does not fit into 64 bits
// is refused rather than rounded, others are doubles, as in SQLite's own SQL; objects and lists become their text.
func sqliteArguments(parameters []json.RawMessage) ([]any, error) {
	arguments := make([]any, len(parameters))
	for i, parameter := range parameters {
		var err error
		switch text := string(parameter); text[0] {
		case 'n':
		case 't', 'f':
			arguments[i] = text == "true"
		case '"':
			var s string
			err = json.Unmarshal(parameter, &s)
			arguments[i] = s
		case '{', '[':
			arguments[i] = text
		default:
			if strings.ContainsAny(text, ".eE") {
				arguments[i], err = strconv.ParseFloat(text, 64)
			} else {
				arguments[i], err = strconv.ParseInt(text, 10, 64)
			}
		}
		if err != nil {
			return nil, badRequest("parameter %d: %v; SQLite has no such number, write it as a text", i+1, err)
		}
	}
	return arguments, nil
}
