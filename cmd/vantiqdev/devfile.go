package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/vantiq-go/connectorsdk/cmd/vantiqdev/internal/console"
	"github.com/vantiq-go/connectorsdk/internal/spelling"
)

// devFileName is what a connector's directory may hold to say how the local Vantiq is to treat it.
const devFileName = "vantiqdev.json"

// A devFile is the content of such a file. What it does not say is null, or none.
type devFile struct {
	Config             json.RawMessage            `json:"config"`  // of every source that has none in sources
	Sources            map[string]json.RawMessage `json:"sources"` // their configurations
	Tokens             []string                   `json:"tokens"`
	Publish            json.RawMessage            `json:"publish"`
	Query              json.RawMessage            `json:"query"`
	ExpectNotification bool                       `json:"expectNotification"`
}

// readDevFile reads a file. One that is not there says nothing.
func readDevFile(file string) (devFile, error) {
	var f devFile
	text, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return f, nil
	case err != nil:
		return f, err
	}
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")) // a byte order mark, as some editors write it
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err = decoder.Decode(&f); err == nil {
		err = f.check()
	}
	if _, more := decoder.Token(); err == nil && more == nil {
		err = fmt.Errorf("there is more behind the object, from line %d on: remove it", 1+bytes.Count(text[:decoder.InputOffset()], []byte("\n")))
	} else if err == nil && !errors.Is(more, io.EOF) {
		err = more
	}
	if err != nil {
		return f, fmt.Errorf("%s: %w", file, readable(err, text))
	}
	return f, nil
}

// readable says what is wrong with a file in the words of its author.
func readable(err error, text []byte) error {
	var wrongType *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &wrongType):
		what := map[string]string{"tokens": "a list of texts", "sources": "an object of source names and their configurations",
			"expectNotification": "true or false"}[wrongType.Field]
		return fmt.Errorf("%s must be %s; what stands there is a JSON %s", cmp.Or(wrongType.Field, "the file"), cmp.Or(what, "a JSON object"), wrongType.Value)
	case errors.As(err, &syntax), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		before := text
		if syntax != nil {
			before = text[:syntax.Offset]
		}
		return fmt.Errorf("it is not JSON, from line %d on: %w", 1+bytes.Count(before, []byte("\n")), err)
	}
	if name, unknown := strings.CutPrefix(err.Error(), "json: unknown field "); unknown {
		members := []string{"config", "sources", "tokens", "publish", "query", "expectNotification"}
		err = fmt.Errorf("%s means nothing here; there are %s", name, strings.Join(members, ", "))
		if meant := spelling.Nearest(strings.Trim(name, `"`), members); meant != "" {
			err = fmt.Errorf("%s means nothing here; did you mean %q?", name, meant)
		}
	}
	return err
}

// samples returns what may be tried.
func (f devFile) samples() (s console.Samples) {
	for _, member := range []struct{ from, to *json.RawMessage }{{&f.Publish, &s.Publish}, {&f.Query, &s.Query}} {
		if string(*member.from) != "null" {
			*member.to = *member.from
		}
	}
	return s
}

func (f devFile) check() error {
	for _, member := range []struct {
		name string
		text json.RawMessage
	}{{"config", f.Config}, {"publish", f.Publish}, {"query", f.Query}} {
		if member.text == nil || string(member.text) == "null" {
			continue
		}
		if _, err := objectOf(member.text); err != nil {
			return fmt.Errorf("%s: %w", member.name, err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(f.Sources)) {
		if err := checkName(name); err != nil {
			return fmt.Errorf("sources: %w", err)
		}
		if _, err := objectOf(f.Sources[name]); err != nil && string(f.Sources[name]) != "null" {
			return fmt.Errorf("sources: %s: %w", name, err)
		}
	}
	for _, token := range f.Tokens {
		if strings.TrimSpace(token) == "" {
			return errors.New("tokens: a token is empty")
		}
	}
	return nil
}
