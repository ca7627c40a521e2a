package browser_test

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/vantiq-go/connectorsdk/connectorset"
)

// amount sets the amount of a fault.
func (p *page) amount(label, n string) {
	p.t.Helper()
	value[bool](p, `(fault(`+quote(label)+`).querySelector("input").id = "amount", true)`)
	p.write("#amount", n)
	value[bool](p, `($("#amount").removeAttribute("id"), true)`)
}

func TestLinksAreDropped(t *testing.T) {
	s := startServe(t, "EchoSource")
	connect(t, s, "EchoSource")
	p := open(t, s, wide)
	p.until("it is connected", `source("EchoSource").matches(".connected")`)
	for i, how := range []string{"Close 1001", "Close 1012", "FIN", "RST"} {
		p.clickOn(`fault(` + quote(how) + `).querySelector("button")`)
		p.shows("#fault-outcome", how+": done")
		p.until("the connector has come back", `source("EchoSource").matches(".connected") && told("EchoSource").includes(`+quote(fmt.Sprintf("%d reconnect", i+1))+`)`)
	}
	p.until("the traffic tells of it, and before it who did it", `(() => {
		const told = rows().filter((row) => row.label === "fault" || row.label === "link closed");
		return told.map((row) => row.label).join() === Array(4).fill("fault,link closed").join() && told[6].body === "RST, from the console" && !told[6].wrong && told[7].body === "the server broke the connection off";
	})()`)

	p.clickOn(`fault("Ask to reconnect").querySelector("button")`)
	p.until("on the same link", `labels().includes("reconnect required") && told("EchoSource").includes("5 reconnects") && labels().filter((label) => label === "link opened").length === 5`)
}

func TestVanishedLinkIsNoticedByPings(t *testing.T) {
	s := startServe(t, "EchoSource")
	connectWith(t, s, func(c *connectorset.Config) { c.PingInterval, c.PingTimeout = time.Second, 2*time.Second }, "EchoSource")
	p := open(t, s, wide)
	p.until("it is connected", `source("EchoSource").matches(".connected")`)
	p.clickOn(`fault("Vanish").querySelector("button")`)
	p.shows("#fault-outcome", "Vanish: done")
	p.publish(`{"to": "nobody"}`)
	p.until("the connector has come back, and never had the message", `told("EchoSource").includes("1 reconnect") && labels().includes("PUBLISH") && !labels().includes("notification")`)
}

func TestFaultsThatLastAreShownAndCanBeEnded(t *testing.T) {
	s := startServe(t, "EchoSource")
	connect(t, s, "EchoSource")
	p := open(t, s, wide)
	p.until("it is connected", `source("EchoSource").matches(".connected")`)

	p.clickOn(`fault("Stall").querySelector("button")`)
	p.until("it stalls, in both places", `fault("Stall").matches(".active") && told("EchoSource").includes("stalled")`)
	p.shows("#fault-outcome", "Stall: on, until you end it, or the connector gives the link up and dials again.")
	p.publish(`{"while": "stalled"}`)
	p.until("no answer comes", `rows().some((row) => row.label === "PUBLISH") && !labels().includes("notification")`)
	p.clickOn(`fault("Stall").querySelector("button[aria-label='End: Stall']")`)
	p.until("it goes on", `labels().includes("notification") && !fault("Stall").matches(".active") && !told("EchoSource").includes("stalled")`)
	p.shows("#fault-outcome", "Stall: ended.")
	p.clickOn(`fault("Stall").querySelector("button")`)
	p.until("it stalls again", `fault("Stall").matches(".active") && $("#fault-outcome").textContent.startsWith("Stall: on")`)
	s.send(http.MethodPost, "/api/sources/EchoSource/fault", `{"do": "drop", "how": "RST"}`)
	p.shows("#fault-outcome", "Stall: over.")
	p.until("it is connected again", `source("EchoSource").matches(".connected") && told("EchoSource").includes("1 reconnect")`)

	p.amount("Acknowledge late", "350")
	p.clickOn(`fault("Acknowledge late").querySelector("button")`)
	p.until("that shows", `fault("Acknowledge late").textContent.includes("350 ms late") && told("EchoSource").includes("acknowledging after 350 ms")`)
	p.clickOn(`fault("Acknowledge late").querySelector("button[aria-label^=End]")`)
	p.until("it is over", `!fault("Acknowledge late").matches(".active")`)

	p.amount("Acknowledge late", "60001")
	p.clickOn(`fault("Acknowledge late").querySelector("button")`)
	p.until("more than a minute is not offered", `fault("Acknowledge late").querySelector("input:invalid") && !fault("Acknowledge late").matches(".active")`)
	p.amount("Acknowledge late", "60000")
	p.clickOn(`fault("Acknowledge late").querySelector("button")`)
	p.until("a minute is", `fault("Acknowledge late").textContent.includes("60,000 ms late")`)
	p.clickOn(`fault("Acknowledge late").querySelector("button[aria-label^=End]")`)
	p.until("it is over as well", `!fault("Acknowledge late").matches(".active")`)

	p.amount("Reactivate", "2")
	p.clickOn(`fault("Reactivate").querySelector("button")`)
	p.shows("#fault-outcome", "Reactivate: ")
	p.until("two connects are refused, and then no more", `labels().filter((label) => label === "connect refused").length === 2 && told("EchoSource").includes("2 refusals") && source("EchoSource").matches(".connected") && !fault("Reactivate").matches(".active")`)

	p.amount("Refuse", "0")
	p.clickOn(`fault("Refuse").querySelector("button")`)
	p.shows("#fault-outcome", "Refuse: every connect is refused, until you end it.")
	p.until("every connect", `fault("Refuse").textContent.includes("every connect") && told("EchoSource").includes("refusing every connect")`)
	p.clickOn(`fault("FIN").querySelector("button")`)
	p.until("it cannot come back", `told("EchoSource").includes("not connected") && labels().filter((label) => label === "connect refused").length > 2`)
	p.clickOn(`fault("Refuse").querySelector("button[aria-label^=End]")`)
	p.until("it comes back", `source("EchoSource").matches(".connected") && !fault("Refuse").matches(".active")`)

	p.amount("Refuse", "1.5")
	p.clickOn(`fault("Refuse").querySelector("button")`)
	p.until("an amount that is none is not sent", `fault("Refuse").querySelector("input:invalid") && !fault("Refuse").matches(".active")`)
}

func TestServerRestarts(t *testing.T) {
	s := startServe(t, "EchoSource")
	connect(t, s, "EchoSource")
	p := open(t, s, wide)
	p.until("it is connected", `source("EchoSource").matches(".connected")`)
	p.amount("Restart", "2")
	p.clickOn(`fault("Restart").querySelector("button")`)
	p.until("it says until when", `/^Restart: on, until \d\d:\d\d:\d\d\.$/.test($("#fault-outcome").textContent)`)
	p.until("it is stopped, and says so", `$("#live").textContent === "stopped" && !$("#lost").hidden && fault("Restart").matches(".active") && told("EchoSource").includes("not connected")`)
	p.until("it is back, and so is the connector", `$("#live").textContent === "live" && $("#fault-outcome").textContent === "Restart: over." && $("#lost").hidden && source("EchoSource").matches(".connected")`)
}

func TestOutageThatCannotEndSaysWhy(t *testing.T) {
	s := startServe(t, "EchoSource")
	p := open(t, s, wide)
	p.amount("Restart", "2")
	p.clickOn(`fault("Restart").querySelector("button")`)
	p.until("it is stopped", `$("#live").textContent === "stopped" && $("#lost").textContent.includes("comes back by itself")`)
	other, err := net.Listen("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	p.until("what keeps it is said, and what to do", `$("#live").textContent === "stopped" && $("#lost").textContent.includes("end what has taken its port")`)
	other.Close()
	p.until("it is back", `$("#live").textContent === "live" && $("#lost").hidden`)
}

func TestVantiqdevThatHangsIsSaid(t *testing.T) {
	s := startServe(t, "EchoSource")
	p := open(t, s, wide)
	goOn := s.hang()
	p.until("the page says so", `$("#live").textContent === "lost" && !$("#lost").hidden`)
	goOn()
	p.until("it comes back by itself", `$("#live").textContent === "live" && $("#lost").hidden`)
	s.send(http.MethodPut, "/api/sources/EchoSource/config", `{"after": "that"}`)
	p.until("and the stream goes on", `$("#configuration-text").value.includes("that")`)
}

func TestConsoleThatGoesIsSaidAndComesBack(t *testing.T) {
	s := startServe(t, "EchoSource")
	stopped := connect(t, s, "EchoSource")
	p := open(t, s, wide)
	p.until("it is connected", `source("EchoSource").matches(".connected")`)
	p.publish(`{"before": true}`)
	p.until("it is there", `labels().includes("status 200")`)
	stopped.stop()
	s.stop()
	p.until("the page says so", `$("#live").textContent === "lost" && $("#lost").textContent.includes("does not answer") && !$("#lost").hidden`)
	p.click("#publish-form .primary")
	p.shows("#publish-form .outcome", "Is vantiqdev still running?")

	s = s.again("EchoSource", "Orders")
	connect(t, s, "EchoSource")
	p.until("it comes back by itself, with what is new", `$("#live").textContent === "live" && $("#lost").hidden && $$(".source").length === 2 && source("EchoSource").matches(".connected")`)
	p.until("what was before stands above what is new", `rows().some((row) => row.body.includes("before")) && $("#rows .gap")?.textContent.includes("started anew")`)
	p.publish(`{"after": true}`)
	p.until("the stream goes on", `rows().some((row) => row.label === "notification" && row.body.includes("after"))`)
}
