package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// samplesFile is what a connector's directory may hold to say how it is tried.
const samplesFile = "vantiqdev.json"

// samples are the defaults of flags.
type samples struct {
	Config             json.RawMessage `json:"config"`
	Publish            json.RawMessage `json:"publish"`
	Query              json.RawMessage `json:"query"`
	ExpectNotification bool            `json:"expectNotification"`
}

// takeSurroundings takes from PROGRAM's directory what the command line leaves open: its server.config, which is then
// also where it runs, and its samples. Given tells which flags there were.
func (f *runFlags) takeSurroundings(given func(string) bool) error {
	directory := f.program
	if info, err := os.Stat(directory); err != nil || !info.IsDir() {
		return nil //nolint:nilerr // it is an executable, or find says what is wrong with it
	}
	for _, name := range []string{filepath.Join("serverConfig", "server.config"), "server.config"} {
		if _, err := os.Stat(filepath.Join(directory, name)); err == nil && f.config == "" {
			f.directory, f.ownConfig = directory, filepath.Join(directory, name)
			break
		}
	}
	if err := f.takeSamples(filepath.Join(directory, samplesFile), given); err != nil {
		return fmt.Errorf("%s: %w; it may have the members config, publish and query, which are JSON objects, and expectNotification",
			filepath.Join(directory, samplesFile), err)
	}
	return nil
}

func (f *runFlags) takeSamples(file string, given func(string) bool) error {
	text, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	}
	var s samples
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&s); err != nil {
		return err
	}
	for name, document := range map[string]struct {
		text json.RawMessage
		flag *documentFlag
	}{
		"config-json": {s.Config, &f.sample.config},
		"publish":     {s.Publish, &f.sample.publish},
		"query":       {s.Query, &f.sample.query},
	} {
		if document.text == nil || given(name) {
			continue
		}
		if err := document.flag.Set(string(document.text)); err != nil {
			return err
		}
	}
	if !given("expect-notification") && !given("config-json") && !given("publish") {
		f.expectNotification = s.ExpectNotification
	}
	return nil
}
