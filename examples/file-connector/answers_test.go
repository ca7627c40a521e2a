package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vantiq-go/connectorsdk/connectortest"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// query returns the rows of an answer, or its error.
func (d *desk) query(parameters document) string {
	d.Helper()
	rows, err := d.source.Query(d.Context(), parameters)
	if err != nil {
		var answer protocol.QueryError
		if !errors.As(err, &answer) {
			d.Error(err)
		}
		return err.Error()
	}
	var text []string
	for _, row := range rows {
		text = append(text, row.String())
	}
	return strings.Join(text, " ")
}

func TestQueryOfProgress(t *testing.T) {
	work(t, document{"rowsPerEvent": 1}, func(d *desk) {
		d.write("a", "{\"n\":1}\n{\"n\":2}\n")
		d.start()
		d.source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
		d.pass()
		d.write("b", "{")
		d.source.ReleaseAcknowledgements(1)
		d.pass()
		d.write("b", "{}")
		d.directory["path"] = d.in
		want := `{"directory":"` + d.in + `","file":"a","size":16,"sent":16,"acknowledged":8,"rows":1,"state":"sent"} ` +
			`{"directory":"` + d.in + `","file":"b","size":1,"sent":1,"acknowledged":0,"rows":0,"state":"sent"}`
		if got := d.query(document{}); got != want {
			d.Errorf("got  %s\nwant %s", got, want)
		}
		if got := d.query(document{"directory": d.in}); got != want {
			d.Errorf("got  %s\nwant %s", got, want)
		}
		if got := d.query(document{"directory": "/elsewhere"}); got != "" {
			d.Errorf("got  %s", got)
		}
		d.source.SetAcknowledgements(vantiqtest.Acknowledgements{})
	})
}

func TestQueryOfRows(t *testing.T) {
	work(t, document{"format": "csv", "pattern": "*.csv"}, func(d *desk) {
		outside := filepath.Join(d.TempDir(), "outside")
		for _, err := range []error{
			os.WriteFile(outside, []byte("a\n1\n"), 0o600),
			os.Symlink(outside, d.path("link.csv")),
		} {
			if err != nil {
				d.Fatal(err)
			}
		}
		d.write("f.csv", "a\n1\n2,3\n4\n")
		d.start()
		d.pass()
		for _, test := range []struct {
			parameters document
			want       string
		}{
			{document{"file": "done/f.csv"}, `{"a":"1"} {"row":2,"line":3,"error":"it has 2 fields for 1 columns","text":"2,3"} {"a":"4"}`},
			{document{"file": "done/f.csv", "directory": d.in, "limit": 1}, `{"a":"1"}`},
			{document{"file": "f.csv"}, "file.notFound: there is no file"},
			{document{"file": "f.csv", "directory": filepath.Dir(d.in)}, "is not one of the source configuration"},
			{document{"file": "../" + filepath.Base(d.in) + "/done/f.csv"}, "path escapes from parent"},
			{document{"file": outside}, "path escapes from parent"},
			{document{"file": "link.csv"}, "link.csv is not a file"},
			{document{"file": "done"}, "done is not a file"},
			{document{"file": 1}, "cannot unmarshal"},
		} {
			if got := d.query(test.parameters); got != test.want && (strings.HasPrefix(got, "{") || !strings.Contains(got, test.want)) {
				d.Errorf("%v: %s, want %s", test.parameters, got, test.want)
			}
		}
	})
}

// startOut starts a connector that writes files.
func (d *desk) startOut(out document) {
	d.Helper()
	out["path"] = d.in
	d.running = connectortest.Start(d.T, d.connector().handlers(),
		connectortest.WithSource("Files", document{"fileConfig": document{"out": out}}))
	d.source = d.running.Source("Files")
}

// publish publishes a message and waits until it has been handled.
func (d *desk) publish(message string) (failed bool) {
	d.Helper()
	before := d.running.Connection("Files").Stats().PublishErrors
	if err := d.source.SendRaw(`{"op":"publish","object":` + message + `}`); err != nil {
		d.Fatal(err)
	}
	d.pass()
	return d.running.Connection("Files").Stats().PublishErrors > before
}

func TestPublishedRowsBecomeFiles(t *testing.T) {
	rows := `"rows":[{"b":1.50,"a":"x,\ny"},{"b":null,"a":{"c": [true]}}]`
	for format, want := range map[string]string{
		"jsonl": `{"b":1.50,"a":"x,\ny"}` + "\n" + `{"b":null,"a":{"c":[true]}}` + "\n",
		"csv":   "b;a\n1.50;\"x,\ny\"\n;\"{\"\"c\"\": [true]}\"\n",
	} {
		work(t, nil, func(d *desk) {
			d.startOut(document{"format": format, "delimiter": ";"})
			if d.publish(`{"file":"f.x",` + rows + `}`) {
				d.Error("it failed")
			}
			d.holds("f.x")
			if got, err := os.ReadFile(d.path("f.x")); err != nil || string(got) != want {
				d.Errorf("%q (%v), want %q", got, err, want)
			}
			if d.publish(`{` + rows + `}`) {
				d.Error("it failed without a name")
			}
			if files := filesIn(d.T, d.in); len(files) != 2 || !strings.HasSuffix(files[0], "."+format) {
				d.Errorf("%q", files)
			}
		})
	}
}

func TestPublishedNamesAreChecked(t *testing.T) {
	work(t, nil, func(d *desk) {
		d.write("there", "")
		d.startOut(document{"format": "csv"})
		for _, message := range []string{
			`{"file":"../f","rows":[]}`, `{"file":"/f","rows":[]}`, `{"file":"a/f","rows":[]}`, `{"file":".f","rows":[]}`,
			`{"file":"..","rows":[]}`, `{"file":"f\u0000","rows":[]}`, `{"file":"a\\f","rows":[]}`, `{"file":"f"}`, `{"file":"f","rows":[],"x":1}`,
			`{"file":"there","rows":[{"a":1}]}`, `{"file":"f","rows":[1]}`, `{"file":"f","rows":[{"a":1},{"b":1}]}`, `{"file":1}`,
			`{"file":"` + strings.Repeat("x", 300) + `","rows":[{"a":1}]}`,
		} {
			if !d.publish(message) {
				d.Errorf("%s did not fail", message)
			}
		}
		d.holds("there")
	})
	work(t, nil, func(d *desk) {
		d.start()
		if !d.publish(`{"rows":[]}`) {
			d.Error("without out it did not fail")
		}
	})
}
