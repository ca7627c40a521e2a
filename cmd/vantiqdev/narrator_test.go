package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/vantiq-go/connectorsdk/cmd/vantiqdev/internal/console"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// told returns what a narrator says to some events.
func told(events ...vantiqtest.Event) string {
	var out bytes.Buffer
	n := newNarrator(newScreen(&out, io.Discard), []string{"A", "Long"}, func(vantiqtest.Event) {})
	for _, e := range events {
		n.observe(e)
	}
	return out.String()
}

func TestNarratorTellsNoMoreThanAPersonReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := newTranscript()
		n := newNarrator(newScreen(out, io.Discard), nil, func(vantiqtest.Event) {})
		flood := func() {
			for range 1000 {
				n.observe(vantiqtest.Event{Kind: vantiqtest.NotificationReceived, Source: "A"})
			}
		}
		flood()
		n.observe(vantiqtest.Event{Kind: vantiqtest.Usurped, Source: "A"}) // not held back by that
		for range 100 {                                                    // as when a connector comes back without a pause
			n.observe(vantiqtest.Event{Kind: vantiqtest.ConnectRefused, Source: "A", Err: errors.New("no")})
		}
		if got := out.String(); strings.Count(got, "notification") != 100 || !strings.Contains(got, "takes over") {
			t.Errorf("told:\n%s", got)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if got := out.String(); !strings.Contains(got, "· … and 900 more lines\n") || !strings.Contains(got, "· … and 1 more line\n") ||
			strings.Count(got, "refused") != 99 {
			t.Errorf("told:\n%s", got)
		}
		flood()
		n.finish()
		if got := out.String(); strings.Count(got, "· … and 900 more lines\n") != 2 {
			t.Errorf("told:\n%s", got)
		}
	})
}

func TestNarrator(t *testing.T) {
	const ms = time.Millisecond
	at := time.Unix(0, 0)
	event := func(kind vantiqtest.Kind, change func(e *vantiqtest.Event)) vantiqtest.Event {
		e := vantiqtest.Event{Time: at, Kind: kind, Link: 3, Source: "A"}
		if change != nil {
			change(&e)
		}
		return e
	}
	body := func(text string) func(e *vantiqtest.Event) {
		return func(e *vantiqtest.Event) { e.Body = json.RawMessage(text) }
	}
	answer := func(kind vantiqtest.Kind, status int, text string) vantiqtest.Event {
		return event(kind, func(e *vantiqtest.Event) {
			e.Status, e.Body, e.Duration = status, json.RawMessage(text), 7*ms
		})
	}
	failed := func(err error) func(e *vantiqtest.Event) {
		return func(e *vantiqtest.Event) { e.Err = err }
	}

	for name, story := range map[string]struct {
		events []vantiqtest.Event
		want   string
	}{
		"routine is left out": {[]vantiqtest.Event{
			event(vantiqtest.LinkOpened, nil), event(vantiqtest.Validated, nil), event(vantiqtest.ConnectAccepted, nil),
			event(vantiqtest.StatusSent, nil), event(vantiqtest.PingReceived, nil),
		}, ""},
		"sessions": {[]vantiqtest.Event{
			event(vantiqtest.LinkOpened, nil),
			event(vantiqtest.Configured, func(e *vantiqtest.Event) { e.Time, e.Body = at.Add(ms), json.RawMessage("{ }") }),
			event(vantiqtest.ReconnectRequired, nil),
			event(vantiqtest.Configured, body(`{"a":1}`)),
			event(vantiqtest.Usurped, nil),
			event(console.Fault, failed(errors.New("RST, from the console"))),
			event(vantiqtest.LinkClosed, failed(io.ErrUnexpectedEOF)),
			event(console.Fault, func(e *vantiqtest.Event) {
				e.Source, e.Link, e.Err = "", 0, errors.New("the local Vantiq is away for 5s, from the console")
			}),
		}, `
→ A     connected, after 1ms
← A     source configuration {}
← A     reconnect required
→ A     connected again
← A     source configuration {"a":1}
! A     another connector with the same reconnect secret takes over
· A     fault: RST, from the console
! A     the link was lost: unexpected EOF
·       fault: the local Vantiq is away for 5s, from the console
`},
		"notifications": {[]vantiqtest.Event{
			event(vantiqtest.NotificationReceived, body(`{"n": 1}`)),
			event(vantiqtest.PublishSent, body(`{"text": "a\nb"}`)),
			event(vantiqtest.NotificationReceived, func(e *vantiqtest.Event) {
				e.Time, e.Body = at.Add(1234567*time.Microsecond), json.RawMessage(`{"n":2}`)
			}),
			event(vantiqtest.NotificationReceived, body(`{"pad":"`+strings.Repeat("é", 300)+`"}`)),
		}, `
→ A     notification {"n":1}
← A     PUBLISH {"text":"a\nb"}
→ A     notification {"n":2}  (1.2s after the PUBLISH)
→ A     notification {"pad":"` + strings.Repeat("é", 192) + `… (610 bytes)
`},
		"rows": {[]vantiqtest.Event{
			event(vantiqtest.QuerySent, body(`{}`)),
			answer(vantiqtest.PartialReceived, 100, `[{"n":1},{"n":2},{"n":3},{"n":4},{"n":5},{"n":6},{"n":7}]`),
			answer(vantiqtest.PartialReceived, 100, `{"n":8}`),
			answer(vantiqtest.FinalReceived, 204, ``),
			event(vantiqtest.QuerySent, body(`{}`)),
			answer(vantiqtest.FinalReceived, 200, `[{"n":1},{"n":2}]`),
			event(vantiqtest.QuerySent, body(`{}`)),
			answer(vantiqtest.FinalReceived, 204, ``),
		}, `
← A     SELECT WITH {}
→ A     7 rows, more to come  (after 7ms)
→ A       {"n":1}
→ A       {"n":2}
→ A       {"n":3}
→ A       {"n":4}
→ A       {"n":5}
→ A       … and 2 more
→ A     1 row, more to come {"n":8}  (after 7ms)
→ A     no rows, 8 in all  (after 7ms)
← A     SELECT WITH {}
→ A     2 rows  (after 7ms)
→ A       {"n":1}
→ A       {"n":2}
← A     SELECT WITH {}
→ A     no rows  (after 7ms)
`},
		"what would command a terminal": {[]vantiqtest.Event{
			event(vantiqtest.UnexpectedReceived, failed(errors.New("operation weird\x1b]0;pwned\a\x1b[2J"))),
			event(vantiqtest.ConnectRefused, func(e *vantiqtest.Event) { e.Source, e.Err = "B\n! A     forged", errors.New("no") }),
			event(vantiqtest.LinkClosed, failed(&websocket.CloseError{Code: 1001, Text: "bye\x1b[41m\nnext"})),
			event(vantiqtest.MalformedReceived, failed(errors.New(strings.Repeat("é", 2000)))),
		}, `
! A     unexpected message: operation weird␛]0;pwned␇␛[2J
! B␊! A     forged  the connect was refused: no
! A     the link was lost: websocket: close 1001 (going away): bye␛[41m␊next
! A     malformed message: ` + strings.Repeat("é", 987) + `…
`},
		"problems": {[]vantiqtest.Event{
			event(vantiqtest.UpgradeRefused, func(e *vantiqtest.Event) { e.Source, e.Err = "", io.EOF }),
			event(vantiqtest.ValidateRejected, func(e *vantiqtest.Event) { e.Source, e.Err = "", errors.New("no") }),
			event(vantiqtest.ConnectIgnored, nil),
			event(vantiqtest.ConnectRefused, failed(errors.New("no"))),
			event(vantiqtest.FinalReceived, failed(protocol.QueryError{Code: "x.y", Template: "bad {0}", Parameters: []any{1}})),
			event(vantiqtest.QueryAbandoned, func(e *vantiqtest.Event) { e.Duration = 30 * time.Second }),
			event(vantiqtest.StrayReceived, func(e *vantiqtest.Event) {
				e.Status, e.Body, e.Err = 200, json.RawMessage(`[]`), errors.New("it has no X-Reply-Address in its headers")
			}),
			event(vantiqtest.MalformedReceived, failed(errors.New("not JSON"))),
			event(vantiqtest.OddReceived, failed(errors.New(`notification for "B" on the link of A`))),
			event(vantiqtest.LinkClosed, func(e *vantiqtest.Event) { e.Err, e.Status = &websocket.CloseError{Code: 1000}, 1000 }),
			event(vantiqtest.LinkClosed, func(e *vantiqtest.Event) { e.Source, e.Err = "", io.EOF }),
		}, `
! link 3  somebody called, but did not open a WebSocket: EOF
! link 3  the auth token was rejected: no
! A     the connector tried to connect before it had sent its auth token; that was ignored
! A     the connect was refused: no
→ A     the SELECT failed: x.y: bad 1  (after 0s)
! A     no answer to the SELECT for 30s
! A     an answer came that no query waits for: it has no X-Reply-Address in its headers; status 200 []
! A     malformed message: not JSON
! A     notification for "B" on the link of A
→ A     disconnected, in good order
`},
	} {
		t.Run(name, func(t *testing.T) {
			if got, want := told(story.events...), strings.TrimPrefix(story.want, "\n"); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestSourceList(t *testing.T) {
	for names, want := range map[string]string{
		"A":           "source A",
		"A B":         "sources A, B",
		"A B C D E F": "sources A, B, C, D, E … (6)",
	} {
		if got := sourceList(strings.Fields(names)); got != want {
			t.Errorf("%s: got %s", names, got)
		}
	}
}
