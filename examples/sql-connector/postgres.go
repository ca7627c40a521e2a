package main

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/vantiq-go/connectorsdk/connector"
)

// postgres is a PostgreSQL database. Values travel as PostgreSQL's own text in both directions: no Go type stands between
// that could lose a digit, a time zone or a null.
type postgres struct{ pool *pgxpool.Pool }

// postgres returns the driver's configuration.
func (g general) postgres() (*pgxpool.Config, error) {
	c, err := pgxpool.ParseConfig(string(g.URL))
	if err != nil {
		return nil, err
	}
	if g.Username != "" {
		c.ConnConfig.User = g.Username
	}
	if g.Password != "" {
		c.ConnConfig.Password = string(g.Password)
	}
	parameters := c.ConnConfig.RuntimeParams
	if parameters["timezone"] == "" {
		parameters["timezone"] = "UTC"
	}
	if parameters["application_name"] == "" {
		parameters["application_name"] = "vantiq-sql-connector"
	}
	// How values are written: see postgres_values.go.
	parameters["client_encoding"] = "UTF8"
	parameters["datestyle"] = "ISO"
	parameters["intervalstyle"] = "iso_8601"
	parameters["bytea_output"] = "hex"
	parameters["extra_float_digits"] = "3" // all of them
	return c, nil
}

func openPostgres(ctx context.Context, g general) (database, error) {
	config, err := g.postgres()
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, err
	}
	return &postgres{pool}, nil
}

func (p *postgres) query(ctx context.Context, s statement) iter.Seq2[json.RawMessage, error] {
	return func(yield func(json.RawMessage, error) bool) {
		err := p.stream(ctx, s, func(row json.RawMessage) bool { return yield(row, nil) })
		if err != nil {
			yield(nil, p.failed(ctx, err))
		}
	}
}

// stream hands each row to use, until that returns false, which ends the statement on the server as well.
func (p *postgres) stream(ctx context.Context, s statement, use func(json.RawMessage) bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	conn, err := p.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	result, err := begin(ctx, conn.Conn(), s)
	if err != nil {
		return err
	}
	types := conn.Conn().TypeMap()
	fields := result.FieldDescriptions()
	names := make([]string, len(fields))
	for i, field := range fields {
		names[i] = field.Name
	}
	columns := newColumns(names)
	for result.NextRow() {
		values := result.Values()
		row := columns.row(func(dst []byte, i int) []byte {
			if values[i] == nil {
				return append(dst, "null"...)
			}
			return appendPostgres(dst, types, fields[i].DataTypeOID, string(values[i]))
		})
		if !use(row) {
			cancel()
			_, _ = result.Close() // nothing but that it was cancelled
			return nil
		}
	}
	_, err = result.Close()
	return err
}

func (p *postgres) exec(ctx context.Context, statements []statement) error {
	return p.failed(ctx, pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error {
		for _, s := range statements {
			result, err := begin(ctx, tx.Conn(), s)
			if err == nil {
				_, err = result.Close()
			}
			if err != nil {
				return err
			}
		}
		return nil
	}))
}

// begin sends a statement, learns which types its parameters have, and then sends them.
func begin(ctx context.Context, conn *pgx.Conn, s statement) (*pgconn.ResultReader, error) {
	description, err := conn.PgConn().Prepare(ctx, "", s.sql, nil)
	if err != nil {
		return nil, err
	}
	if wanted, given := len(description.ParamOIDs), len(s.parameters); wanted != given {
		return nil, badRequest("the statement takes %d parameters, and %d are given", wanted, given)
	}
	values := make([][]byte, len(s.parameters))
	for i, parameter := range s.parameters {
		if values[i], err = postgresParameter(conn.TypeMap(), description.ParamOIDs[i], parameter); err != nil {
			return nil, badRequest("parameter %d: %v", i+1, err)
		}
	}
	return conn.PgConn().ExecPrepared(ctx, "", values, nil, nil), nil
}

// failed makes an error of the driver one that VAIL may see. When the database was lost, what the pool holds is as dead: the
// next statement opens a connection of its own.
func (p *postgres) failed(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var request connector.QueryError
	var server *pgconn.PgError
	var connecting *pgconn.ConnectError
	switch fromServer := errors.As(err, &server); {
	case errors.As(err, &request):
		return request
	case fromServer && !errors.As(err, &connecting) && !leaving(server.Code):
		return refused(server.Code, server.Message)
	}
	p.pool.Reset()
	return unavailable(err)
}

// leaving reports whether a SQLSTATE says that the server ends the connection: connection exceptions, and shutdowns.
func leaving(code string) bool {
	return strings.HasPrefix(code, "08") || strings.HasPrefix(code, "57P")
}

func (p *postgres) close() error {
	p.pool.Close()
	return nil
}
