package browser_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestShowsWhoConnectsAndGoes(t *testing.T) {
	s := startServe(t, "EchoSource", "Orders")
	p := open(t, s, wide)
	p.shows("#server-url", s.url)
	p.shows("#how-config", "targetServer="+s.url)
	p.until("no source is connected", `$$(".source").length === 2 && $$(".source.connected").length === 0`)

	connector := connect(t, s, "EchoSource")
	p.until("it is, from where, and with which SDK", `/connected \d+ s/.test(told("EchoSource")) && /Go 127\.0\.0\.1:\d+/.test(told("EchoSource"))`)
	p.until("the other one is not", `told("Orders").includes("not connected")`)
	p.until("nobody needs to be told how to connect", `$("#how-to-connect").hidden`)
	p.until("the way it went is shown", `["link opened", "token accepted", "connected", "configuration"].every((label) => labels().includes(label))`)

	connector.stop()
	p.until("it has gone", `told("EchoSource").includes("not connected") && labels().includes("link closed")`)
	if text := value[string](p, `document.documentElement.outerHTML`); strings.Contains(text, token) {
		t.Error("the page shows the auth token")
	}
}

func TestFormsBeginWithTheSamples(t *testing.T) {
	s := startServe(t, "EchoSource")
	const samples = `{"publish": {"address": "127.0.0.1:9", "n": 9007199254740993}, "query": {"limit": 3}}`
	if err := os.WriteFile(filepath.Join(s.process.Dir, "vantiqdev.json"), []byte(samples), 0o600); err != nil {
		t.Fatal(err)
	}
	for !strings.Contains(s.state(), "127.0.0.1:9") { // until it has read them
		if t.Context().Err() != nil {
			t.Fatal("it does not read its file")
		}
	}
	p := open(t, s, wide)
	p.until("they stand in the forms", `$("#publish-text").value === '{"address": "127.0.0.1:9", "n": 9007199254740993}' && `+
		`$("#select-text").value === '{"limit": 3}'`)
}

func TestPublishes(t *testing.T) {
	s := startServe(t, "EchoSource")
	p := open(t, s, wide)
	p.write("#publish-text", `{"text": "to nobody"}`)
	p.click("#publish-form .primary")
	p.shows("#publish-form .outcome", "com.accessg2.ag2rs.streams.source.not_found")

	connect(t, s, "EchoSource")
	p.until("it is connected", `source("EchoSource").matches(".connected")`)
	p.write("#publish-text", `{"text": "hello", "n": 9007199254740993}`)
	p.click("#publish-form .primary")
	p.shows("#publish-form .outcome", "Published")
	p.until("message, notification and status are there", `["PUBLISH", "notification"].every((label) => rows().some((row) => row.label === label && row.body.includes("9007199254740993"))) && labels().includes("status 200")`)
	p.until("and counted", `told("EchoSource").includes("1 published 1 notification")`)
	p.until("in the plot as well", `$$(".plot").length === 4 && $$(".plot canvas").every((canvas) => canvas.width > 100)`)
}

func TestSelects(t *testing.T) {
	s := startServe(t, "EchoSource", "Orders")
	connect(t, s, "EchoSource")
	p := open(t, s, wide)
	p.until("it is connected", `source("EchoSource").matches(".connected")`)

	p.write("#select-text", `{"partials": 2, "rows": 3}`)
	p.click("#select-form .primary")
	p.shows("#select-form .outcome", "5 rows")
	p.until("the rows are a table", `$$("#result th").map((th) => th.textContent).join() === "id,name,price" && $$("#result tbody tr").length === 5`)
	p.until("its cells are the rows' members", `$$("#result tbody tr:last-child td").map((td) => td.textContent).join() === "3,nnn,3"`)
	p.until("query, partials and answer are there, in order", `labels().filter((label) => /SELECT|partial|answer/.test(label)).join() === "SELECT,partial 1,partial 2,answer"`)
	p.until("they share a mark, and the answer says how long it took", `new Set(rows().filter((row) => row.mark).map((row) => row.mark)).size === 1 && / (ms|s)$/.test(rows().find((row) => row.label === "answer").took)`)

	value[bool](p, `($$("#rows li.query .line").at(-1).focus(), true)`)
	p.until("who looks at one sees all of its query", `$$("#rows li.related").length === 4`)

	p.write("#select-text", `{"fail": "no table {0}"}`)
	p.click("#select-form .primary")
	p.shows("#select-form .outcome", `no table first com.example.failed ["first",2]`)
	p.write("#select-text", `{"fail": "{0}, and {1}"}`)
	p.click("#select-form .primary")
	p.until("parameters that the message has are not said again", `$("#select-form .outcome").textContent === "first, and 2 com.example.failed"`)
	p.until("the error is a problem in the traffic as well", `rows().some((row) => row.label === "error answer" && row.wrong && row.body.includes("no table first"))`)

	p.write("#select-text", `{"hang": true}`)
	p.click("#select-form .primary")
	p.until("one may give up", `!$("#select-form .cancel").hidden && $("#select-form .primary").disabled`)
	p.clickOn(`source("Orders")`)
	p.until("or ask another source meanwhile", `$("#select-form .cancel").hidden && !$("#select-form .primary").disabled`)
	p.clickOn(`source("EchoSource")`)
	p.clickOn(`$("#select-form .cancel")`)
	p.shows("#select-form .outcome", "Given up")
	p.until("that shows", `labels().includes("no answer")`)
}

func TestAnswersStayWithTheirSource(t *testing.T) {
	s := startServe(t, "EchoSource", "Orders")
	connect(t, s, "EchoSource", "Orders")
	p := open(t, s, wide)
	p.until("both are connected", `$$(".source.connected").length === 2`)
	p.write("#select-text", `{"rows": 3}`)
	p.press(enter, ctrl)
	p.shows("#select-form .outcome", "3 rows")
	p.clickOn(`source("Orders")`)
	p.until("the other source has no answer yet", `$("#result").hidden && $("#select-form .outcome").textContent === ""`)
	p.write("#select-text", `{"after": 300, "fail": "no luck"}`)
	p.press(enter, ctrl)
	p.clickOn(`source("EchoSource")`)
	p.until("the answer is still there", `$("#select-form .outcome").textContent.includes("3 rows") && $$("#result tbody tr").length === 3 && !$("#result").hidden`)
	p.click("#all-sources")
	p.until("the other one has come meanwhile", `labels().includes("error answer")`)
	p.clickOn(`source("Orders")`)
	p.until("and was not lost", `$("#select-form .outcome.error").textContent.includes("no luck") && $("#result").hidden`)

	p.load("answers.js")
	kept := value[string](p, `(() => {
		const answers = new module.Answers();
		for (let i = 0; i < 30; i++) answers.keep("S" + i, { text: "rows.", rows: [i], size: 3_000_000 });
		return [...Array(30).keys()].map((i) => answers.of("S" + i)).map(({ text, rows }) => (rows ? "+" : text ? "-" : ".")).join("");
	})()`)
	if want := strings.Repeat(".", 10) + strings.Repeat("-", 18) + "++"; kept != want {
		t.Errorf("of 30 answers the page keeps %s, not %s", kept, want)
	}
}

func TestHangingRequestsLeaveRoomForOthers(t *testing.T) {
	names := []string{"A", "B", "C", "D"}
	s := startServe(t, names...)
	connect(t, s, names...)
	p := open(t, s, wide)
	p.until("all are connected", `$$(".source.connected").length === 4`)
	for _, name := range names[:3] {
		p.clickOn(`source(` + quote(name) + `)`)
		p.write("#select-text", `{"hang": true}`)
		p.press(enter, ctrl)
		p.shows("#select-form .outcome", "Waiting")
	}

	p.clickOn(`fault("Stall").querySelector("button")`)
	p.until("C stalls", `fault("Stall").matches(".active")`)
	if status := s.send(http.MethodPost, "/api/sources/C/publish", `{"text": "`+strings.Repeat("x", 10<<20)+`"}`); status != http.StatusNoContent {
		t.Fatalf("status %d", status)
	}
	p.write("#publish-text", `{"n": 1}`)
	p.press(enter, ctrl)
	p.until("a message waits for room on the link", `!$("#publish-form .cancel").hidden`)

	p.clickOn(`source("D")`)
	p.write("#select-text", `{"rows": 1}`)
	p.press(enter, ctrl)
	p.shows("#select-form .outcome", "Three queries wait already, of A, B, C: give one up first.")
	p.press("m")
	p.write("#publish-text", `{"n": 2}`)
	p.press(enter, ctrl)
	p.shows("#publish-form .outcome", "A message waits already, for C: give it up first.")
	p.clickOn(`fault("FIN").querySelector("button")`)
	p.until("faults get through", `$("#fault-outcome").textContent.includes("FIN: done") && told("D").includes("1 reconnect")`)

	p.clickOn(`source("C")`)
	p.clickOn(`$("#publish-form .cancel")`)
	p.shows("#publish-form .outcome", "Given up")
	p.clickOn(`$("#select-form .cancel")`)
	p.shows("#select-form .outcome", "Given up")
	p.clickOn(`source("D")`)
	p.write("#publish-text", `{"n": 2}`)
	p.press(enter, ctrl)
	p.shows("#publish-form .outcome", "Published")
	p.write("#select-text", `{"rows": 1}`)
	p.press(enter, ctrl)
	p.shows("#select-form .outcome", "1 row")
}

func TestHistoryIsKeptPerSource(t *testing.T) {
	s := startServe(t, "EchoSource", "Orders")
	connect(t, s, "EchoSource", "Orders")
	p := open(t, s, wide)
	p.until("both are connected", `$$(".source.connected").length === 2`)
	for _, text := range []string{`{"n": 1}`, `{"n": 2}`} {
		p.write("#publish-text", text)
		p.press("\r", ctrl)
		p.until("it was published", `rows().some((row) => row.label === "PUBLISH" && row.body === `+quote(text)+`)`)
	}
	p.write("#publish-text", `{"draft": true}`)
	p.press(arrowUp+arrowUp, alt)
	p.until("the first is back", `$("#publish-text").value === '{"n": 1}'`)
	p.press(arrowDown+arrowDown, alt)
	p.until("what was being written is back", `$("#publish-text").value === '{"draft": true}'`)
	p.press(arrowUp, alt)
	p.write("#publish-text", `{"n": 2, "changed": true}`)
	p.press(arrowDown, alt)
	p.until("also after a change to an earlier one", `$("#publish-text").value === '{"draft": true}'`)
	p.press(arrowUp, alt)
	p.until("and the change as well", `$("#publish-text").value === '{"n": 2, "changed": true}'`)
	p.press(arrowDown, alt)

	p.clickOn(`source("Orders")`)
	p.until("the other source has none", `$("#publish-form .history").disabled && $("#publish-text").value !== '{"draft": true}'`)
	p.clickOn(`source("EchoSource")`)
	p.until("draft and history have stayed", `$("#publish-form .history").length === 3 && $("#publish-text").value === '{"draft": true}'`)
	p.reload()
	p.until("the history outlives the page", `$("#publish-form .history").length === 3`)
}

func TestMistakesInJSONAreSaidWhileTyping(t *testing.T) {
	s := startServe(t, "EchoSource")
	p := open(t, s, wide)
	for text, want := range map[string]string{
		"{\n  \"a\": 1\n  \"b\": 2\n}":      "Line 3, column 3: a comma or } is missing here",
		`{"a": 'x'}`:                        `Line 1, column 7: texts are written in "double quotes"`,
		`{"a": 1,}`:                         "Line 1, column 8: the comma before } is one too many",
		`{"ü": "x}`:                         "Line 1, column 7: the text that begins here has no closing quote",
		`[1, 2]`:                            "Line 1, column 1: it must be an object, in { and }",
		`{a: 1}`:                            `Line 1, column 2: the name of a member is written in "double quotes"`,
		`{"a" 1}`:                           `Line 1, column 6: a colon is missing after "a"`,
		`{"a": 01}`:                         "Line 1, column 7: 01 is not a number as JSON writes them",
		`{"a": tru}`:                        "Line 1, column 7: tru is not a value; true is",
		`{"a": False}`:                      "Line 1, column 7: False is not a value; false is",
		`{"a": yes}`:                        `Line 1, column 7: yes is not a value; texts are written in "double quotes"`,
		"{\"a\":\u00a01}":                   "Line 1, column 6: a no-break space (U+00A0) stands here; JSON knows only plain ones",
		"{\"a\": 1\u00a0}":                  "Line 1, column 8: a no-break space (U+00A0) stands here",
		"\ufeff{}":                          "Line 1, column 1: a byte order mark, an invisible space (U+FEFF) stands here",
		"{\u2003\"a\": 1}":                  "Line 1, column 2: a special space (U+2003) stands here",
		`{"a": "\u12"}`:                     `Line 1, column 8: \u needs four hexadecimal digits`,
		`{"b": 1, "b": 2}`:                  `Line 1, column 10: "b" is there twice`,
		`{"a": [{"b": {}, "\u0062": 2}]}`:   `Line 1, column 18: "\u0062" is there twice`,
		`{"a": [1, 1, {"a": 1}, {"a": 1}]}`: "",
		`{"a": "\x"}`:                       `Line 1, column 8: \x means nothing here; a backslash is written \\`,
		`{"a": [1, 2}`:                      "Line 1, column 12: a comma or ] is missing here",
		`{"a": {`:                           "Line 1, column 7: the { that begins here is never closed",
		`{"a": 1} x`:                        "Line 1, column 10: there is something behind the end",
		strings.Repeat(`{"a":`, 300):        "it is nested more than 200 deep",
		"{\"a\": 1 /* one */}":              "a comma or } is missing here",
		`{"a": }`:                           "Line 1, column 7: a value is missing before }",
		"{\"a\": \"\t\"}":                   "a control character must be written as \\u and four digits",
		`{"n": 1e999, "m": -0.5E+3, "t": "\u00e9"}`: "",
	} {
		p.write("#publish-text", text)
		if want == "" {
			p.until("it is right: "+text, `!$("#publish-form .primary").disabled && $("#publish-problem").textContent === "" && $("#publish-text").getAttribute("aria-invalid") === "false"`)
			continue
		}
		p.shows("#publish-problem", want)
		if !value[bool](p, `$("#publish-form .primary").disabled && $("#publish-text").getAttribute("aria-invalid") === "true"`) {
			t.Errorf("%s may be published", text)
		}
	}
	p.write("#select-text", " ")
	p.until("a query needs no parameters", `!$("#select-form .primary").disabled`)
	p.write("#publish-text", `{"a":{"b":[1,2.50,{}],"long":"`+strings.Repeat("x", 60)+`"}}`)
	p.click("#publish-form .format")
	p.until("Format lays it out, numbers as they were written", `$("#publish-text").value === '{\n  "a": {\n    "b": [1, 2.50, {}],\n    "long": "'+"x".repeat(60)+'"\n  }\n}'`)
}
