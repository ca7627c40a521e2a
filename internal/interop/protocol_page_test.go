package interop_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// A shown message is one of docs/protocol.md.
type shown struct {
	byConnector bool
	text        string
	message     protocol.Message
}

func protocolPage(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.FromSlash("../../docs/protocol.md"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(text), "\r\n", "\n")
}

// shownMessages returns all messages of the page, in their order. An arrow before each says whose it is.
func shownMessages(t *testing.T) (all []shown) {
	t.Helper()
	before := ""
	for _, paragraph := range strings.Split(protocolPage(t), "\n\n") {
		if text, ok := strings.CutPrefix(paragraph, "```json\n"); ok {
			text = strings.TrimSuffix(text, "\n```")
			message, err := new(protocol.Decoder).Decode([]byte(text))
			if err != nil {
				t.Fatalf("%v in %s", err, text)
			}
			if !strings.HasPrefix(before, "→ ") && !strings.HasPrefix(before, "← ") {
				t.Fatalf("no arrow says who sends %s", text)
			}
			all = append(all, shown{strings.HasPrefix(before, "→"), text, message})
		}
		before = paragraph
	}
	return all
}

// TestProtocolPageIsWhatIsSaid plays the page from top to bottom. What it shows of a connector is sent to the local Vantiq, which
// must take it and find nothing odd, and what it shows of Vantiq must be what that says.
func TestProtocolPageIsWhatIsSaid(t *testing.T) {
	all := shownMessages(t)
	r := &reading{t: t, vantiq: newDirect(t, nil), seen: map[string]bool{}}
	for _, s := range all {
		if m, ok := s.message.(*protocol.ConfigureExtension); ok {
			r.vantiq.source.Reconfigure(m.Config)
		}
	}
	r.ws = r.dial()
	for _, s := range all {
		if s.byConnector {
			r.say(s)
		} else {
			r.hear(s)
		}
	}
	for _, want := range []string{"validate", "connectExtension", "configureExtension", "publish", "notification", "query", "reconnectRequired",
		"→ 100", "→ 200", "→ 204", "→ 400", "← 200", "← 401", "← 404", "← 500"} {
		if !r.seen[want] {
			t.Errorf("the page shows no %s", want)
		}
	}
}

// A reading is a connector that says what the page says.
type reading struct {
	t      *testing.T
	vantiq *direct
	ws     *websocket.Conn
	seen   map[string]bool // operations, and statuses with an arrow

	said    string          // the last operation
	query   *protocol.Query // as the page has it
	address string          // of the query that waits, or ""
	rows    []string        // of its answers so far
	answers chan queried    // of the query that waits
}

type queried struct {
	rows []string
	err  error
}

func (r *reading) dial() *websocket.Conn {
	r.t.Helper()
	ws, _, err := websocket.DefaultDialer.DialContext(within(r.t), endpoint(r.vantiq.server.URL()), nil)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = ws.Close() })
	return ws
}

func (r *reading) send(ws *websocket.Conn, text string) {
	r.t.Helper()
	if err := ws.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		r.t.Fatal(err)
	}
}

func (r *reading) receive(ws *websocket.Conn) string {
	r.t.Helper()
	kind, text, err := ws.ReadMessage()
	if err != nil || kind != websocket.BinaryMessage {
		r.t.Fatalf("received a message of kind %d: %v", kind, err)
	}
	return string(text)
}

// ask has Vantiq send the page's query.
func (r *reading) ask() (text string) {
	r.t.Helper()
	r.answers, r.rows = make(chan queried, 1), nil
	go func(answers chan<- queried, parameters string) {
		rows, err := r.vantiq.Query(parameters)
		answers <- queried{rows, err}
	}(r.answers, r.query.Parameters.String())
	text = r.receive(r.ws)
	r.address = uuid.FindString(text)
	return text
}

// say says what the connector says on the page.
func (r *reading) say(s shown) {
	r.t.Helper()
	answer, ok := s.message.(*protocol.Response)
	if !ok {
		r.said = s.text
		r.seen[operation(r.t, s.text)] = true
		r.send(r.ws, s.text)
		return
	}
	r.seen[fmt.Sprintf("→ %d", answer.Status)] = true
	if r.address == "" { // another way to answer
		_ = r.ask()
	}
	r.send(r.ws, strings.ReplaceAll(s.text, string(r.query.ReplyAddress), r.address))
	var rows []json.RawMessage
	_ = json.Unmarshal(answer.Body, &rows)
	for _, row := range rows {
		r.rows = append(r.rows, string(row))
	}
	if answer.Partial() {
		return
	}
	got := <-r.answers
	r.address = ""
	var failed *failure
	switch e, _ := protocol.ParseQueryError(answer.Body); {
	case errors.As(got.err, &failed) && failed.Code == e.Code && failed.Message == e.Message() && answer.Status >= 300:
	case got.err != nil || !slices.Equal(got.rows, r.rows):
		r.t.Errorf("%s\nended the query with %v, %v; want %v", s.text, got.rows, got.err, r.rows)
	}
}

// hear has Vantiq say what it says on the page, and compares.
func (r *reading) hear(s shown) {
	r.t.Helper()
	ws, said := r.ws, ""
	switch m := s.message.(type) {
	case *protocol.Publish:
		if err := r.vantiq.Publish(m.Message.String()); err != nil {
			r.t.Fatal(err)
		}
	case *protocol.Query:
		r.query = m
		said = r.ask()
	case *protocol.ReconnectRequired:
		r.vantiq.RequireReconnect()
	case *protocol.Response:
		r.seen[fmt.Sprintf("← %d", m.Status)] = true
		switch m.Status {
		case 401:
			r.vantiq.server.SetTokens("another")
			ws = r.dial()
			r.send(ws, r.said)
		case 404:
			r.vantiq.source.Reactivating(1)
			r.send(ws, r.said)
		case 500:
			if err := ws.WriteMessage(websocket.BinaryMessage, make([]byte, 369122)); err != nil {
				r.t.Fatal(err)
			}
		}
	}
	if said == "" {
		said = r.receive(ws)
	}
	if m, ok := s.message.(*protocol.Response); !ok {
		r.seen[operation(r.t, said)] = true
	} else if m.Status == 401 {
		r.vantiq.server.SetTokens("local-token")
	}
	want(r.t, uuid.ReplaceAllString(s.text, "UUID"), uuid.ReplaceAllString(said, "UUID"))
}

func operation(t *testing.T, text string) string {
	t.Helper()
	var message struct{ Op string }
	if err := json.Unmarshal([]byte(text), &message); err != nil {
		t.Fatal(err)
	}
	return message.Op
}

// TestPythonOfTheProtocolPage runs the page's program as a reader would, with the server.config of "vantiqdev serve".
func TestPythonOfTheProtocolPage(t *testing.T) {
	interpreter := python(t)
	_, program, _ := strings.Cut(protocolPage(t), "\n```python\n")
	program, _, _ = strings.Cut(program, "\n```\n")
	vantiq := startServe(t, buildVantiqdev(t))
	script := filepath.Join(vantiq.directory, "connector.py")
	if err := os.WriteFile(script, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	connector := startPython(t, interpreter, script, vantiq.directory)
	for session, begin := range []func(){
		func() {},
		vantiq.RequireReconnect,
		func() { vantiq.Reactivate(3) },
		func() { vantiq.Reconfigure(`{"new":true}`) },
		func() { vantiq.Drop(1012) },
		func() { vantiq.Drop(vantiqtest.RST) },
		vantiq.Outage,
	} {
		begin()
		vantiq.WaitSession(session + 1)
		if err := vantiq.Publish(firstConfig); err != nil {
			t.Fatal(err)
		}
		want(t, vantiq.Notification(), firstConfig)
		for count := range 4 {
			wantRows(t, vantiq, fmt.Sprintf(`{"count":%d}`, count), count)
		}
		var failed *failure
		if _, err := vantiq.Query(`{"count":"{1}"}`); !errors.As(err, &failed) || failed.Code != "python.failed" ||
			failed.Message != "there are no rows: 'str' object cannot be interpreted as an integer" {
			t.Errorf("a query for no number of rows failed with %v", err)
		}
	}
	if state := vantiq.state(); state.Sessions != 7 {
		t.Errorf("the console says %+v, want 7 sessions", state)
	}
	if said := connector.output.String(); strings.Count(said, "connected: ") != 7 || strings.Count(said, "refused: ") != 3 ||
		!strings.Contains(said, `connected: {'new': True}`) || strings.Contains(said, "error: ") {
		t.Error("it has not said what happened")
	}
	intruder := startPython(t, interpreter, script, connectorDirectory(t, vantiq.url, "guess", ""))
	if err := intruder.wait(); err == nil || !strings.Contains(intruder.output.String(), "the token was rejected: 401") {
		t.Errorf("with a wrong token it ended with %v", err)
	}
}
