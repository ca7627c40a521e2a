package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// A screen shows everything line by line: what vantiqdev has to say, the traffic, and the output of the connector, each
// with a mark of its own at the beginning of the line. Its methods may be called from several goroutines.
type screen struct {
	mu       sync.Mutex
	out, err stream
	status   string // the line at the bottom of a terminal that is still going to change
}

// A stream is an output, with colours or without.
type stream struct {
	io.Writer
	colours bool
}

// A style is how a terminal shows a text.
type style string

const (
	plain  style = ""
	dim    style = "2"
	red    style = "31"
	green  style = "32"
	yellow style = "33"
	cyan   style = "36"
)

// Marks at the beginning of a line.
const (
	note         = "·" // vantiqdev says something
	toVantiq     = "→"
	fromVantiq   = "←"
	problem      = "!" // something went wrong on the way
	programSpeak = "│" // the connector's own output
)

func newScreen(stdout, stderr io.Writer) *screen {
	return &screen{out: stream{stdout, isTerminal(stdout)}, err: stream{stderr, isTerminal(stderr)}}
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// paint returns text as the stream shows it in that style.
func (s stream) paint(how style, text string) string {
	if !s.colours || how == plain || text == "" {
		return text
	}
	return "\x1b[" + string(how) + "m" + text + "\x1b[0m"
}

// say shows what vantiqdev has to say.
func (s *screen) say(format string, args ...any) {
	s.show(note, dim, fmt.Sprintf(format, args...))
}

// show shows a line with its mark.
func (s *screen) show(mark string, how style, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
	_, _ = fmt.Fprintf(s.out, "%s %s\n", s.out.paint(how, mark), text)
	s.draw()
}

// progress says what takes a while and, on a terminal, for how long it has been going on, until done is called.
func (s *screen) progress(format string, args ...any) (done func()) {
	text := fmt.Sprintf(format, args...)
	if !s.out.colours {
		s.say("%s", text)
		return func() {}
	}
	began := time.Now()
	over, stopped := make(chan struct{}), make(chan struct{})
	go func() { // ends with done
		defer close(stopped)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			s.mu.Lock()
			s.clear()
			s.status = fmt.Sprintf("· %s %.1f s", text, time.Since(began).Seconds())
			s.draw()
			s.mu.Unlock()
			select {
			case <-tick.C:
			case <-over:
				s.mu.Lock()
				defer s.mu.Unlock()
				s.clear()
				s.status = ""
				return
			}
		}
	}()
	return func() {
		close(over)
		<-stopped
	}
}

// clear takes the status away, and draw puts it back; mu must be held.
func (s *screen) clear() {
	if s.status != "" {
		_, _ = io.WriteString(s.out, "\r\x1b[K")
	}
}

func (s *screen) draw() {
	if s.status != "" {
		const cutOff, wrapAgain = "\x1b[?7l", "\x1b[?7h" // clear takes one line away
		_, _ = io.WriteString(s.out, cutOff+s.out.paint(dim, s.status)+wrapAgain)
	}
}

// complain shows why a command fails, one reason per line.
func (s *screen) complain(command string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
	defer s.draw()
	for line := range strings.SplitSeq(err.Error(), "\n") {
		_, _ = fmt.Fprintf(s.err, "%s %s\n", s.err.paint(red, command+":"), line)
	}
}

// speech returns a writer for the output of a child, to be closed when the child has ended.
func (s *screen) speech(to stream) *speech { return &speech{screen: s, to: to} }

// A speech shows an output line by line, set apart from everything else.
type speech struct {
	screen *screen
	to     stream
	line   []byte // that has not ended yet
}

// maxLine keeps an output without line breaks from being held for ever.
const maxLine = 64 << 10

// Write implements io.Writer.
func (p *speech) Write(text []byte) (int, error) {
	p.screen.mu.Lock()
	defer p.screen.mu.Unlock()
	p.line = append(p.line, text...)
	for {
		end := bytes.IndexByte(p.line, '\n')
		if end < 0 {
			break
		}
		p.show(p.line[:end])
		p.line = p.line[end+1:]
	}
	if len(p.line) > maxLine {
		p.show(p.line)
		p.line = nil
	}
	return len(text), nil
}

// Close shows what came last without a line break.
func (p *speech) Close() error {
	p.screen.mu.Lock()
	defer p.screen.mu.Unlock()
	if len(p.line) > 0 {
		p.show(p.line)
		p.line = nil
	}
	return nil
}

func (p *speech) show(line []byte) {
	p.screen.clear()
	defer p.screen.draw()
	text := string(bytes.TrimSuffix(line, []byte("\r")))
	_, _ = fmt.Fprintln(p.to, p.to.paint(dim, programSpeak+" "+text))
}
