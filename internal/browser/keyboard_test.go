package browser_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
)

func TestEverythingWorksByKeyboard(t *testing.T) {
	s := startServe(t, "EchoSource", "Orders")
	connect(t, s, "EchoSource", "Orders")
	p := open(t, s, wide)
	p.until("both are connected", `$$(".source.connected").length === 2`)

	p.until("the keys are shown as such", `$$(".source kbd").map((key) => key.textContent + key.title).join() === "1Key 1 chooses this source,2Key 2 chooses this source"`)
	p.press("2")
	p.until("2 chooses the second source", `source("Orders").getAttribute("aria-current") === "true"`)
	p.press("1")
	p.until("1 chooses the first", `source("EchoSource").getAttribute("aria-current") === "true"`)

	p.press("m")
	p.until("m goes to the message", `document.activeElement.id === "publish-text"`)
	p.press("a", ctrl)
	p.press(`{"key": "board p/2"}`)
	p.press(enter, ctrl)
	p.until("Ctrl-Enter publishes, and letters in a field are letters", `rows().some((row) => row.label === "notification" && row.body.includes("board p/2")) && source("EchoSource").getAttribute("aria-current") === "true"`)
	p.press(escape)
	p.until("Esc leaves the field", `document.activeElement === document.body`)

	p.press("s")
	p.press(`{"rows": 2}`)
	p.press(enter, ctrl)
	p.shows("#select-form .outcome", "2 rows")
	p.press(escape)

	p.press("c")
	p.press("a", ctrl)
	p.press(`{"by": "keyboard"}`)
	p.press(enter, ctrl)
	p.until("the configuration is saved", `rows().some((row) => row.label === "configuration" && row.body.includes("keyboard"))`)
	p.press(escape)

	p.press("f")
	p.until("f goes to the faults", `document.activeElement.textContent === "Close 1001"`)
	p.press(" ")
	p.until("Space presses the button", `told("EchoSource").includes("2 reconnects")`)

	p.press("/")
	p.press("board p")
	p.until("/ goes to the filter", `labels().join() === "PUBLISH,notification"`)
	p.press(escape)
	p.press("t")
	p.until("t goes to the last row", `document.activeElement.closest("li") === $$("#rows li").at(-1)`)
	p.press(arrowUp + enter)
	p.until("Enter opens the row above, without moving", `$("#rows li.publish .whole pre").textContent.includes("board") && document.activeElement.getAttribute("aria-expanded") === "true"`)
	p.press(escape)
	p.until("Esc closes it", `!$(".whole") && document.activeElement.closest("#rows")`)
	p.press("p")
	p.until("p follows again", `$("#pause").getAttribute("aria-pressed") === "false"`)
	p.press("p")
	p.until("p pauses", `$("#pause").getAttribute("aria-pressed") === "true"`)
	p.press("0")
	p.until("0 shows all sources", `$("#all-sources").checked`)

	p.press("?")
	p.until("? shows the keys", `$("#keys").open && $$("#key-list dt").length > 10`)
	p.press(escape)
	p.until("Esc closes them", `!$("#keys").open`)
}

func TestTrafficStandsWhileTheKeyboardIsOnIt(t *testing.T) {
	s := startServe(t, "Load")
	set := connect(t, s, "Load")
	p := open(t, s, wide)
	p.until("it is connected", `source("Load").matches(".connected")`)
	connection, _ := set.Connection("Load")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- send(ctx, connection, new(atomic.Int64)) }()
	p.until("it flows", `$("#rows .gap") && rows().length > 200`)

	p.press("t")
	p.until("much has come, and the row is still there", `Number(/^[\d,]+/.exec($("#newer").textContent)?.[0].replaceAll(",", "")) > 1000 && document.activeElement.matches("#rows .line")`)
	before := value[string](p, `document.activeElement.textContent`)
	p.press(arrowUp + arrowDown)
	if after := value[string](p, `document.activeElement.textContent`); after != before {
		t.Errorf("the keyboard was on %q, and is on %q", before, after)
	}
	p.press("p")
	p.until("p follows", `$("#newer").hidden`)
	p.press("t")
	p.until("t stands again", `!$("#newer").hidden`)
	p.press("m")
	p.until("who leaves the rows follows", `$("#newer").hidden && document.activeElement.id === "publish-text"`)
	stop()
	if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestTabReachesEverythingAndShowsWhereItIs(t *testing.T) {
	s := startServe(t, "EchoSource")
	connect(t, s, "EchoSource")
	p := open(t, s, wide)
	p.until("it is connected", `labels().includes("configuration")`)
	reached := map[string]bool{}
	for range 120 {
		p.press("\t")
		at := value[string](p, `(() => {
			const e = document.activeElement;
			if (e === document.body) return "";
			const style = getComputedStyle(e);
			const name = e.id || e.textContent.trim().slice(0, 40) || e.getAttribute("aria-label");
			return style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 2 ? "no outline: " + name : name;
		})()`)
		if at == "" && len(reached) > 10 {
			break
		}
		reached[at] = true
		if len(at) > 10 && at[:10] == "no outline" {
			t.Error(at)
		}
	}
	for _, name := range []string{"theme", "keys-open", "filter", "pause", "clear", "all-sources", "publish-text", "select-text",
		"configuration-text", "Publishes", "Queries", "Publish", "Select", "Save and ask to reconnect", "Close 1001", "FIN", "RST", "Vanish",
		"Stall", "Acknowledge late", "Reactivate", "Refuse", "Restart"} {
		if !reached[name] {
			t.Errorf("Tab does not reach %q", name)
		}
	}
}

func TestEveryControlHasAName(t *testing.T) {
	s := startServe(t, "EchoSource")
	connect(t, s, "EchoSource")
	p := open(t, s, wide)
	p.until("it is connected", `labels().includes("configuration")`)
	nameless := value[[]string](p, `$$("button, input, select, textarea, a").filter((e) => {
		if (!e.checkVisibility()) return false;
		const name = e.getAttribute("aria-label") || e.textContent.trim() || [...(e.labels ?? [])].map((label) => label.textContent).join("").trim();
		return !name && e.tagName !== "TEXTAREA" || (e.tagName === "TEXTAREA" && e.labels.length === 0);
	}).map((e) => e.outerHTML)`)
	for _, e := range nameless {
		t.Errorf("no name: %s", e)
	}
}
