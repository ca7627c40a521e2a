package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/vantiq-go/connectorsdk/protocol"
)

// config is the configuration that a source has in Vantiq. Everything in it is optional: without a url the
// database is a sample.
type config struct {
	SQL struct {
		General    general           `json:"general,omitempty"`
		Statements map[string]string `json:"statements,omitempty" jsonschema:"SQL by name, for queries and published messages, with parameters $1, $2, …"`
		Polls      []pollConfig      `json:"polls,omitempty" jsonschema:"what is asked every interval; the rows are sent as notifications"`
	} `json:"sqlConfig,omitempty"`
}

type general struct {
	URL                 protocol.Secret `json:"url,omitempty" jsonschema:"postgres://user:password@host:5432/database, or file:path of a SQLite database; without it a sample in a file"`
	Username            string          `json:"username,omitempty" jsonschema:"overrides the one in the url"`
	Password            protocol.Secret `json:"password,omitempty" jsonschema:"overrides the one in the url"`
	AllowSQL            bool            `json:"allowSQL,omitempty" jsonschema:"whether queries and messages may bring their own SQL, rather than the name of a statement"`
	Timeout             time.Duration   `json:"timeout" default:"1m" jsonschema:"the longest that a published message or a poll may keep the database busy; a query has the connector's queryTimeout"`
	ReportPublishErrors bool            `json:"reportPublishErrors,omitempty" jsonschema:"whether a published message that fails is reported by a notification {publishError: …}"`
}

type pollConfig struct {
	Name         string          `json:"name" jsonschema:"stands in its notifications, and is what its position is kept under"`
	Every        time.Duration   `json:"every" jsonschema:"the interval"`
	SQL          string          `json:"sql" jsonschema:"a SELECT; with a key: of the rows behind $1, ordered by the key"`
	Key          string          `json:"key,omitempty" jsonschema:"the column that grows from row to row; without it every poll sends all rows"`
	Start        json.RawMessage `json:"start,omitempty" jsonschema:"the key before the first row to send, like 0"`
	RowsPerEvent int             `json:"rowsPerEvent" default:"1" jsonschema:"so many rows go into a notification, at most; with 1 it has a row instead of rows"`
}

// Validate reports everything that is wrong beyond the types.
func (c config) Validate() error {
	var problems []error
	report := func(path, format string, args ...any) {
		problems = append(problems, fmt.Errorf("sqlConfig."+path+": "+format, args...))
	}
	if timeout := c.SQL.General.Timeout; timeout <= 0 {
		report("general.timeout", "%s is not positive", timeout)
	}
	if err := c.SQL.General.checkURL(); err != nil {
		report("general.url", "%w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(c.SQL.Statements)) {
		if strings.TrimSpace(c.SQL.Statements[name]) == "" {
			report("statements."+name, "missing, write the SQL here")
		}
	}
	names := map[string]bool{}
	for i, p := range c.SQL.Polls {
		path := fmt.Sprintf("polls[%d].", i)
		if p.Name == "" || names[p.Name] {
			report(path+"name", "%q is empty or that of another poll", p.Name)
		}
		names[p.Name] = true
		if p.Every <= 0 {
			report(path+"every", "%s is not positive", p.Every)
		}
		if strings.TrimSpace(p.SQL) == "" {
			report(path+"sql", "missing, write the SELECT here")
		}
		if p.Key != "" && p.Start == nil {
			report(path+"start", "missing, name the key before the first row, like 0")
		}
		if p.Key == "" && p.Start != nil {
			report(path+"key", "missing, name the column that start is a value of")
		}
		if p.RowsPerEvent < 1 || p.RowsPerEvent > pageRows {
			report(path+"rowsPerEvent", "%d is not a number from 1 to %d", p.RowsPerEvent, pageRows)
		}
	}
	return errors.Join(problems...)
}

// checkURL says what is wrong with the URL without repeating it: it may hold a password.
func (g general) checkURL() error {
	if !g.isPostgres() {
		if g.URL == "" || strings.HasPrefix(string(g.URL), "file:") {
			return nil
		}
		return errors.New("begins with neither postgres:// nor file:")
	}
	if _, err := g.postgres(); err != nil {
		return errors.New("is not understood by the PostgreSQL driver, write it like postgres://user:password@host:5432/database?sslmode=require, with %40 for an @ in the password")
	}
	return nil
}

func (g general) isPostgres() bool {
	return strings.HasPrefix(string(g.URL), "postgres://") || strings.HasPrefix(string(g.URL), "postgresql://")
}
