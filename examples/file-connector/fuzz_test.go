package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"testing"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/protocol"
)

// read returns the rows of a text behind a position.
func read(t *testing.T, format string, follow bool, text []byte, from position) (rows []row) {
	t.Helper()
	configured, err := protocol.NewDocument(document{"fileConfig": document{"directories": []document{{"path": "p", "format": format}}}})
	if err != nil {
		t.Fatal(err)
	}
	config, err := connector.DecodeConfig[config](configured)
	if err != nil {
		t.Fatal(err)
	}
	file := io.NewSectionReader(bytes.NewReader(text), 0, int64(len(text)))
	r, err := newReader(config.File.Directories[0].formatConfig, 1000, follow, file, from)
	if err != nil {
		t.Fatal(err)
	}
	for row, err := range r.rows() {
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	return rows
}

// FuzzRows looks for a file whose rows are not JSON, whose positions do not lead on, or that reads otherwise when reading is
// begun again behind one of its rows: that is what a connector does after kill -9.
func FuzzRows(f *testing.F) {
	for _, seed := range []string{
		"", "\n", "{}\n", "{\"a\":1}\r\n\r\n{\"a\":2}", "a,b\n1,2\n\"x\n\"\"y\"\"\",3\n4\n", "a;b\n", "\xEF\xBB\xBFa\n1\n", "\xFF\xFEa\x00",
		"a\n\"open\n1\n2\n", "a,a\n1,2\n", "{\"a\":\xff}\n[1]\nnot json\n{}", "a\n" + string(bytes.Repeat([]byte("x"), 3000)) + "\n1\n",
	} {
		for _, csv := range []bool{true, false} {
			f.Add([]byte(seed), csv, false)
			f.Add([]byte(seed), csv, true)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte, csv, follow bool) {
		format := "jsonl"
		if csv {
			format = "csv"
		}
		rows := read(t, format, follow, text, position{})
		before := position{}
		for i, r := range rows {
			if r.json != nil && !json.Valid(r.json) {
				t.Fatalf("row %d is %q", i, r.json)
			}
			if r.end.Offset < before.Offset || r.end.Offset > int64(len(text)) || r.end.Row < before.Row || r.end.Line < before.Line {
				t.Fatalf("row %d ends at %+v, the one before at %+v, the file at %d", i, r.end, before, len(text))
			}
			before = r.end
		}
		for i := range min(len(rows), 8) {
			if rows[i].end.Last {
				break
			}
			again := read(t, format, follow, text, rows[i].end)
			if got, want := fmt.Sprint(told(again)), fmt.Sprint(told(rows[i+1:])); got != want {
				t.Fatalf("behind row %d, at %+v:\n%s, and when all is read\n%s", i, rows[i].end, got, want)
			}
		}
	})
}

// told returns what Vantiq is told of rows, and where they end.
func told(rows []row) (all []string) {
	for _, r := range rows {
		all = append(all, fmt.Sprintf("%s (%d, %d, %d, %t)", r.json, r.end.Offset, r.end.Line, r.end.Row, r.end.Last))
	}
	return all
}
