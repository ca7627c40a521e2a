package main

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestSpeechIsShownLineByLine(t *testing.T) {
	var out bytes.Buffer
	s := newScreen(&out, io.Discard)
	speech := s.speech(s.out)
	for _, part := range []string{"one\r\ntw", "o\n\nthr", "ee"} {
		_, _ = io.WriteString(speech, part)
	}
	s.say("meanwhile")
	_ = speech.Close()
	if got := out.String(); got != "│ one\n│ two\n│ \n· meanwhile\n│ three\n" {
		t.Errorf("got %q", got)
	}
	out.Reset()
	_, _ = io.WriteString(speech, strings.Repeat("x", maxLine+1))
	if out.Len() < maxLine {
		t.Error("an endless line is held")
	}
}

func TestColours(t *testing.T) {
	var out bytes.Buffer
	s := newScreen(&out, &out)
	s.out.colours, s.err.colours = true, true
	s.say("a %d", 1)
	s.show(toVantiq, green, "b")
	s.complain("vantiqdev run", errors.New("c\nd"))
	_, _ = io.WriteString(s.speech(s.out), "e\n")
	const want = "\x1b[2m·\x1b[0m a 1\n\x1b[32m→\x1b[0m b\n\x1b[31mvantiqdev run:\x1b[0m c\n\x1b[31mvantiqdev run:\x1b[0m d\n\x1b[2m│ e\x1b[0m\n"
	if out.String() != want {
		t.Errorf("got  %q\nwant %q", out.String(), want)
	}
}
