package main

import (
	"encoding/json"

	"github.com/vantiq-go/connectorsdk/connector"
)

// A request is what a query or a published message asks for: a statement of the configuration by its name, or SQL.
type request struct {
	Name       string            `json:"name"`
	SQL        string            `json:"sql"`
	Parameters []json.RawMessage `json:"parameters"`
}

// A statement is SQL, and the values of its parameters as they came in JSON. The two are never put together: the database
// gets them apart.
type statement struct {
	sql        string
	parameters []json.RawMessage
}

// queried returns the statement that a query asks for.
func (s *session) queried(parameters connector.Document) (statement, error) {
	var r request
	if err := parameters.Decode(&r); err != nil {
		return statement{}, badRequest("%v", err)
	}
	return s.statement(r)
}

// published returns the statements that a message asks for: one, or those of its batch.
func (s *session) published(message connector.Document) ([]statement, error) {
	var m struct {
		request
		Batch []request `json:"batch"`
	}
	if err := message.Decode(&m); err != nil {
		return nil, badRequest("%v", err)
	}
	if m.Batch == nil {
		m.Batch = []request{m.request}
	} else if m.Name != "" || m.SQL != "" {
		return nil, badRequest("a batch stands alone: put the statement beside it into it")
	}
	statements := make([]statement, len(m.Batch))
	for i, r := range m.Batch {
		var err error
		if statements[i], err = s.statement(r); err != nil {
			return nil, err
		}
	}
	return statements, nil
}

func (s *session) statement(r request) (statement, error) {
	sql, known := s.config.SQL.Statements[r.Name]
	switch {
	case r.Name != "" && r.SQL != "":
		return statement{}, badRequest("give the name of a statement or its sql, not both")
	case r.SQL != "" && !s.config.SQL.General.AllowSQL:
		return statement{}, badRequest("sql is not allowed: give the name of a statement of the source configuration, or set allowSQL there")
	case r.SQL != "":
		sql = r.SQL
	case r.Name == "":
		return statement{}, badRequest("the name of a statement is missing")
	case !known:
		return statement{}, badRequest("the source configuration has no statement %q", r.Name)
	}
	return statement{sql, r.Parameters}, nil
}
