package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/gorilla/websocket"
)

// serve starts "vantiqdev serve" and waits until it is ready.
func (w workplace) serve(args ...string) tool {
	w.t.Helper()
	c := w.start(append([]string{"serve", "-console", "127.0.0.1:0"}, args...)...)
	w.t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	c.stdout.await(w.t, "Ctrl-C ends it")
	return c
}

// connect starts a connector in a workplace, and waits until the local Vantiq says that it is connected.
func (w workplace) connect(vantiq tool, behaviour string) {
	w.t.Helper()
	program := connectorThat(w.t, behaviour)
	command := exec.Command(program[0], program[1:]...)
	command.Dir = w.directory
	if err := command.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = command.Process.Kill(); _ = command.Wait() })
	vantiq.stdout.await(w.t, "connected")
}

// do runs another command of vantiqdev to its end.
func (w workplace) do(args ...string) tool {
	w.t.Helper()
	c := w.start(args...)
	_ = c.Wait()
	return c
}

// write writes a file, and the directories above it.
func (w workplace) write(name, text string) {
	w.t.Helper()
	file := filepath.Join(w.directory, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func TestServeIsTheVantiqOfServerConfig(t *testing.T) {
	w := newWorkplace(t)
	vantiq := w.serve()
	w.connect(vantiq, "echoes")
	w.do("publish", `{"text":"hi"}`).ended(0)
	vantiq.stdout.await(t, `→ EchoSource  notification {"text":"hi"}`)
	if err := vantiq.Process.Signal(syscall.SIGTERM); err != nil {
		t.Skip("needs signals")
	}
	_ = vantiq.Wait()
	vantiq.ended(0, "server.config names it: a connector that reads this file connects", `← EchoSource  PUBLISH {"text":"hi"}`)
	if strings.Contains(vantiq.stdout.String(), "some-token") {
		t.Error("it shows the token of server.config")
	}
}

func TestServeSaysWhatBelongsIntoServerConfig(t *testing.T) {
	w := newWorkplace(t)
	if err := os.Remove(w.file()); err != nil {
		t.Fatal(err)
	}
	address := "127.0.0.1:" + w.port
	vantiq := w.serve("-listen", address, "-source", "A", "-source", `B={"a":1,"b":[2,3]}`, "-token", "T")
	_, block, _ := strings.Cut(vantiq.stdout.String(), "\n\n")
	block, _, _ = strings.Cut(block, "\n\n")
	if want := "    targetServer=http://" + address + "\n    authToken=T\n    sources=A,B"; block != want {
		t.Errorf("got\n%s\nwant\n%s", block, want)
	}
	w.write("server.config", block+"\ntcpProbePort=0\n")
	w.connect(vantiq, "echoes")
	vantiq.stdout.await(t, `B  source configuration {"a":1,"b":[2,3]}`)
}

func TestServeFollowsItsFile(t *testing.T) {
	w := newWorkplace(t)
	w.write("vantiqdev.json", `{"config":{"common":1}}`)
	vantiq := w.serve()
	w.connect(vantiq, "echoes")
	vantiq.stdout.await(t, `EchoSource  source configuration {"common":1}`)

	w.write("vantiqdev.json", `{"sources":{"EchoSource":{"own":2},"Another":{}},"tokens":["new"]}`)
	vantiq.stdout.await(t, `EchoSource  source configuration {"own":2}`)
	for _, want := range []string{"the configuration of source EchoSource has changed", "source Another is there now",
		"the auth tokens have changed", "EchoSource  reconnect required", "EchoSource  connected again"} {
		vantiq.stdout.await(t, want)
	}

	w.write("vantiqdev.json", `{"sources":{"EchoSource":{"own":2}},"tokens":["new"`)
	vantiq.stdout.await(t, "vantiqdev.json: it is not JSON, from line 1 on: unexpected EOF")
	vantiq.stdout.await(t, "until that is mended everything stays as it is")

	w.write("vantiqdev.json", `{"sources":{"EchoSource":{"own":2}},"tokens":["new"]}`)
	vantiq.stdout.await(t, "source Another is no longer there")
	if got := vantiq.stdout.String(); strings.Count(got, "reconnect required") != 1 {
		t.Errorf("a source was told to reconnect though its configuration is the same:\n%s", got)
	}
}

func TestServeRefusesWhatItCannotDo(t *testing.T) {
	w := newWorkplace(t)
	w.configure("https://dev.vantiq.com")
	w.do("serve").ended(1, "targetServer https://dev.vantiq.com is not this machine", "or be elsewhere, by -listen 127.0.0.1:8400")
	w.do("serve", "-listen", "8400").ended(1, "-listen: ", "it is HOST:PORT, like 127.0.0.1:8400")
	w.do("serve", "-listen", "127.0.0.1:"+w.port, "-source", `A={`).ended(1, "-source A: the configuration is not a JSON object")
	w.do("serve", "-listen", "127.0.0.1:"+w.port, "-source", `={}`).ended(1, `-source: "" is no name of a source`)
	w.do("serve", "-listen", "127.0.0.1:"+w.port, "-source", "A,B").ended(1, `-source: "A,B" is no name of a source`, "-source again")
	w.do("serve", "-listen", "127.0.0.1:"+w.port, "-token", " ").ended(1, "-token: the token is empty")
	w.do("serve", "-listen", "127.0.0.1:"+w.port, "-file", "no/typo.json").ended(1, "-file: stat no/typo.json")
	w.do("serve", "EchoSource").ended(2, "a source is named by -source")

	w.configure("http://127.0.0.1:" + w.port)
	w.do("serve", "-console", "0.0.0.0:8401").ended(1, "-console: 0.0.0.0:8401 is not a loopback address", "SSH tunnel")
	w.do("serve", "-console", "8401").ended(1, "it is HOST:PORT, like 127.0.0.1:8401")
	w.serve()
	w.do("serve").ended(1, "the local Vantiq cannot be http://127.0.0.1:"+w.port+", the targetServer of ", "something listens there already",
		"lsof -i :"+w.port, "choose another port, in targetServer there")
	w.do("serve", "-listen", "127.0.0.1:"+w.port).ended(1, "the local Vantiq cannot be at 127.0.0.1:"+w.port, "choose another port, by -listen")
	w.write("vantiqdev.json", `{"sources":{" ":{}}}`)
	w.do("serve").ended(1, `vantiqdev.json: sources: " " is no name of a source`)
}

func TestServeWarnsWhenOtherMachinesReachIt(t *testing.T) {
	w := newWorkplace(t)
	vantiq := w.serve("-listen", "0.0.0.0:"+w.port, "-quiet")
	vantiq.stdout.await(t, "! other machines can reach it, by this one's address, unencrypted")
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	vantiq.stdout.await(t, "targetServer=http://"+host+":"+w.port+"\n    authToken=… (that of ")
}

func TestCommandsWithoutALocalVantiq(t *testing.T) {
	w := newWorkplace(t)
	const start = `start one by "vantiqdev serve" or "vantiqdev run", or say by -server where it is`
	w.do("publish", "{}").ended(1, "vantiqdev publish: no local Vantiq answers at http://127.0.0.1:"+w.port, start)
	w.do("query").ended(1, "vantiqdev query: no local Vantiq", start)
	w.do("watch").ended(1, "vantiqdev watch: no local Vantiq", start)
	w.do("watch", "-server", "https://dev.vantiq.com").ended(1, "-server https://dev.vantiq.com is no local Vantiq", "like http://127.0.0.1:8400")
	w.do("query", "-config", "none").ended(1, "none: cannot be read")
	c := w.start("serve", "-console", "off")
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	c.stdout.await(t, "Ctrl-C ends it")
	w.do("query").ended(1, "has no console of vantiqdev (it says 404 Not Found): was it started with -console off")
}

func TestPublish(t *testing.T) {
	w := newWorkplace(t)
	vantiq := w.serve()
	w.do("publish").ended(2, "JSON is missing")
	w.do("publish", "{}").ended(1, "has no associated session for operation publish", "start a connector for it first")
	w.connect(vantiq, "echoes")
	w.do("publish", "{}", "[1]").ended(2, "not a JSON object", "in single quotes")
	w.do("publish", "null").ended(2, "null is no message")
	w.do("publish", "-source", "Nobody", "{}").ended(1, "there is no source Nobody; the local Vantiq has source EchoSource")
	w.do("publish", `{"n":1}`, `{"n":2}`).ended(0)
	vantiq.stdout.await(t, `notification {"n":2}`)

	c := w.prepare("publish", "-")
	c.Stdin = strings.NewReader("{\"n\":3}\n{\"n\":4} {\"n\":5}")
	_ = c.Run()
	c.ended(0)
	vantiq.stdout.await(t, `notification {"n":5}`)
	c = w.prepare("publish", "-")
	c.Stdin = strings.NewReader("{\"n\":6}\n{\"n\":")
	_ = c.Run()
	c.ended(1, "message 2 of the standard input: unexpected EOF")
}

func TestQuery(t *testing.T) {
	w := newWorkplace(t)
	vantiq := w.serve()
	w.connect(vantiq, "answers")
	for args, want := range map[string]string{
		"":      "name  n  more      b\nA     1  {\"x\":[]}  \n␉B␛   2  null      true\n(2 rows)\n",
		"-json": "{\"name\":\"A\",\"n\":1,\"more\":{\"x\":[]}}\n{\"n\":2,\"name\":\"\\tB\\u001b\",\"more\":null,\"b\":true}\n",
	} {
		c := w.do(append([]string{"query"}, strings.Fields(args)...)...)
		c.ended(0)
		if got := c.stdout.String(); got != want {
			t.Errorf("query %s printed\n%q, want\n%q", args, got, want)
		}
	}
	w.do("query", `{"empty":true}`).ended(0, "(no rows)\n")
	_, console, _ := strings.Cut(vantiq.stdout.String(), "its console is at ")
	console, _, _ = strings.Cut(console, "\n")
	w.do("query", "-server", console, `{"empty":true}`).ended(0, "(no rows)\n") // it is as good as the address of the local Vantiq
	w.do("query", `{"fail":true}`).ended(1, "vantiqdev query: not today, but tomorrow (answers.later)")
	w.do("query", "-timeout", "100ms", `{"never":true}`).ended(1, "the connector did not answer within 100ms")
	w.do("query", "{}", "{}").ended(2, "more than one JSON")
	w.do("query", "[]").ended(2, "not a JSON object")
	w.do("query", "-timeout", "0s").ended(2, "it must be more than 0")
}

// The SDK for Go sends no such rows, but others may.
func TestRowsThatAreNoObjects(t *testing.T) {
	var out strings.Builder
	rows := []json.RawMessage{json.RawMessage(`7`), json.RawMessage(`"x"`), json.RawMessage(`[1,null]`), json.RawMessage(`{"n":1}`), json.RawMessage(`null`)}
	if err := writeTable(&out, rows); err != nil {
		t.Fatal(err)
	}
	const want = "value     n\n7         \nx         \n[1,null]  \n          1\nnull      \n(5 rows)\n"
	if out.String() != want {
		t.Errorf("got\n%q, want\n%q", &out, want)
	}
}

func TestWatch(t *testing.T) {
	w := newWorkplace(t)
	w.write("vantiqdev.json", `{"sources":{"Other":{}}}`)
	vantiq := w.serve()
	w.connect(vantiq, "echoes")
	all, other := w.start("watch"), w.start("watch", "-source", "Other")
	for _, c := range []tool{all, other} {
		t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	}
	// What watches from when on cannot be seen from outside: it is published until it comes.
	for !strings.Contains(all.stdout.String(), "notification") {
		w.do("publish", "-source", "EchoSource", `{"text":"<hi>"}`).ended(0)
	}
	first, _, _ := strings.Cut(all.stdout.String(), "\n")
	var line struct {
		Time, Source string
		Notification map[string]string
	}
	if err := json.Unmarshal([]byte(first), &line); err != nil || line.Source != "EchoSource" || line.Notification["text"] != "<hi>" || line.Time == "" {
		t.Errorf("watch printed %s (%v)", first, err)
	}
	if got := other.stdout.String(); got != "" {
		t.Errorf("of another source it printed %s", got)
	}
	if err := all.Process.Signal(os.Interrupt); err != nil {
		t.Skip("needs signals")
	}
	_ = all.Wait()
	all.ended(0)
	_ = vantiq.Process.Kill()
	_ = other.Wait()
	other.ended(1, "has gone")
}

// What Vantiq may refuse is taken here, but not without a word.
func TestServeTellsWhatIsOdd(t *testing.T) {
	w := newWorkplace(t)
	vantiq := w.serve()
	ws, _, err := websocket.DefaultDialer.Dial("ws://127.0.0.1:"+w.port+"/api/v1/wsock/websocket", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ws.Close() }()
	for _, message := range []string{
		`{"op":"validate","object":"some-token"}`,
		`{"op":"connectExtension","resourceName":"source","resourceId":"EchoSource"}`,
		`{"op":"notification","resourceName":"sources","resourceId":"Other","object":{"n":1}}`,
	} {
		if err := ws.WriteMessage(websocket.TextMessage, []byte(message)); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{
		`! link 1      validate without the resourceName "system.credentials"`,
		`! EchoSource  connectExtension without the resourceName "sources"`,
		`! EchoSource  notification for "Other" on the link of EchoSource`,
		`→ EchoSource  notification {"n":1}`,
	} {
		vantiq.stdout.await(t, want)
	}
	_, console, _ := strings.Cut(vantiq.stdout.String(), "its console is at ")
	address, _, _ := strings.Cut(console, "\n")
	response, err := http.Get(address + "/api/state")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if want := `"problems":2`; err != nil || !strings.Contains(string(text), want) {
		t.Errorf("the state is %s (%v), without %s", text, err, want)
	}
}

// A page of another origin may open a WebSocket to any address, and knows the default token.
func TestAPageInABrowserIsNoConnector(t *testing.T) {
	for _, more := range [][]string{nil, {"-console", "off"}} {
		w := newWorkplace(t)
		vantiq := w.serve(more...)
		address := "ws://127.0.0.1:" + w.port + "/api/v1/wsock/websocket"
		for _, origin := range []string{"http://evil.example.com", "null", "http://127.0.0.1:" + w.port} {
			_, response, err := websocket.DefaultDialer.Dial(address, http.Header{"Origin": {origin}})
			if err == nil || response == nil || response.StatusCode != http.StatusForbidden {
				t.Errorf("a page of %s gets %v (%v)", origin, response, err)
			}
		}
		w.connect(vantiq, "echoes")
	}
}

func TestTheConsoleIsWhereABrowserLooksForIt(t *testing.T) {
	w := newWorkplace(t)
	w.write("vantiqdev.json", `{"publish":{"address":"127.0.0.1:9"},"query":null}`)
	vantiq := w.serve()
	response, err := http.Get("http://127.0.0.1:" + w.port + "/") // follows
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK || !strings.Contains(vantiq.stdout.String(), "its console is at http://"+response.Request.URL.Host) {
		t.Errorf("got %s of %s", response.Status, response.Request.URL)
	}
	state, err := http.Get("http://" + response.Request.URL.Host + "/api/state")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = state.Body.Close() }()
	text, err := io.ReadAll(state.Body)
	if want := `"samples":{"publish":{"address":"127.0.0.1:9"}}`; err != nil || !strings.Contains(string(text), want) {
		t.Errorf("the state is %s (%v), without %s", text, err, want)
	}
	if strings.Contains(vantiq.stdout.String(), "somebody called") {
		t.Error("that is told as if something were wrong")
	}
}
