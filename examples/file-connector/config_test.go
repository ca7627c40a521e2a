package main

import (
	"strings"
	"testing"

	"github.com/vantiq-go/connectorsdk/configdoc"
	"github.com/vantiq-go/connectorsdk/connectortest"
)

//go:generate go test -run ^TestConfigurationIsDocumented$ . -update

func TestConfigurationIsDocumented(t *testing.T) {
	configdoc.Check[config](t, configdoc.Files{SourceType: "FILE"})
}

// Whoever queries a source whose configuration is wrong learns everything that is wrong with it.
func TestAWrongConfigurationAnswersQueries(t *testing.T) {
	for _, test := range []struct {
		config document
		want   []string
	}{
		{document{}, []string{"fileConfig: there is nothing to do"}},
		{document{"fileConfig": document{}}, []string{"fileConfig: there is nothing to do"}},
		{configOf(document{"format": "xml", "settle": "soon", "color": "red", "csv": document{"quotes": "maybe"}}), []string{
			"fileConfig.directories[0].path: missing",
			`fileConfig.directories[0].format: "xml"`,
			`fileConfig.directories[0].settle: "soon" is not a duration`,
			"fileConfig.directories[0].color: unknown",
			`fileConfig.directories[0].csv.quotes: "maybe" is not true or false`,
		}},
		{configOf(
			document{"path": "a/b", "pattern": "[", "settle": "-1s", "rowsPerEvent": 0, "eventBytes": 300000, "maxDelay": "-1s", "scan": "0s",
				"done": ".", "failed": "../b", "marker": "/", "csv": document{"delimiter": ",,", "columns": []string{"a", "a"}, "types": document{"a": "date", "b": "number"}}},
			document{"path": "a", "follow": true, "delete": true},
			document{"path": "a/", "done": ""},
		), []string{
			`fileConfig.directories[0].pattern: "["`, "fileConfig.directories[0].settle: -1s", "fileConfig.directories[0].rowsPerEvent: 0",
			"fileConfig.directories[0].eventBytes: 300000", "fileConfig.directories[0].maxDelay: -1s", "fileConfig.directories[0].scan: 0s",
			`fileConfig.directories[0].done: "."`, `fileConfig.directories[0].failed: "../b"`, `fileConfig.directories[0].marker: "/"`,
			`fileConfig.directories[0].csv.delimiter: ",,"`, `fileConfig.directories[0].csv.columns: two columns are called "a"`,
			`fileConfig.directories[0].csv.types[a]: "date"`, `fileConfig.directories[0].csv.types[b]: there is no such column`,
			"fileConfig.directories[1].follow: ", `fileConfig.directories[2].pattern: "*" is there twice for a`, `fileConfig.directories[2].done: ""`,
		}},
		{document{"fileConfig": document{"out": document{"path": "x", "delimiter": "\n"}}}, []string{`fileConfig.out.delimiter: "\n"`}},
	} {
		work(t, nil, func(d *desk) {
			running := connectortest.Start(d.T, d.connector().handlers(), connectortest.WithSource("Files", test.config), connectortest.WithoutWaiting())
			d.source = running.Source("Files")
			if err := d.source.WaitConnected(d.Context()); err != nil {
				d.Fatal(err)
			}
			d.pass()
			got := d.query(document{})
			for _, want := range test.want {
				if !strings.Contains(got, want) {
					d.Errorf("%s\ndoes not say %s", got, want)
				}
			}
			if n := strings.Count(got, "fileConfig"); n != len(test.want) {
				d.Errorf("%s\nnames %d paths, want %d", got, n, len(test.want))
			}
		})
	}
}
