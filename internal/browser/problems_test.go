package browser_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/vantiq-go/connectorsdk/protocol"
)

// A bungler is a connector that is written by hand, and wrong.
type bungler struct {
	t  *testing.T
	ws *websocket.Conn
}

func bungle(t *testing.T, s *serve) bungler {
	t.Helper()
	url, err := protocol.TargetURL(s.url)
	if err != nil {
		t.Fatal(err)
	}
	ws, _, err := websocket.DefaultDialer.DialContext(t.Context(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ws.Close() })
	return bungler{t, ws}
}

func (b bungler) send(frame []byte) {
	b.t.Helper()
	if err := b.ws.WriteMessage(websocket.TextMessage, frame); err != nil {
		b.t.Fatal(err)
	}
}

func TestWhatGoesWrongSaysWhy(t *testing.T) {
	s := startServe(t, "Orders", "Invoices")
	p := open(t, s, wide)
	p.clickOn(`source("Orders")`)
	b := bungle(t, s)
	b.send(protocol.AppendConnectExtension(nil, "Orders", "a-secret"))
	b.send(protocol.AppendValidate(nil, token))
	b.send(protocol.AppendConnectExtension(nil, "Orders", "a-secret"))
	p.until("it is connected", `source("Orders").matches(".connected")`)
	b.send([]byte("{\"op\": \"notification\x00"))
	b.send([]byte(`{"op": "connectExtension", "parameters": {"reconnectSecret": "a-secret"`))
	b.send([]byte(`{"status": 200, "body": []}`))
	b.send(protocol.AppendQueryResponse(nil, "nobody's", 200, nil))
	b.send([]byte(`{"op": "publish", "resourceName": "sources", "resourceId": "Orders"}`))
	if status := s.send(http.MethodPost, "/api/sources/Orders/query?timeout=1s", `{}`); status != http.StatusGatewayTimeout {
		t.Fatalf("status %d", status)
	}
	s.send(http.MethodPost, "/api/sources/Orders/fault", `{"do": "drop", "how": "RST"}`)
	p.until("all is there", `labels().includes("link closed")`)

	for label, want := range map[string]string{
		"connect ignored":    "it came before a valid auth token",
		"stray answer":       "it has no X-Reply-Address in its headers []",
		"no answer":          "to the SELECT for 1s",
		"unexpected message": "operation publish is not one that a connector sends",
	} {
		p.until(label+" says why", fmt.Sprintf(`rows().find((row) => row.label === %s)?.body.includes(%s)`, quote(label), quote(want)))
	}
	p.until("the other stray answer names its address", `rows().filter((row) => row.label === "stray answer")[1].body.startsWith('its X-Reply-Address "nobody')`)

	malformed := func(i int) string {
		return fmt.Sprintf(`$$("#rows > li").filter((li) => cell(li, "label") === "malformed message")[%d].querySelector(".line")`, i)
	}
	p.clickOn(malformed(0))
	p.shows(".whole pre", `{"op": "notification\x00`)
	p.clickOn(malformed(0))
	p.clickOn(malformed(1))
	p.shows(".whole pre", "not shown: ")
	if text := value[string](p, `document.documentElement.outerHTML`); strings.Contains(text, "a-secret") {
		t.Error("the page shows a reconnect secret")
	}
	p.clickOn(malformed(1))

	// The card of the source counts what the filter shows.
	p.click("#pause")
	p.click(".kind.problem")
	p.until("the filter shows the problems", `rows().length === 8 && rows().every((row) => row.wrong)`)
	p.until("they are counted", `told("Orders").includes("8 problems (1 failed query)") && !told("Invoices").includes("problem")`)
	p.click(".kind.problem")

	for _, width := range []int64{1440, 1280, 1024, 420, 360} {
		p.look(look{width, 900, "light"})
		value[bool](p, `($("#rows .label").firstChild.data = "reconnect required", true)`) // another long one
		cut := value[[]string](p, `$$("#rows .label").filter((label) => label.scrollWidth > label.clientWidth).map((label) => label.textContent)`)
		for _, label := range cut {
			t.Errorf("%d pixels: %s is cut", width, label)
		}
	}
}
