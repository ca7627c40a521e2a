package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/vantiq-go/connectorsdk/protocol"
)

// columns are the keys of a result's rows, encoded as JSON.
type columns []json.RawMessage

// newColumns makes keys of column names: a name that came before gets a number behind it (id, id_2), and a column without
// one is called by its place (column1).
func newColumns(names []string) columns {
	keys := make([]string, len(names))
	for i, name := range names {
		if name == "" || name == "?column?" {
			name = fmt.Sprintf("column%d", i+1)
		}
		keys[i] = name
		for n := 2; slices.Contains(keys[:i], keys[i]); n++ {
			keys[i] = fmt.Sprintf("%s_%d", name, n)
		}
	}
	c := make(columns, len(keys))
	for i, key := range keys {
		c[i] = appendText(nil, key)
	}
	return c
}

// row returns an object of a row's values, each of which the function appends as JSON.
func (c columns) row(appendValue func(dst []byte, column int) []byte) json.RawMessage {
	row := []byte{'{'}
	for i, key := range c {
		if i > 0 {
			row = append(row, ',')
		}
		row = append(append(row, key...), ':')
		row = appendValue(row, i)
	}
	return append(row, '}')
}

// appendText appends a JSON string.
func appendText(dst []byte, text string) []byte {
	dst, _ = protocol.AppendJSON(dst, text) // a string always can be
	return dst
}

// appendNumber appends a number as the database wrote it, with every digit. NaN and infinities, which JSON does not have,
// become texts.
func appendNumber(dst []byte, text string) []byte {
	if last := text[len(text)-1]; last < '0' || last > '9' {
		return appendText(dst, text)
	}
	return append(dst, text...)
}

// appendBytes appends bytes as a JSON string in base64.
func appendBytes(dst, value []byte) []byte {
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, value)
	return append(dst, '"')
}
