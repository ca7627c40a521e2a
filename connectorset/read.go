package connectorset

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/vantiq-go/connectorsdk/protocol"
)

// Where a connector's configuration is looked for, relative to the working directory.
var (
	firstFile  = filepath.Join("serverConfig", "server.config")
	secondFile = "server.config"
)

// ReadConfig reads a server.config as [Load] does, and returns the Config with everything that is wrong with it, as
// joined [ConfigError] values. An empty name means serverConfig/server.config or, only if that does not exist,
// server.config, both in the working directory. If the file holds neither authToken nor authTokenFile, the token is
// taken from the environment variable CONNECTOR_AUTH_TOKEN. A blank value counts as absent everywhere.
//
// The Config holds what could be read even if there is an error.
func ReadConfig(file string) (Config, error) {
	file, data, err := readFile(file)
	if err != nil {
		return Config{origin: origin{file: file}}, err
	}
	r := newReader(file)
	r.readAll(data)
	r.readEnvironment()
	_, more := r.config.check(r.bad)
	return r.config, join(append(r.problems, more...))
}

// readFile returns the name and the content of the file that is meant.
func readFile(file string) (string, []byte, error) {
	searching := file == ""
	if searching {
		file = firstFile
	}
	data, err := os.ReadFile(file)
	if searching && errors.Is(err, fs.ErrNotExist) {
		file = secondFile
		data, err = os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			directory, _ := os.Getwd()
			return firstFile, nil, &ConfigError{
				File:   firstFile,
				Reason: fmt.Sprintf("does not exist, nor does %s: create one of them in %s", secondFile, directory),
				Err:    fs.ErrNotExist,
			}
		}
	}
	if err != nil {
		return file, nil, &ConfigError{File: file, Reason: "cannot be read", Err: causeOf(err)}
	}
	return file, data, nil
}

// A reader turns the lines of one file into a Config.
type reader struct {
	config   Config
	bad      map[string]bool // properties that have been complained about
	problems []*ConfigError
}

func newReader(file string) *reader {
	return &reader{
		config: Config{origin: origin{file: file, lines: make(map[string]int)}},
		bad:    make(map[string]bool),
	}
}

func (r *reader) report(key, value, reason string) {
	r.bad[key] = true
	r.problems = append(r.problems, r.config.problem(key, value, reason, nil))
}

func (r *reader) warn(key, text string) {
	o := &r.config.origin
	o.warnings = append(o.warnings, Warning{o.file, o.lines[key], key, text})
}

func (r *reader) readAll(data []byte) {
	entries, problems := parseProperties(r.config.origin.file, data)
	r.problems = append(r.problems, problems...)

	values := make(map[string]string) // of those that are not blank
	for _, e := range entries {
		if _, again := r.config.origin.lines[e.key]; again {
			r.warn(e.key, fmt.Sprintf("is set again in line %d: the last one counts", e.line))
		}
		r.config.origin.lines[e.key] = e.line
		delete(values, e.key)
		if value := strings.TrimSpace(e.value); value != "" {
			values[e.key] = value
		}
	}

	if value, ok := values[connectKWArgs]; ok {
		r.readKWArgs(value)
		delete(values, connectKWArgs)
	}
	for _, p := range known {
		if value, ok := values[p.name]; ok {
			r.set(p, value)
		}
	}
	r.decidePings(values)
	r.warnUnknown(entries)
}

// set reads one value, trimmed and not blank.
func (r *reader) set(p property, value string) {
	shown := value
	if p.show != nil {
		shown = p.show(value)
	}
	if start, reason := oddText(value); reason != "" {
		if shown != redacted {
			shown = start
		}
		r.report(p.name, shown, reason)
		return
	}
	if err := p.set(&r.config, value); err != nil {
		r.report(p.name, shown, err.Error())
		return
	}
	switch first := value[0]; {
	case len(value) > 1 && (first == '"' || first == '\'') && value[len(value)-1] == first:
		r.warn(p.name, "is in quotes, which are part of the value: remove them")
	case strings.Contains(value, " #") || strings.Contains(value, " !"):
		r.warn(p.name, "holds what looks like a comment, which is part of the value: a comment needs a line of its own")
	}
}

// decidePings lets sendPings=false win over a pingInterval beside it.
func (r *reader) decidePings(values map[string]string) {
	on, ok := parseBool(values["sendPings"])
	if !ok || on {
		return
	}
	if r.config.PingInterval > 0 {
		r.warn("pingInterval", "has no effect, because sendPings is false")
	}
	r.config.PingInterval = -1
}

func (r *reader) warnUnknown(entries []entry) {
	names := map[string]bool{connectKWArgs: true}
	for _, p := range known {
		names[p.name] = true
	}
	for _, e := range entries {
		if !names[e.key] {
			names[e.key] = true
			r.warn(e.key, unknown(e.key))
		}
	}
}

// readEnvironment takes from the environment what the file does not say.
func (r *reader) readEnvironment() {
	token := strings.TrimSpace(os.Getenv(tokenVariable))
	if token != "" && r.config.AuthToken == "" && r.config.AuthTokenFile == "" && !r.bad["authToken"] {
		if _, reason := oddText(token); reason != "" {
			r.bad["authToken"] = true
			r.problems = append(r.problems, &ConfigError{Key: tokenVariable, Value: redacted, Reason: reason})
		} else {
			r.config.AuthToken = protocol.Secret(token)
		}
	}
	if strings.TrimSpace(os.Getenv(queueVariable)) != "" {
		o := &r.config.origin
		o.warnings = append(o.warnings, Warning{Key: queueVariable, Text: "is set in the environment and ignored: " +
			"outboxMessages says how many notifications may wait"})
	}
}
