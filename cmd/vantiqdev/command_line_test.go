package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCommandLine(t *testing.T) {
	for _, line := range []struct {
		args   string
		code   int
		stdout string
		stderr string
	}{
		{"", 2, "", `say what to do, like "vantiqdev new"`},
		{"-h", 0, "run a connector with a local Vantiq", ""},
		{"fly", 2, "", `there is no command "fly"`},
		{"rum", 2, "", `there is no command "rum"; did you mean "run"?`},
		{"completion bash", 0, "complete ", ""},
		{"run -on --generate-shell-completion", 0, "-once:", ""},
		{"run --on --generate-shell-completion", 0, "--once:", ""},
		{"run . - --generate-shell-completion", 0, "", ""},
		{"publ --generate-shell-completion", 0, "publish:", ""},
		{"doctor -config --generate-shell-completion", 0, "", ""}, // names of files
		{"query -source --generate-shell-completion", 0, "", ""},
		{"wacth", 2, "", `did you mean "watch"?`},
		{"query -sorce A", 2, "", "did you mean -source?"},
		{"query -n", 2, "", "there is no flag -n\n"},
		{"help wacth", 2, "", `there is no command "wacth"; did you mean "watch"?`},
		{"nope -h", 2, "", `there is no command "nope"`},
		{"watch -n x", 2, "", `invalid value "x" for flag -n: it must be a number`},
		{"run -timeout soon .", 2, "", `invalid value "soon" for flag -timeout: it must be a duration, like 30s`},
		{"help run", 0, "-expect-notification", ""},
		{"help", 0, "run a connector with a local Vantiq", ""},
		{"bogus", 2, "", "there is no command \"bogus\"\n"},
		{"-version", 0, "vantiqdev ", ""},
		{"run -h", 0, "-expect-notification", ""},
		{"run", 2, "", "PROGRAM is missing: name a Go package or an executable, like ./examples/echo-connector"},
		{"run -twice x", 2, "", "there is no flag -twice"},
		{"run -publish {text} x", 2, "", `invalid value "{text}" for flag -publish: not a JSON object`},
		{"run -query [1] x", 2, "", `invalid value "[1]" for flag -query: not a JSON object`},
		{"run -config-json 7 x", 2, "", `write it like '{"text":"hello"}', in single quotes`},
		{"doctor -h", 0, "vantiqdev doctor -connect", ""},
		{"doctor my.config", 2, "", `what is "my.config"? To read another configuration: -config FILE`},
		{"doctor -timeout 0s", 2, "", "it must be more than 0, like 10s"},
		{"run -timeout 0s x", 2, "", `invalid value "0s" for flag -timeout: it must be more than 0, like 30s`},
	} {
		t.Run(line.args, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			code := vantiqdev(strings.Fields(line.args), &stdout, &stderr)
			if code != line.code || !strings.Contains(stdout.String(), line.stdout) || !strings.Contains(stderr.String(), line.stderr) {
				t.Errorf("exit code %d, stdout %q, stderr %q", code, &stdout, &stderr)
			}
			if (stdout.Len() > 0) != (line.stdout != "") || (stderr.Len() > 0) != (line.stderr != "") {
				t.Errorf("stdout %q, stderr %q", &stdout, &stderr)
			}
		})
	}
}

// parseRunFlags reads a command line of run.
func parseRunFlags(args []string) (f runFlags, err error) {
	c := runCommand(func(given runFlags, _ *screen) error { f = given; return nil })
	return f, c.Run(context.Background(), append([]string{"run"}, args...))
}

func TestSamplesOfTheConnectorsDirectory(t *testing.T) {
	directory := t.TempDir()
	if err := os.WriteFile(directory+"/vantiqdev.json", []byte(`{"config": {"a": 1}, "publish": {"b": 2}, "expectNotification": true}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]string{
		"../../examples/echo-connector":                            `{} {"text": "hello"} {"limit": 3} true`,
		"../../examples/test-connector":                            `{} {"text":"hello"} {"limit":3} false`,
		"-publish {} ../../examples/echo-connector":                `{} {} {"limit": 3} false`,
		"-expect-notification=false ../../examples/echo-connector": `{} {"text": "hello"} {"limit": 3} false`,
		directory: `{"a": 1} {"b": 2} {"limit":3} true`,
		"-config-json {} -query {} -expect-notification " + directory: `{} {"b": 2} {} true`,
		"-config-json {} " + directory:                                `{} {"b": 2} {"limit":3} false`,
	} {
		f, err := parseRunFlags(strings.Fields(args))
		got := fmt.Sprint(f.sample.config, " ", f.sample.publish, " ", f.sample.query, " ", f.expectNotification)
		if err != nil || got != want {
			t.Errorf("%s: %s (%v), want %s", args, got, err, want)
		}
	}
	if err := os.WriteFile(directory+"/vantiqdev.json", []byte("\xef\xbb\xbf{\"publish\": {\"b\": 3}}\n\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if f, err := parseRunFlags([]string{directory}); err != nil || f.sample.publish.String() != `{"b": 3}` {
		t.Errorf("with a byte order mark: %v (%v)", f.sample.publish, err)
	}
	for bad, want := range map[string]string{
		`{"publish": [1]}`:         "publish: not a JSON object",
		`{"publsh": {}}`:           `"publsh" means nothing here; did you mean "publish"?`,
		`{"nothing": {}}`:          `"nothing" means nothing here; there are config, sources, tokens, publish, query, expectNotification`,
		"{\n\"config\": {},\n\"a}": "it is not JSON, from line 3 on",
		``:                         "it is not JSON, from line 1 on",
		`{"tokens": "one"}`:        "tokens must be a list of texts; what stands there is a JSON string",
		`{"tokens": [" "]}`:        "tokens: a token is empty",
		`{"sources": {"A": 1}}`:    "sources: A: not a JSON object",
		`{"sources": {" A ": {}}}`: `sources: " A " is no name of a source`,
		`{"sources": {"..": {}}}`:  `sources: ".." is no name of a source`,
		`{"sources": {"A,B": {}}}`: `sources: "A,B" is no name of a source`,
		"{}\n{}":                   "there is more behind the object, from line 2 on",
		"{}\n}":                    "it is not JSON, from line 2 on",
		`[]`:                       "the file must be a JSON object; what stands there is a JSON array",
	} {
		if err := os.WriteFile(directory+"/vantiqdev.json", []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := parseRunFlags([]string{directory})
		if err == nil || !strings.Contains(err.Error(), "vantiqdev.json: "+want) {
			t.Errorf("%s: %v, want %s", bad, err, want)
		}
	}
}

func TestAServerConfigOfTheConnectorsOwnIsUsed(t *testing.T) {
	directory := t.TempDir()
	file := filepath.Join(directory, "serverConfig", "server.config")
	if err := os.Mkdir(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(directory, "server.config"), nil, 0o600); err != nil { // the other one comes first
		t.Fatal(err)
	}
	f, err := parseRunFlags([]string{directory})
	if err != nil || f.workplace != directory || f.ownConfig != file {
		t.Errorf("%+v (%v)", f, err)
	}
	f, err = parseRunFlags([]string{"-config", "other", directory})
	if err != nil || f.workplace != "" || f.ownConfig != "" {
		t.Errorf("with -config: %+v (%v)", f, err)
	}
}
