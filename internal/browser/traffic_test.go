package browser_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

const (
	arrowUp   = kb.ArrowUp
	arrowDown = kb.ArrowDown
	escape    = kb.Escape
	enter     = kb.Enter
	ctrl      = chromedp.ModifierCtrl
	alt       = chromedp.ModifierAlt
)

// publish publishes through the page's form, and waits for the notification that comes back.
func (p *page) publish(text string) {
	p.t.Helper()
	p.write("#publish-text", text)
	p.press(enter, ctrl)
	p.shows("#publish-form .outcome", "Published")
}

func TestFilters(t *testing.T) {
	s := startServe(t, "EchoSource", "Orders")
	connect(t, s, "EchoSource", "Orders")
	p := open(t, s, wide)
	p.until("both are connected", `$$(".source.connected").length === 2`)
	p.publish(`{"text": "apples"}`)
	p.publish(`{"text": "pears"}`)
	p.write("#select-text", `{"rows": 1}`)
	p.press(enter, ctrl)
	p.shows("#select-form .outcome", "1 row")
	p.until("all is there", `rows().filter((row) => row.label === "notification").length === 2 && labels().includes("answer")`)

	p.write("#filter", "pears")
	p.until("only what has the word", `labels().join() === "PUBLISH,notification"`)
	p.write("#filter", "PEARS notific")
	p.until("all words, whatever their case", `labels().join() === "notification"`)
	p.write("#filter", "-status -link -connected -token -configuration -answer -select -apples")
	p.until("none of the words", `labels().join() === "PUBLISH,notification"`)
	p.write("#filter", "no such thing")
	p.shows("#rows-empty", "Nothing that came passes the filter")
	p.write("#filter", "")

	p.click(".kind.query")
	p.until("only queries", `labels().join() === "SELECT,answer"`)
	p.click(".kind.notification")
	p.until("and notifications", `labels().join() === "notification,notification,SELECT,answer"`)
	p.click(".kind.query")
	p.click(".kind.notification")
	p.until("all again", `labels().includes("status 200")`)

	p.clickOn(`source("Orders")`)
	p.until("the other source only connected", `labels().includes("configuration") && !labels().includes("PUBLISH")`)
	p.click("#all-sources")
	p.until("now of both, each with its name", `new Set(rows().map((row) => row.source)).has("EchoSource") && rows().some((row) => row.source === "Orders")`)
}

func TestPauses(t *testing.T) {
	s := startServe(t, "EchoSource")
	connect(t, s, "EchoSource")
	p := open(t, s, wide)
	p.until("it is connected", `source("EchoSource").matches(".connected")`)
	p.publish(`{"n": 1}`)
	p.until("it is there", `labels().includes("status 200")`)
	p.click("#pause")
	before := value[int](p, `rows().length`)
	p.publish(`{"n": 2}`)
	p.shows("#newer", "3 newer")
	p.write("#filter", "publish")
	p.shows("#newer", "1 newer")
	p.write("#filter", "")
	p.shows("#newer", "3 newer")
	if after := value[int](p, `rows().length`); after != before {
		t.Errorf("%d rows before, %d in the pause", before, after)
	}
	p.click("#newer")
	p.until("the view follows again", fmt.Sprintf(`rows().length === %d && $("#newer").hidden && $("#pause").getAttribute("aria-pressed") === "false"`, before+3))

	// Who scrolls up reads; who comes back to the end follows.
	for i := range 20 {
		p.publish(fmt.Sprintf(`{"n": %d}`, i+3))
	}
	p.until("there is something to scroll, and the end is in view", `$("#rows").scrollHeight > $("#rows").clientHeight + 100 && rows().at(-3).body.includes("22") && $("#rows").scrollTop + $("#rows").clientHeight > $("#rows").scrollHeight - 4`)
	value[int](p, `$("#rows").scrollTop = 0`)
	p.until("it does not follow", `$("#pause").getAttribute("aria-pressed") === "true"`)
	value[int](p, `$("#rows").scrollTop = $("#rows").scrollHeight`)
	p.until("it follows", `$("#pause").getAttribute("aria-pressed") === "false"`)
	p.click("#clear")
	p.until("nothing is left", `rows().length === 0 && $("#counts").textContent === "0 messages"`)
}

func TestWhatIsLeftOutIsSaidWhereItIsMissing(t *testing.T) {
	s := startServe(t, "EchoSource")
	set := connect(t, s, "EchoSource")
	p := open(t, s, wide)
	p.until("it is connected", `source("EchoSource").matches(".connected")`)
	p.write("#select-text", `{"partials": 2, "rows": 1, "after": 2500}`)
	p.press(enter, ctrl)
	p.publish(`{"text": "before"}`)
	p.until("both are there", `labels().includes("SELECT") && labels().includes("status 200")`)

	p.hide(true)
	connection, _ := set.Connection("EchoSource")
	for n := range 600 { // with a status each, more than the page is told of
		if err := connection.SendNotification(t.Context(), map[string]int{"n": n}); err != nil {
			t.Fatal(err)
		}
	}
	value[bool](p, `(globalThis.asking = setInterval(async () => {
		const { sources } = await (await fetch("/api/state")).json();
		globalThis.allCame = sources[0].totals.notifications === 601;
	}, 50), true)`)
	p.until("all have come", `globalThis.allCame`)
	value[bool](p, `(clearInterval(asking), true)`)
	p.hide(false)
	p.click(".kind.notification")
	p.until("the gap is between what was before and what came last", `(() => {
		const all = $$("#rows > li");
		const gap = all.findIndex((li) => li.matches(".gap"));
		return gap === 1 && all[0].textContent.includes("before") && all.at(-1).textContent.includes('{"n":599}') && /^[\d,]+ left out$/.test(all[gap].textContent);
	})()`)
	p.click(".kind.notification")
	p.shows("#select-form .outcome", "3 rows")
	p.until("partial answers may be missing, and are not counted", `labels().filter((label) => label.startsWith("partial")).join() === "partial,partial" && rows().find((row) => row.label === "answer").body.startsWith("after partials")`)
	p.load("queries.js")
	if value[bool](p, `(() => { const event = {kind: "partial received", address: "of a query that was not seen"}; module.relate(event); return event.certain })()`) {
		t.Error("partial answers are counted although the first may be missing")
	}
}

func TestLongErrorsAreShortened(t *testing.T) {
	s := startServe(t, "EchoSource")
	connect(t, s, "EchoSource")
	p := open(t, s, wide)
	p.until("it is connected", `source("EchoSource").matches(".connected")`)
	p.write("#select-text", `{"fail": "`+strings.Repeat("trace ", 1000)+`"}`)
	p.press(enter, ctrl)
	p.until("no more of it than fits", `(() => { const row = rows().find((row) => row.label === "error answer"); return row && row.body.length > 300 && row.body.length <= 400 })()`)
	p.load("filter.js")
	if value[bool](p, `module.matcher({source: "", kinds: new Set(), words: "end"})({kind: "final received", error: "x".repeat(1e6) + "end"})`) {
		t.Error("the filter goes through all of an error, however long it is")
	}
}

func TestOpensAWholeMessage(t *testing.T) {
	s := startServe(t, "EchoSource")
	connect(t, s, "EchoSource")
	p := open(t, s, wide)
	p.until("it is connected", `source("EchoSource").matches(".connected")`)
	long := strings.Repeat("long ", 2000) + "end"
	p.publish(`{"first": 9007199254740993, "text": "` + long + `"}`)
	p.until("it is cut", `rows().some((row) => row.label === "PUBLISH" && row.body.length <= 400)`)
	p.clickOn(`$$("#rows li.publish .line").at(-1)`)
	p.until("it is whole, and laid out", `/^\{\n  "first": 9007199254740993,\n  "text": "long .* end"\n\}$/.test($(".whole pre").textContent)`)
	p.until("and the view stands", `$("#pause").getAttribute("aria-pressed") === "true"`)
	p.clickOn(`$("[data-use=publish]")`)
	p.until("it can be changed and sent again", `$("#publish-text").value.endsWith('end"\n}') && document.activeElement.id === "publish-text"`)
	p.clickOn(`$$("#rows li.publish .line").at(-1)`)
	p.until("it is closed", `!$(".whole")`)
}

func TestWhatTriesToBeHTMLStaysText(t *testing.T) {
	const evil = `<img><script>document.write(1)</script><b onclick>`
	s := startServe(t, "EchoSource", evil+`={"c": "`+evil+`"}`)
	connect(t, s, "EchoSource", evil)
	p := open(t, s, wide)
	p.until("both are connected", `$$(".source.connected").length === 2`)
	p.clickOn(`source(` + quote(evil) + `)`)
	p.publish(`{"` + evil + `": "` + evil + `"}`)
	p.write("#select-text", `{"fail": "`+evil+`", "rows": 1}`)
	p.press(enter, ctrl)
	p.shows("#select-form .outcome", evil)
	p.click("#all-sources")
	p.until("message, notification and source are there", `rows().filter((row) => row.body.includes(`+quote(evil)+`) && row.source === `+quote(evil)+`).length >= 3`)
	p.clickOn(`$$("#rows li.notification .line").at(-1)`)
	p.shows(".whole pre", evil)
	p.until("none of it is an element", `$$("img, main script, [onclick]").length === 0 && document.title === "vantiqdev"`)
}
