package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
)

type outConfig struct {
	Path      string `json:"path" jsonschema:"the directory; it is made if need be"`
	Format    string `json:"format" default:"jsonl" enum:"csv,jsonl" jsonschema:"csv, with a header of the first row's members, or jsonl for a JSON object on each line"`
	Delimiter string `json:"delimiter" default:"," jsonschema:"the character between two fields of CSV"`
}

// A message is what is published: rows for one file.
type message struct {
	File string            `json:"file"` // its name; default: one made of the time
	Rows []json.RawMessage `json:"rows"`
}

// write makes a file of a message. It appears under its name when it is complete; one that is there is not replaced.
func (o *outConfig) write(document connector.Document) error {
	var m message
	decoder := json.NewDecoder(bytes.NewReader(document.Raw()))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&m); err != nil {
		return fmt.Errorf("%w; publish {file: …, rows: […]}", err)
	}
	if m.Rows == nil {
		return errors.New("there are no rows; publish {file: …, rows: […]}")
	}
	if m.File == "" {
		m.File = time.Now().UTC().Format("20060102T150405.000000000") + "." + o.Format
	}
	if !filepath.IsLocal(m.File) || strings.ContainsAny(m.File, "/\\\x00") || strings.HasPrefix(m.File, ".") {
		return fmt.Errorf("file %q is not a name, or begins with a dot", m.File)
	}
	text, err := o.encode(m.Rows)
	if err != nil {
		return fmt.Errorf("file %s: %w", m.File, err)
	}
	if err := os.MkdirAll(o.Path, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(o.Path)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	if _, err := root.Lstat(m.File); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(fmt.Errorf("file %s is there already; publish it with another name", m.File), err)
	}
	temporary := "." + m.File + ".new"
	if err := writeFile(root, temporary, text); err != nil {
		return errors.Join(err, root.Remove(temporary))
	}
	return root.Rename(temporary, m.File)
}

func writeFile(root *os.Root, name string, text []byte) error {
	file, err := root.Create(name)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	return errors.Join(err, file.Sync(), file.Close())
}

func (o *outConfig) encode(rows []json.RawMessage) ([]byte, error) {
	var text bytes.Buffer
	table := csv.NewWriter(&text)
	table.Comma = []rune(o.Delimiter)[0]
	var columns []string
	for i, row := range rows {
		names, fields, err := membersOf(row)
		switch {
		case err != nil:
		case o.Format == "jsonl":
			err = json.Compact(&text, row) // on one line
			text.WriteByte('\n')
		case columns == nil:
			columns = names
			err = errors.Join(table.Write(columns), table.Write(fields))
		case !slices.Equal(names, columns):
			err = fmt.Errorf("its members are %q, those of the first row %q", names, columns)
		default:
			err = table.Write(fields)
		}
		if err != nil {
			return nil, fmt.Errorf("rows[%d]: %w", i, err)
		}
	}
	table.Flush()
	return text.Bytes(), nil
}

// membersOf returns the names and values of an object in their order, as text.
func membersOf(row json.RawMessage) (names, fields []string, err error) {
	decoder := json.NewDecoder(bytes.NewReader(row))
	decoder.UseNumber()
	if begin, err := decoder.Token(); err != nil || begin != json.Delim('{') {
		return nil, nil, errors.Join(errors.New("it is not an object"), err)
	}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, nil, err
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, nil, err
		}
		field := string(value) // numbers, booleans, and JSON for the rest
		if field == "null" {
			field = ""
		} else if value[0] == '"' {
			if err := json.Unmarshal(value, &field); err != nil {
				return nil, nil, err
			}
		}
		names, fields = append(names, name.(string)), append(fields, field)
	}
	return names, fields, nil
}
