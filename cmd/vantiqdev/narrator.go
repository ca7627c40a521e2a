package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/vantiq-go/connectorsdk/cmd/vantiqdev/internal/console"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// A narrator tells what happens between the connector and the local Vantiq, in the words of a VAIL author. What is
// routine, like an acknowledgement, it leaves out. It runs on one goroutine, the server's observer.
type narrator struct {
	screen *screen
	width  int // of the longest source name
	after  func(vantiqtest.Event)
	work   *ration // publishes, queries, notifications
	rest   *ration

	opened    map[uint64]time.Time          // links without a session so far
	published map[string]time.Time          // the last PUBLISH to each source that no notification has followed
	rows      map[protocol.ReplyAddress]int // received so far
}

func newNarrator(s *screen, sources []string, after func(vantiqtest.Event)) *narrator {
	n := &narrator{
		screen:    s,
		after:     after,
		opened:    make(map[uint64]time.Time),
		published: make(map[string]time.Time),
		rows:      make(map[protocol.ReplyAddress]int),
	}
	tell := func(held int) { s.say("… and %s", count(held, "more line")) }
	n.work, n.rest = &ration{tell: tell}, &ration{tell: tell}
	for _, source := range sources {
		n.width = max(n.width, len(source))
	}
	return n
}

// observe tells of an event, and passes it on.
func (n *narrator) observe(e vantiqtest.Event) {
	n.tell(e)
	n.after(e)
}

// finish tells what is left to tell when nothing happens any more.
func (n *narrator) finish() {
	n.work.settle()
	n.rest.settle()
}

func (n *narrator) tell(e vantiqtest.Event) {
	switch e.Kind {
	case vantiqtest.PublishSent, vantiqtest.NotificationReceived, vantiqtest.QuerySent, vantiqtest.PartialReceived, vantiqtest.FinalReceived:
		if !n.work.pass() {
			delete(n.rows, e.ReplyAddress)
			return
		}
	case vantiqtest.LinkOpened:
		n.opened[e.Link] = e.Time
	case vantiqtest.Validated, vantiqtest.ConnectAccepted, vantiqtest.StatusSent, vantiqtest.PingReceived: // nothing is told of them
	default:
		if !n.rest.pass() {
			delete(n.opened, e.Link)
			delete(n.rows, e.ReplyAddress)
			return
		}
	}
	switch e.Kind {
	case vantiqtest.LinkClosed:
		delete(n.opened, e.Link)
		n.closed(e)
	case vantiqtest.Configured:
		n.connected(e)
		n.line(fromVantiq, e, "source configuration "+shorten(e.Body))
	case vantiqtest.ReconnectRequired:
		n.line(fromVantiq, e, "reconnect required")

	case vantiqtest.PublishSent:
		n.published[e.Source] = e.Time
		n.line(fromVantiq, e, "PUBLISH "+shorten(e.Body))
	case vantiqtest.NotificationReceived:
		n.notified(e)

	case vantiqtest.QuerySent:
		n.rows[e.ReplyAddress] = 0
		n.line(fromVantiq, e, "SELECT WITH "+shorten(e.Body))
	case vantiqtest.PartialReceived, vantiqtest.FinalReceived:
		n.answered(e)
	case vantiqtest.QueryAbandoned:
		delete(n.rows, e.ReplyAddress)
		n.line(problem, e, "no answer to the SELECT for "+short(e.Duration))

	case vantiqtest.UpgradeRefused:
		if e.Status == http.StatusTemporaryRedirect {
			return // a browser, or a command, on its way to the console
		}
		n.line(problem, e, fmt.Sprintf("somebody called, but did not open a WebSocket: %v", e.Err))
	case vantiqtest.ValidateRejected:
		n.line(problem, e, fmt.Sprintf("the auth token was rejected: %v", e.Err))
	case vantiqtest.ConnectRefused:
		n.line(problem, e, fmt.Sprintf("the connect was refused: %v", e.Err))
	case vantiqtest.ConnectIgnored:
		n.line(problem, e, "the connector tried to connect before it had sent its auth token; that was ignored")
	case vantiqtest.Usurped:
		n.line(problem, e, "another connector with the same reconnect secret takes over")
	case vantiqtest.StrayReceived:
		n.line(problem, e, fmt.Sprintf("an answer came that no query waits for: %v; status %d %s", e.Err, e.Status, shorten(e.Body)))
	case console.Fault:
		n.line(note, e, fmt.Sprintf("fault: %v", e.Err))
	case vantiqtest.TooLargeReceived, vantiqtest.MalformedReceived, vantiqtest.UnexpectedReceived:
		n.line(problem, e, fmt.Sprintf("%s: %v", e.Kind, e.Err))
	case vantiqtest.OddReceived:
		n.line(problem, e, e.Err.Error())
	}
}

// line shows a line about a source; about a link where the source is not known yet. The asides are our own words; the text
// may have some of a stranger's.
func (n *narrator) line(mark string, e vantiqtest.Event, text string, asides ...string) {
	how := cyan
	switch mark {
	case toVantiq:
		how = green
	case problem:
		how = red
	case note:
		how = yellow
	}
	who := e.Source
	if who == "" && e.Link > 0 {
		who = fmt.Sprintf("link %d", e.Link)
	}
	line := harmless(fmt.Sprintf("%-*s  %s", n.width, who, text))
	for _, aside := range asides {
		line += "  " + n.screen.out.paint(dim, "("+aside+")")
	}
	n.screen.show(mark, how, line)
}

func (n *narrator) connected(e vantiqtest.Event) {
	text := "connected again"
	if opened, first := n.opened[e.Link]; first {
		delete(n.opened, e.Link)
		text = "connected, after " + short(e.Time.Sub(opened))
	}
	n.line(toVantiq, e, text)
}

func (n *narrator) closed(e vantiqtest.Event) {
	switch {
	case e.Source == "": // it never had one
	case console.IsProblem(&e):
		n.line(problem, e, fmt.Sprintf("the link was lost: %v", e.Err))
	default:
		n.line(toVantiq, e, "disconnected, in good order")
	}
}

// timelyAnswer is how soon after a PUBLISH a notification probably comes of it.
const timelyAnswer = 2 * time.Second

func (n *narrator) notified(e vantiqtest.Event) {
	text := "notification " + shorten(e.Body)
	if published, ok := n.published[e.Source]; ok {
		delete(n.published, e.Source)
		if after := e.Time.Sub(published); after < timelyAnswer {
			n.line(toVantiq, e, text, short(after)+" after the PUBLISH")
			return
		}
	}
	n.line(toVantiq, e, text)
}

// shownRows is how many rows of an answer are shown.
const shownRows = 5

func (n *narrator) answered(e vantiqtest.Event) {
	if e.Err != nil {
		delete(n.rows, e.ReplyAddress)
		n.line(toVantiq, e, fmt.Sprintf("the SELECT failed: %v", e.Err), "after "+short(e.Duration))
		return
	}
	rows := rowsOf(e)
	before := n.rows[e.ReplyAddress]
	n.rows[e.ReplyAddress] += len(rows)
	text := count(len(rows), "row")
	switch {
	case e.Kind == vantiqtest.PartialReceived:
		text += ", more to come"
	case before > 0:
		text = fmt.Sprintf("%s, %d in all", text, before+len(rows))
	}
	if e.Kind == vantiqtest.FinalReceived {
		delete(n.rows, e.ReplyAddress)
	}
	if len(rows) == 1 {
		n.line(toVantiq, e, text+" "+shorten(rows[0]), "after "+short(e.Duration))
		return
	}
	n.line(toVantiq, e, text, "after "+short(e.Duration))
	for i, row := range rows {
		if i == shownRows {
			n.line(toVantiq, e, fmt.Sprintf("  … and %d more", len(rows)-i))
			break
		}
		n.line(toVantiq, e, "  "+shorten(row))
	}
}

// rowsOf returns the rows of an answer: its body is one row, or a list of them.
func rowsOf(e vantiqtest.Event) (rows []json.RawMessage) {
	if e.Status == protocol.CodeEmpty || len(e.Body) == 0 {
		return nil
	}
	if json.Unmarshal(e.Body, &rows) != nil {
		rows = []json.RawMessage{e.Body}
	}
	return rows
}
