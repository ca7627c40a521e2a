//go:build unix

package main

import (
	"os"
	"testing"
)

func TestATerminalIsSpokenToAsItsUserWants(t *testing.T) {
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = terminal.Close() }()
	for _, c := range []struct {
		noColor, term string
		colours       bool
	}{
		{"", "xterm", true},
		{"1", "xterm", false},
		{"", "dumb", false},
	} {
		t.Setenv("NO_COLOR", c.noColor)
		t.Setenv("TERM", c.term)
		s := newScreen(terminal, terminal)
		for name, out := range map[string]stream{"standard output": s.out, "standard error": s.err} {
			if coloured := out.paint(red, "text") != "text"; coloured != c.colours {
				t.Errorf("NO_COLOR=%s TERM=%s: %s has colours: %t", c.noColor, c.term, name, coloured)
			}
		}
	}
}
