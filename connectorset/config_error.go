package connectorset

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A ConfigError is one thing that is wrong with the configuration. [ReadConfig], [Load], [New] and [Config.Validate]
// report all of them at once, joined; find one with [errors.As].
type ConfigError struct {
	// File is where the configuration was read from; empty for a Config made in Go.
	File string
	// Line is where the property stands in File, counted from 1; 0 if it does not stand there.
	Line int
	// Key is the property as server.config spells it, the name of an environment variable, or empty if the file as a
	// whole is meant.
	Key string
	// Value is what was found, as far as it may be shown: of a secret it is "[redacted]".
	Value string
	// Reason says what is wrong and what is accepted. It continues a sentence that begins with Key and Value.
	Reason string
	// Err is the cause, if there is one.
	Err error
}

// Error returns everything that is known, like
//
//	serverConfig/server.config:7: tcpProbePort "http" is not accepted: use a number from 1 to 65535, or 0 for no port
func (e *ConfigError) Error() string {
	var text strings.Builder
	text.WriteString(position(e.File, e.Line))
	if e.Key != "" {
		text.WriteString(e.Key + " ")
	}
	if e.Value != "" {
		fmt.Fprintf(&text, "%q ", e.Value)
	}
	text.WriteString(e.Reason)
	if e.Err != nil {
		text.WriteString(": " + e.Err.Error())
	}
	return text.String()
}

// Unwrap returns the cause.
func (e *ConfigError) Unwrap() error { return e.Err }

// A Warning is something in the configuration that is not wrong but probably not meant. It never shows a value that may
// be a secret.
type Warning struct {
	File string // empty for a Config made in Go
	Line int    // 0 if the property does not stand in File
	Key  string // the property, or the name of an environment variable
	Text string // continues a sentence that begins with Key
}

// String returns the warning as one line, like
//
//	serverConfig/server.config:3: source is not a property and is ignored: is "sources" meant?
func (w Warning) String() string { return position(w.File, w.Line) + w.Key + " " + w.Text }

func position(file string, line int) string {
	switch {
	case file == "":
		return ""
	case line == 0:
		return file + ": "
	}
	return fmt.Sprintf("%s:%d: ", file, line)
}

// join returns the problems in the order of the file, what is missing from it last.
func join(problems []*ConfigError) error {
	slices.SortStableFunc(problems, func(a, b *ConfigError) int {
		if (a.Line == 0) != (b.Line == 0) {
			return cmp.Compare(b.Line, a.Line)
		}
		return cmp.Compare(a.Line, b.Line)
	})
	all := make([]error, len(problems))
	for i, problem := range problems {
		all[i] = problem
	}
	return errors.Join(all...)
}
