package main

import (
	"bytes"
	"os"
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
		{"", 2, "", "run a connector with a local Vantiq"},
		{"help", 0, "run a connector with a local Vantiq", ""},
		{"fly", 2, "", `there is no command "fly"`},
		{"run -h", 0, "-expect-notification", ""},
		{"run", 2, "", "PROGRAM is missing: name a Go package or an executable, like ./examples/echo-connector"},
		{"run -twice x", 2, "", "flag provided but not defined: -twice"},
		{"run -publish {text} x", 2, "", `invalid value "{text}" for flag -publish: not a JSON object`},
		{"run -query [1] x", 2, "", `invalid value "[1]" for flag -query: not a JSON object`},
		{"run -config-json 7 x", 2, "", `write it like '{"text":"hello"}', in single quotes`},
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

func TestNotificationIsExpectedOfTheEchoConnector(t *testing.T) {
	for args, want := range map[string]bool{
		"./examples/echo-connector":                               true,
		"-query {} echo-connector.exe -publish {}":                true,
		"./examples/test-connector":                               false,
		"-publish {} ./examples/echo-connector":                   false,
		"-expect-notification=false ./examples/echo-connector":    false,
		"-expect-notification -publish {} ./my-connector/main.go": true,
	} {
		f, err := parseRunFlags(strings.Fields(args), os.Stdout)
		if err != nil || f.expectNotification != want {
			t.Errorf("%s: %t (%v)", args, f.expectNotification, err)
		}
	}
}
