package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTables(t *testing.T) {
	var text, markdown bytes.Buffer
	for _, table := range tables(example()) {
		table.print(&text, false)
		table.print(&markdown, true)
	}
	plain, marked := squeezed(text.String()), squeezed(markdown.String())
	for _, want := range []string{
		" Publish: messages that Vantiq sends case peer msg/s ",
		" publish-200 raw 3.75 M 2.50 M–5.00 M 1.00 50.00 40 % 100 % 1.00 ",
		" publish-200 python 37.5 k 25.0 k–50.0 k 0.01 0.50 1.0 % 100 % – ",
		" query-1 sdk 30.0 k 30.0 k–30.0 k 28 µs 1.5 ms ",
	} {
		if !strings.Contains(plain, want) {
			t.Errorf("there is no %q in\n%s", want, &text)
		}
	}
	for _, want := range []string{
		" ### TLS | case | peer | a second | ",
		" | tls-publish-200 | sdk | 1.12 M | 750 k–1.50 M | – | 0.75 | ",
		" | sources-10000 | sdk | 2.50 s | 2.50 s–2.50 s | 89 MiB | 8.0 KiB | 1.00 | 2.0 % | ",
		" | away | sdk | 6.00 s | 200 | 1.20 s | 1.20 s–1.20 s | 150 | ",
		" | rows | sdk | 768 MiB | 512 MiB–1024 MiB | 0.50 | ",
	} {
		if !strings.Contains(marked, want) {
			t.Errorf("there is no %q in\n%s", want, &markdown)
		}
	}
	if !strings.Contains(markdown.String(), "\n| --------------- | ---- | -------: | -") {
		t.Errorf("there is no rule below the head of a table in\n%s", &markdown)
	}
}

// squeezed returns text with one blank for any white space: how wide a column is does not matter here.
func squeezed(text string) string { return " " + strings.Join(strings.Fields(text), " ") + " " }

func TestRecordingsAreReadAsOne(t *testing.T) {
	directory := t.TempDir()
	var files []string
	for _, name := range []string{"one.json", "two.json"} {
		file := filepath.Join(directory, name)
		if err := (recording{Machine: thisMachine(t.Context()), Runs: example()}).save(file); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	machines, all, err := load(files)
	if err != nil || len(machines) != 2 || len(all) != 2*len(example()) || all[len(all)-1].Round != 4 {
		t.Fatalf("%d machines, %d runs (%v)", len(machines), len(all), err)
	}
	if all[0] != example()[0] {
		t.Errorf("%+v, want %+v", all[0], example()[0])
	}
	var out bytes.Buffer
	if err := command(t.Context(), append([]string{"table"}, files...), nil, &out, io.Discard); err != nil || !strings.Contains(out.String(), "### Goals") {
		t.Errorf("%s (%v)", &out, err)
	}
	for _, broken := range [][]string{nil, {filepath.Join(directory, "none.json")}, {"table_test.go"}} {
		if _, _, err := load(broken); err == nil {
			t.Errorf("%v can be read", broken)
		}
	}
}

func TestCharts(t *testing.T) {
	directory := t.TempDir()
	file := filepath.Join(directory, "runs.json")
	if err := (recording{Runs: example()}).save(file); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := command(t.Context(), []string{"chart", "-dir", filepath.Join(directory, "charts"), file}, nil, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	want := []string{"throughput.svg", "latency.svg", "rows.svg", "memory.svg", "configured.svg", "return.svg", "tls.svg", "goals.svg"}
	for i, line := range strings.Fields(out.String()) {
		if filepath.Base(line) != want[i] {
			t.Errorf("%s, want %s", line, want[i])
		}
		text, err := os.ReadFile(line)
		if err != nil {
			t.Fatal(err)
		}
		for decoder := xml.NewDecoder(bytes.NewReader(text)); err == nil; {
			_, err = decoder.Token()
		}
		if !errors.Is(err, io.EOF) {
			t.Errorf("%s: %v", line, err)
		}
		for _, wrong := range []string{"NaN", "Inf", "Liberation Sans;"} {
			if strings.Contains(string(text), wrong) {
				t.Errorf("%s: there is %q in it", line, wrong)
			}
		}
	}
	// Only what there are runs for is drawn.
	out.Reset()
	if err := (recording{Runs: example()[:4]}).save(file); err != nil {
		t.Fatal(err)
	}
	if err := command(t.Context(), []string{"chart", "-dir", directory, file}, nil, &out, io.Discard); err != nil || strings.Count(out.String(), "\n") != 2 {
		t.Errorf("%s (%v), want throughput and goals", &out, err)
	}
}
