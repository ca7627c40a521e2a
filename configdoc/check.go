package configdoc

import (
	"bytes"
	"cmp"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/internal/configfields"
)

// Files says what is written, and where. Names are relative to the directory of the test.
type Files struct {
	SourceType string   // its name in Vantiq, like SQL; required
	Operations []string // what a source of this type can do. Default: publish, query and notification

	SourceTypeFile string // what loads the source type into Vantiq. Default: deploy/source-type.json
	SchemaFile     string // the JSON schema of a source configuration. Default: deploy/source-config.schema.json
	README         string // has the table between its two markers. Default: README.md
}

var update = flag.Bool("update", false, "write the files that document the configuration, instead of comparing them")

// Check fails the test if one of the files does not say what the configuration struct T says, and shows where they begin to
// differ; with -update it writes the files instead. It also fails if a property has no description, or a tag makes no sense.
// T is a struct as [connector.DecodeConfig] takes it.
func Check[T any](t testing.TB, files Files) {
	t.Helper()
	if files.SourceType == "" {
		t.Fatal("configdoc: Files.SourceType is empty; it is the name that the source type has in Vantiq")
	}
	if files.Operations == nil {
		files.Operations = []string{"publish", "query", "notification"}
	}
	files.SourceTypeFile = cmp.Or(files.SourceTypeFile, "deploy/source-type.json")
	files.SchemaFile = cmp.Or(files.SchemaFile, "deploy/source-config.schema.json")
	files.README = cmp.Or(files.README, "README.md")

	config := reflect.TypeFor[T]()
	if _, err := connector.DecodeConfig[T](connector.Document{}); errors.Is(err, configfields.ErrMistake) {
		t.Fatalf("configdoc: %v", err)
	}
	schema, err := schemaOf(config, files.SourceType)
	if err != nil {
		t.Fatalf("configdoc: the JSON schema of %v: %v", config, err)
	}
	rows, described := tableOf(config), true
	for _, row := range rows {
		if row.description == "" && !row.structure {
			described = false
			t.Errorf(`configdoc: %s has no description; give its field a tag jsonschema:"what it means"`, row.path)
		}
	}
	readme, err := os.ReadFile(files.README)
	if err != nil {
		t.Fatalf("configdoc: %v; it is to have the lines %s and %s, between which the table goes", err, tableBegin, tableEnd)
	}
	documented, err := withTable(readme, rows)
	if err != nil {
		t.Fatalf("configdoc: %s: %v", files.README, err)
	}
	if !described {
		return
	}
	settle(t, files.SchemaFile, schema)
	settle(t, files.SourceTypeFile, sourceTypeOf(files, rows))
	settle(t, files.README, documented)
}

// settle makes the file what it should be, or fails the test if it is not.
func settle(t testing.TB, name string, want []byte) {
	t.Helper()
	got, err := os.ReadFile(name)
	switch {
	case err == nil && bytes.Equal(got, want):
	case !*update && err != nil:
		t.Errorf("configdoc: %v; this writes it:\n\t%s", err, command(t))
	case !*update:
		t.Errorf("configdoc: %s is not up to date:\n%s\nthis writes it:\n\t%s", name, difference(got, want), command(t))
	default:
		if err := write(name, want); err != nil {
			t.Errorf("configdoc: %v", err)
		}
	}
}

func write(name string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, text, 0o644)
}

func command(t testing.TB) string {
	name, _, _ := strings.Cut(t.Name(), "/")
	return "go test -run '^" + name + "$' . -update"
}

// difference shows the first lines that differ.
func difference(got, want []byte) string {
	const shown = 3 // lines of each
	g, w := strings.SplitAfter(string(got), "\n"), strings.SplitAfter(string(want), "\n")
	same := 0
	for same < len(g) && same < len(w) && g[same] == w[same] {
		same++
	}
	g, w = g[same:], w[same:]
	for len(g) > 0 && len(w) > 0 && g[len(g)-1] == w[len(w)-1] {
		g, w = g[:len(g)-1], w[:len(w)-1]
	}
	var text strings.Builder
	for _, side := range []struct {
		sign  string
		lines []string
	}{{"-", g}, {"+", w}} {
		for i, line := range side.lines {
			if i == shown {
				text.WriteString(side.sign + "…\n")
				break
			}
			text.WriteString(side.sign + strings.TrimSuffix(line, "\n") + "\n")
		}
	}
	return strings.TrimSuffix(text.String(), "\n")
}
