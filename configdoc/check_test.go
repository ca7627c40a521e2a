package configdoc_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/vantiq-go/connectorsdk/configdoc"
)

// A verdict is what Check says of a test.
type verdict struct {
	testing.TB
	said []string
}

func (v *verdict) Errorf(format string, args ...any) {
	v.said = append(v.said, fmt.Sprintf(format, args...))
}
func (v *verdict) Fatal(args ...any)                 { v.Errorf("%s", fmt.Sprint(args...)); runtime.Goexit() }
func (v *verdict) Fatalf(format string, args ...any) { v.Errorf(format, args...); runtime.Goexit() }

// check returns what Check finds wrong in the working directory.
func check[T any](t *testing.T, files configdoc.Files) string {
	t.Helper()
	v := &verdict{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		configdoc.Check[T](v, files)
	}()
	<-done
	return strings.Join(v.said, "\n")
}

// updated does what check does, with -update.
func updated[T any](t *testing.T, files configdoc.Files) string {
	t.Helper()
	must(t, flag.Set("update", "true"))
	defer func() { must(t, flag.Set("update", "false")) }()
	return check[T](t, files)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

const readme = "# Connector\n\n<!-- configuration -->\n\nold\n\n<!-- end of configuration -->\n\nThe end.\n"

// inDirectory makes a new directory the working directory, with a README in it.
func inDirectory(t *testing.T, readme string) {
	t.Helper()
	t.Chdir(t.TempDir())
	must(t, os.WriteFile("README.md", []byte(readme), 0o600))
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	must(t, err)
	return string(text)
}

var rich = configdoc.Files{SourceType: "RICH"}

func TestTheFilesAreUpToDate(t *testing.T) {
	configdoc.Check[richConfig](t, configdoc.Files{
		SourceType:     "RICH",
		Operations:     []string{"publish"},
		SourceTypeFile: "testdata/source-type.json",
		SchemaFile:     "testdata/source-config.schema.json",
		README:         "testdata/README.md",
	})
}

func TestFilesThatAreNotUpToDateFailUntilTheyAreUpdated(t *testing.T) {
	inDirectory(t, readme)
	names := []string{"README.md", "deploy/source-type.json", "deploy/source-config.schema.json"}
	said := check[richConfig](t, rich)
	for _, want := range append(names, "-old\n", "+| Property |", "go test -run '^"+t.Name()+"$' . -update") {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not in:\n%s", want, said)
		}
	}
	if read(t, "README.md") != readme {
		t.Error("it was written without -update")
	}
	if said := updated[richConfig](t, rich); said != "" {
		t.Errorf("with -update: %s", said)
	}
	if said := check[richConfig](t, rich); said != "" {
		t.Errorf("afterwards: %s", said)
	}
	if text := read(t, "README.md"); !strings.HasPrefix(text, "# Connector\n\n<!-- configuration -->\n\n| Property ") || !strings.HasSuffix(text, " |\n\n<!-- end of configuration -->\n\nThe end.\n") {
		t.Errorf("README.md is now\n%s", text)
	}
	for _, name := range names {
		text := read(t, name)
		must(t, os.WriteFile(name, []byte(strings.Replace(text, "general", "genral", 1)), 0o600))
		if said := check[richConfig](t, rich); !strings.Contains(said, name+" is not up to date:\n-") || strings.Count(said, "\n") > 10 {
			t.Errorf("%s was changed: %s", name, said)
		}
		must(t, os.WriteFile(name, []byte(text), 0o600))
	}
}

func TestWhatCannotBeDocumentedIsReported(t *testing.T) {
	type undescribed struct {
		Described string `json:"described" jsonschema:"yes"`
		Inner     struct {
			Host string `json:"host"`
		} `json:"inner"`
	}
	type badDefault struct {
		Port int `json:"port" default:"http" jsonschema:"a port"`
	}
	type channel struct {
		C chan int `json:"c" jsonschema:"no"`
	}
	inDirectory(t, readme)
	for want, got := range map[string]string{
		"inner.host has no description":          updated[undescribed](t, rich),
		`the default "http" cannot be used`:      updated[badDefault](t, rich),
		"c: nothing can be read into a chan int": updated[channel](t, rich),
		"a configuration is a struct":            updated[map[string]any](t, rich),
		"SourceType is empty":                    updated[richConfig](t, configdoc.Files{}),
		"nowhere.md":                             updated[richConfig](t, configdoc.Files{SourceType: "RICH", README: "nowhere.md"}),
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in: %s", want, got)
		}
	}
	inDirectory(t, "# Connector\n")
	if said := updated[richConfig](t, rich); !strings.Contains(said, "<!-- configuration -->") {
		t.Errorf("a README without markers: %s", said)
	}
	if entries, err := os.ReadDir("."); err != nil || len(entries) != 1 {
		t.Errorf("it was written nevertheless: %v, %v", entries, err)
	}
}

// What the echo connector has by hand.
func TestTheEchoConnectorsSourceType(t *testing.T) {
	type config struct {
		Echo struct {
			General struct {
				Prefix string `json:"prefix,omitempty" jsonschema:"put before the member text of each message"`
			} `json:"general,omitempty"`
		} `json:"echoConfig,omitempty"`
		Vantiq map[string]any `json:"vantiq,omitempty"`
	}
	want := read(t, filepath.Join("..", "examples", "echo-connector", "deploy", "source-type.json"))
	inDirectory(t, readme)
	if said := updated[config](t, configdoc.Files{SourceType: "ECHO"}); said != "" {
		t.Fatal(said)
	}
	if got := read(t, "deploy/source-type.json"); got != want {
		t.Errorf("got\n%s, want\n%s", got, want)
	}
	if table := read(t, "README.md"); !strings.Contains(table, "| `echoConfig.general.prefix` | text | none | put before the member text of each message |\n") || strings.Contains(table, "`vantiq`") {
		t.Errorf("the table: %s", table)
	}
}

func TestAnAssemblyCanSetSingleValues(t *testing.T) {
	inDirectory(t, readme)
	if said := updated[richConfig](t, rich); said != "" {
		t.Fatal(said)
	}
	var sourceType struct {
		BaseConfigProperties, Operations []string
	}
	must(t, json.Unmarshal([]byte(read(t, "deploy/source-type.json")), &sourceType))
	got := strings.Join(sourceType.BaseConfigProperties, " ")
	want := "host port general.url general.timeout general.retries general.verbose tls.certificate tls.password tls.verify mode level natural network small middle large ratio single exact big at address any needed tree.name defaults.A.query defaults.A.every defaults.B.query defaults.B.every"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := strings.Join(sourceType.Operations, " "); got != "publish query notification" {
		t.Errorf("operations %s", got)
	}
}
