package job

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// Words that a server or a peer process is told, each on a line of its standard input. The end of the input ends it.
const (
	Go     = "go"     // server: begin with the load
	Begin  = "begin"  // peer: the warm-up is over
	End    = "end"    // peer: report what it took since Begin
	Settle = "settle" // peer: give memory back, then report
)

// Events that a process tells, see [Line].
const (
	Ready      = "ready"      // server: it listens; URL, CA
	Configured = "configured" // server: the peer's sources have their configurations
	Began      = "begin"      // server: the warm-up is over
	Ended      = "end"        // server: the case is over; Result
	Reported   = "report"     // peer: Report
)

// A Line is what a process tells, as one line of JSON on its standard output.
type Line struct {
	Event  string  `json:"event"`
	URL    string  `json:"url,omitempty"`
	CA     string  `json:"ca,omitempty"` // in PEM
	Result *Result `json:"result,omitempty"`
	Report *Report `json:"report,omitempty"`
}

// A Result is what the server has measured, by its clock. Durations are in nanoseconds.
type Result struct {
	Rate        float64       `json:"rate,omitempty"`        // a second: messages, queries, or bytes of answers
	P50         time.Duration `json:"p50,omitempty"`         // of a query's answer
	P99         time.Duration `json:"p99,omitempty"`         // the same
	Configured  time.Duration `json:"configured,omitempty"`  // from the first accept to the last configuration
	Back        time.Duration `json:"back,omitempty"`        // from the server's return to the last configuration
	MostAccepts int           `json:"mostAccepts,omitempty"` // in any one second after that return
}

// A Report is what a peer knows of itself.
type Report struct {
	Seconds    float64 `json:"seconds,omitempty"` // since Begin
	Mallocs    uint64  `json:"mallocs,omitempty"` // since Begin
	Goroutines int     `json:"goroutines,omitempty"`
}

// Control is a process's end of its standard input and output.
type Control struct {
	Words <-chan string // closed at the end of the input

	out io.Writer
}

// NewControl reads words from in until it ends, or ctx does.
func NewControl(ctx context.Context, in io.Reader, out io.Writer) *Control {
	words := make(chan string)
	go func() { // ends with the input, which ends with the process's parent at the latest
		defer close(words)
		for lines := bufio.NewScanner(in); lines.Scan(); {
			select {
			case words <- lines.Text():
			case <-ctx.Done():
				return
			}
		}
	}()
	return &Control{Words: words, out: out}
}

// Say tells something.
func (c *Control) Say(line Line) error {
	text, err := json.Marshal(line)
	if err != nil {
		return err
	}
	_, err = c.out.Write(append(text, '\n'))
	return err
}

// ErrLeft is returned by Await when there is nobody left who could say the word.
var ErrLeft = errors.New("the process that started this one has closed its pipe")

// Await waits for a word.
func (c *Control) Await(word string) error {
	got, ok := <-c.Words
	switch {
	case !ok:
		return ErrLeft
	case got != word:
		return fmt.Errorf("told %q, expected %q", got, word)
	}
	return nil
}
