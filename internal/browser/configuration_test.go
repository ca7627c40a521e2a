package browser_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// send sends a request to the console, as another program does.
func (s *serve) send(method, path, body string) int {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), method, s.console+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // all of it was read
	_, _ = io.Copy(io.Discard, response.Body)
	return response.StatusCode
}

func TestConfigurationIsSaved(t *testing.T) {
	s := startServe(t, `EchoSource={"prefix": "> ", "big": 9007199254740993}`)
	connect(t, s, "EchoSource")
	p := open(t, s, wide)
	p.until("it is shown, numbers as they were written", `$("#configuration-text").value === '{"prefix": "> ", "big": 9007199254740993}'`)
	p.until("it is connected", `source("EchoSource").matches(".connected")`)

	p.write("#configuration-text", `{"prefix": "# "`)
	p.shows("#configuration-problem", "never closed")
	p.write("#configuration-text", `{"prefix": "# ", "big": 9007199254740993}`)
	p.click("#configuration-form .primary")
	p.shows("#configuration-form .outcome", "asked to reconnect")
	p.until("the connector was told, and has the new one", `labels().includes("reconnect required") && rows().findLast((row) => row.label === "configuration").body.includes("# ")`)
	p.until("that was a reconnect", `told("EchoSource").includes("1 reconnect")`)
	p.until("there is nothing left to save or to discard", `$("#configuration-form .revert").hidden && $("#configuration-changed").hidden`)
}

func TestConfigurationIsShownAsItWasWritten(t *testing.T) {
	s := startServe(t, `EchoSource={"b":1,"1":2,"a":1.0,"__proto__":{"x":"<\\u003c"},"1":3}`)
	p := open(t, s, wide)
	p.until("in its order, with everything", `$("#configuration-text").value.replace(/\s+/g, "") === '{"b":1,"1":2,"a":1.0,"__proto__":{"x":"<\\\\u003c"},"1":3}'`)
	p.shows("#configuration-problem", `"1" is there twice`)
}

func TestWhatIsTypedAfterSavingIsNoConflict(t *testing.T) {
	s := startServe(t, `EchoSource={"a": 1}`)
	p := open(t, s, wide)
	p.until("it is shown", `$("#configuration-text").value === '{"a": 1}'`)
	p.write("#configuration-text", `{"a": 2}`)
	p.hide(true) // so that no state comes
	p.press(enter, ctrl)
	p.shows("#configuration-form .outcome", "Saved, for the next connector")
	p.write("#configuration-text", `{"a": 2, "b": 3}`)
	p.hide(false)
	p.clickOn(`fault("Refuse").querySelector("button")`)
	p.until("a state has come", `fault("Refuse").matches(".active")`)
	if !value[bool](p, `$("#configuration-changed").hidden && $("#configuration-text").value === '{"a": 2, "b": 3}' && !$("#configuration-form .revert").hidden`) {
		t.Error("it is said that somebody else has changed it")
	}
	p.click("#configuration-form .revert")
	p.until("what was saved is what it goes back to", `$("#configuration-text").value === '{"a": 2}'`)
}

func TestConfigurationThatChangesMeanwhileIsNotLost(t *testing.T) {
	s := startServe(t, `EchoSource={"n": 1}`, "Orders")
	p := open(t, s, wide)
	p.shows("#configuration-form", "Configuration")
	p.write("#configuration-text", `{"n": 1, "mine": true}`)
	if status := s.send(http.MethodPut, "/api/sources/EchoSource/config", `{"n": 2}`); status != http.StatusNoContent {
		t.Fatalf("status %d", status)
	}
	p.until("one is warned", `!$("#configuration-changed").hidden && $("#configuration-text").value === '{"n": 1, "mine": true}'`)
	p.clickOn(`source("Orders")`)
	p.until("the other source has nothing of that", `$("#configuration-changed").hidden && $("#configuration-text").value === "{}"`)
	p.clickOn(`source("EchoSource")`)
	p.until("what was written is still there, and the warning", `!$("#configuration-changed").hidden && $("#configuration-text").value === '{"n": 1, "mine": true}'`)
	p.click("#configuration-theirs")
	p.until("the server's is shown", `$("#configuration-changed").hidden && $("#configuration-text").value === '{"n": 2}'`)
	if status := s.send(http.MethodPut, "/api/sources/EchoSource/config", `{"n": 3}`); status != http.StatusNoContent {
		t.Fatalf("status %d", status)
	}
	p.until("what nobody edits follows the server", `$("#configuration-text").value === '{"n": 3}'`)
	p.reload()
	p.until("also anew", `$("#configuration-text").value === '{"n": 3}'`)
}

// The console tells a configuration only when it has changed.
func TestConfigurationOutlastsWhatIsToldWithoutIt(t *testing.T) {
	s := startServe(t, `EchoSource={"n": 1}`, `Orders={"m": 1}`)
	connect(t, s, "EchoSource")
	p := open(t, s, wide)
	shows := func(what, text string) {
		t.Helper()
		p.until(what, `$("#configuration-text").value === `+quote(text))
	}
	shows("it is shown", `{"n": 1}`)
	p.until("it is connected", `source("EchoSource").matches(".connected")`)
	p.publish(`{}`)
	p.until("a state without it has come", `told("EchoSource").includes("1 published")`)
	shows("it is still there", `{"n": 1}`)
	p.clickOn(`source("Orders")`)
	shows("and the other one", `{"m": 1}`)
	p.hide(true) // so that no state comes
	if status := s.send(http.MethodPut, "/api/sources/Orders/config", `{"m": 2}`); status != http.StatusNoContent {
		t.Fatalf("status %d", status)
	}
	p.hide(false)
	shows("what has changed meanwhile is there", `{"m": 2}`)

	p.write("#configuration-text", `{"m": 3}`)
	p.press(enter, ctrl)
	p.shows("#configuration-form .outcome", "Saved")
	if status := s.send(http.MethodPut, "/api/sources/Orders/config", `{"m": 2}`); status != http.StatusNoContent {
		t.Fatalf("status %d", status)
	}
	shows("what somebody has taken back at once is gone", `{"m": 2}`)
}

// state returns what the console tells the page.
func (s *serve) state() string {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.console+"/api/state", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // all of it was read
	text, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}
