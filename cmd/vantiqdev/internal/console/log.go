package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// What a log keeps.
const (
	keptEvents = 5_000
	keptBytes  = 32 << 20 // of bodies
)

// A log keeps the latest events. Their numbers grow by one, from where no other process has been: a page that outlives
// vantiqdev must not take the events of the next one for those that it knows.
type log struct {
	events []vantiqtest.Event // a ring: number n is at n % keptEvents
	before uint64             // the number before the first
	last   uint64
	kept   int
	bytes  int
}

func (l *log) add(e vantiqtest.Event) {
	if l.events == nil {
		l.events = make([]vantiqtest.Event, keptEvents)
		l.before = uint64(time.Now().UnixMicro()) // which no events outrun
		l.last = l.before
	}
	for l.kept == keptEvents || l.kept > 0 && l.bytes+sizeOf(e) > keptBytes {
		oldest := l.at(l.last - uint64(l.kept) + 1)
		l.bytes -= sizeOf(*oldest)
		*oldest = vantiqtest.Event{}
		l.kept--
	}
	l.last++
	*l.at(l.last) = e
	l.kept++
	l.bytes += sizeOf(e)
}

// sizeOf returns about how much an event keeps: its error may have been a body.
func sizeOf(e vantiqtest.Event) int {
	size := len(e.Body)
	if e.Err != nil {
		size += len(e.Err.Error())
	}
	return size
}

func (l *log) at(n uint64) *vantiqtest.Event { return &l.events[n%keptEvents] }

func (l *log) after(n uint64, limit int) (events []event, skipped, last uint64) {
	stranger := n < l.before || n > l.last
	if stranger {
		n = l.before
	}
	wanted := l.last - n
	given := min(wanted, uint64(l.kept), uint64(limit))
	for n := l.last - given + 1; n <= l.last; n++ {
		events = append(events, show(n, l.at(n), shownBytes))
	}
	if stranger {
		return events, 0, l.last // it asks for what is there, and has missed nothing
	}
	return events, wanted - given, l.last
}

func (l *log) find(n uint64) (event, bool) {
	if n > l.last || n+uint64(l.kept) <= l.last {
		return event{}, false
	}
	return show(n, l.at(n), keptBytes), true
}

// An event is a [vantiqtest.Event] for the page.
type event struct {
	Number   uint64          `json:"n"`
	Time     int64           `json:"time"` // in ms since 1970
	Source   string          `json:"source,omitempty"`
	Link     uint64          `json:"link,omitempty"`
	Kind     vantiqtest.Kind `json:"kind"`
	Address  string          `json:"address,omitempty"`
	Status   int             `json:"status,omitempty"`
	Body     string          `json:"body,omitempty"`
	Bytes    int             `json:"bytes,omitempty"` // of the whole body
	Duration float64         `json:"ms,omitempty"`
	Error    string          `json:"error,omitempty"`
	Problem  bool            `json:"problem,omitempty"`
}

// shownBytes is how much of a body, and of any other text, a stream of events holds.
const shownBytes = 2_000

func show(n uint64, e *vantiqtest.Event, bytes int) event {
	shown := event{
		Number:   n,
		Time:     e.Time.UnixMilli(),
		Source:   string(cut([]byte(e.Source), shownBytes)),
		Link:     e.Link,
		Kind:     e.Kind,
		Address:  string(cut([]byte(e.ReplyAddress), shownBytes)),
		Status:   e.Status,
		Body:     string(cut(e.Body, bytes)),
		Bytes:    len(e.Body),
		Duration: milliseconds(e.Duration),
		Problem:  IsProblem(e),
	}
	if e.Err != nil {
		shown.Error = string(cut([]byte(reason(e)), bytes))
	}
	if e.Kind == vantiqtest.MalformedReceived {
		shown.Body, shown.Bytes = escape(e.Body), 0 // the event has only how it begins
	}
	return shown
}

// reason is the error of an event, in words for people.
func reason(e *vantiqtest.Event) string {
	if e.Kind != vantiqtest.QueryAbandoned {
		return e.Err.Error()
	}
	after := e.Duration.Round(time.Millisecond)
	if after >= time.Second {
		after = after.Round(100 * time.Millisecond)
	}
	switch {
	case errors.Is(e.Err, context.DeadlineExceeded):
		return fmt.Sprintf("to the SELECT for %s", after)
	case errors.Is(e.Err, context.Canceled):
		return fmt.Sprintf("to the SELECT until it was given up after %s", after)
	}
	return e.Err.Error()
}

// escape returns a text with backslashes for what cannot be seen, unless it is JSON.
func escape(text []byte) string {
	if json.Valid(text) {
		return string(text)
	}
	quoted := strconv.Quote(string(text))
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}

// cut returns the beginning of a text, of whole characters.
func cut(text []byte, bytes int) []byte {
	if len(text) <= bytes {
		return text
	}
	for bytes > 0 && !utf8.RuneStart(text[bytes]) {
		bytes--
	}
	return text[:bytes]
}
