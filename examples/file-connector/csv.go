package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/vantiq-go/connectorsdk/protocol"
)

// A csvParser parses CSV. The fields of a row become the members of an object, as text unless the column has a type.
type csvParser struct {
	delimiter rune
	quotes    bool
	types     map[string]string // by name
	columns   []string
}

func newCSVParser(c csvConfig) *csvParser {
	delimiter, _ := utf8.DecodeRuneInString(c.Delimiter)
	return &csvParser{delimiter, c.Quotes, c.Types, c.Columns}
}

// readHeader takes the names of the columns from the first row. An error that is not io.EOF says what is wrong with it.
func (p *csvParser) readHeader(lines *lines) error {
	for {
		first, err := lines.next()
		if err != nil {
			return err
		}
		if first.blank() {
			continue
		}
		if first.long {
			return errors.New("it is longer than eventBytes allows")
		}
		if p.columns, _, err = p.record(first, lines); err != nil {
			return err
		}
		if problem := wrongColumns(p.columns); problem != "" {
			return errors.New(problem)
		}
		return nil
	}
}

func (p *csvParser) parse(first line, lines *lines) ([]byte, line, error) {
	fields, last, err := p.record(first, lines)
	if err != nil {
		return nil, last, err
	}
	if len(fields) != len(p.columns) {
		return nil, last, fmt.Errorf("it has %d fields for %d columns", len(fields), len(p.columns))
	}
	row := []byte{'{'}
	for i, name := range p.columns {
		if i > 0 {
			row = append(row, ',')
		}
		row = append(appendText(row, name), ':')
		if row, err = p.appendField(row, name, fields[i]); err != nil {
			return nil, last, fmt.Errorf("%s: %w", name, err)
		}
	}
	return append(row, '}'), last, nil
}

// record returns the fields of the record that begins with a line, and its last line. A record that is wrong is put back but
// for its first line: a quote too many must not hide the rows behind it.
func (p *csvParser) record(first line, lines *lines) (fields []string, last line, err error) {
	record, rest := first.text, []line(nil)
	for p.quotes && bytes.Count(record, []byte{'"'})%2 != 0 {
		next, err := lines.next()
		if err == nil {
			rest = append(rest, next)
		}
		switch {
		case lines.err != nil || err != nil && lines.follow:
			return nil, first, err
		case err != nil || next.long || len(record)+len(next.text) > lines.limit:
			lines.putBack(rest)
			return nil, first, errors.New("a quote is not closed, or only behind more than eventBytes")
		}
		record = append(record[:len(record):len(record)], next.text...)
	}
	if fields, err = p.split(record); err != nil {
		lines.putBack(rest)
		return nil, first, err
	}
	if len(rest) > 0 {
		return fields, rest[len(rest)-1], nil
	}
	return fields, first, nil
}

func (p *csvParser) split(record []byte) ([]string, error) {
	if !utf8.Valid(record) {
		return nil, errNotUTF8
	}
	if !p.quotes {
		return strings.Split(strings.TrimRight(string(record), "\r\n"), string(p.delimiter)), nil
	}
	in := csv.NewReader(bytes.NewReader(record))
	in.Comma, in.FieldsPerRecord = p.delimiter, -1
	fields, err := in.Read()
	var parseError *csv.ParseError
	if errors.As(err, &parseError) {
		return nil, fmt.Errorf("%w, at byte %d", parseError.Err, parseError.Column)
	}
	if err != nil {
		return nil, fmt.Errorf("not CSV: %v", err) //nolint:errorlint // io.EOF has a meaning of its own
	}
	return fields, nil
}

// appendField appends a field as JSON.
func (p *csvParser) appendField(row []byte, name, field string) ([]byte, error) {
	kind := p.types[name]
	value := strings.TrimSpace(field)
	switch {
	case kind == "":
		return appendText(row, field), nil
	case value == "":
		return append(row, "null"...), nil
	case kind == "number" && strings.ContainsRune("-0123456789", rune(value[0])) && json.Valid([]byte(value)):
		return append(row, value...), nil
	case kind == "boolean" && (strings.EqualFold(value, "true") || strings.EqualFold(value, "false")):
		return append(row, strings.ToLower(value)...), nil
	}
	return row, fmt.Errorf("%q is not a %s", beginning([]byte(field)), kind)
}

// appendText appends text as JSON.
func appendText(dst []byte, text string) []byte {
	dst, _ = protocol.AppendJSON(dst, text) // text always can be
	return dst
}
