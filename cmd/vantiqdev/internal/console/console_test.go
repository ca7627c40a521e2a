package console_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/vantiq-go/connectorsdk/cmd/vantiqdev/internal/console"
)

func TestPageIsServed(t *testing.T) {
	d := newDesk(t)
	d.expect(http.MethodGet, "/", "", 200, "<title>")
	d.expect(http.MethodHead, "/", "", 200, "")
	for _, path := range []string{"/nothing", "/page/", "/page/uplot/", "/page/nothing.js"} {
		d.expect(http.MethodGet, path, "", 404, "")
	}
}

func TestStateTellsOfTheConnector(t *testing.T) {
	d := newDesk(t)
	s := d.state().Sources[0]
	if s.Name != "EchoSource" || s.Connected || s.Since != nil || string(s.Config) != `{"prefix":"> "}` {
		t.Errorf("before: %+v", s)
	}
	stream := d.stream("")
	d.connect()
	stream.until("state", `"since":"20`)
	s = d.state().Sources[0]
	if !s.Connected || s.SDK != "Go" || s.Sessions != 1 || s.Peer != d.source.Link().RemoteAddr().String() {
		t.Errorf("then: %+v", s)
	}
}

func TestPublishAndQuery(t *testing.T) {
	d := newDesk(t)
	d.expect("POST", "/api/sources/EchoSource/publish", `{}`, 409, "com.accessg2.ag2rs.streams.source.not_found")
	d.connect()
	stream := d.stream("")
	d.expect("POST", "/api/sources/EchoSource/publish", `{"n":1}`, 204, "")
	d.expect("POST", "/api/sources/EchoSource/query", `{"n":2}`, 200, `{"rows":[{"n":2},{"n":2}],"ms":`)
	d.expect("POST", "/api/sources/EchoSource/query", ``, 200, `{"rows":[{},{}],"ms":`)
	d.expect("POST", "/api/sources/EchoSource/query", `{"fail":true}`, 502, `{"code":"not.today","message":"not today","parameters":["today"]}`)
	d.expect("POST", "/api/sources/EchoSource/query?timeout=50ms", `{"never":true}`, 504, "the connector did not answer within 50ms")
	d.expect("POST", "/api/sources/EchoSource/query?timeout=soon", ``, 400, "timeout=soon is not a duration like 30s")
	d.expect("POST", "/api/sources/EchoSource/publish", `[1]`, 400, "not a JSON object")
	d.expect("POST", "/api/sources/EchoSource/publish", `{"a":`, 400, "not a JSON object")
	d.expect("POST", "/api/sources/EchoSource/publish", ``, 400, "not a JSON object")
	d.expect("POST", "/api/sources/EchoSource/publish", `{"a":"`+strings.Repeat("x", 16<<20)+`"}`, 413, "too large")
	d.expect("POST", "/api/sources/Nobody/publish", `{}`, 404, `there is no source \"Nobody\"`)

	var kinds []string
	for !strings.Contains(strings.Join(kinds, " "), "query abandoned") {
		data, _ := stream.next("traffic")
		var traffic struct {
			Events []struct{ Kind, Body, Address, Error string }
		}
		d.must(json.Unmarshal([]byte(data), &traffic))
		for _, e := range traffic.Events {
			if e.Kind == "query abandoned" && !strings.HasPrefix(e.Error, "to the SELECT for ") {
				t.Errorf("no answer: %s", e.Error)
			}
			if e.Address != "" || strings.Contains(e.Kind, "publish") || strings.Contains(e.Kind, "notification") {
				kinds = append(kinds, e.Kind)
			}
		}
	}
	got := strings.Join(kinds, ", ")
	for _, want := range []string{"publish sent", "notification received", "query sent, partial received, final received", "query abandoned"} {
		if !strings.Contains(got, want) {
			t.Errorf("the stream told %s, and not %s", got, want)
		}
	}
	stream.until("state", `"totals":{"publishes":1,"queries":4,"answers":2,"failed":2,"notifications":1,`)
}

func TestAnEventHasItsWholeBody(t *testing.T) {
	d := newDesk(t)
	d.connect()
	stream := d.stream("")
	long := strings.Repeat("ä", 2_000)
	d.expect("POST", "/api/sources/EchoSource/publish", `{"long":"`+long+`"}`, 204, "")
	data, id := stream.until("traffic", "notification received")
	var traffic struct {
		Events []struct {
			N     int
			Kind  string
			Body  string
			Bytes int
		}
	}
	d.must(json.Unmarshal([]byte(data), &traffic))
	e := traffic.Events[len(traffic.Events)-1]
	for _, e = range traffic.Events {
		if e.Kind == "notification received" {
			break
		}
	}
	if len(e.Body) > 2_000 || !strings.HasSuffix(e.Body, "ä") || e.Bytes != 4_011 {
		t.Errorf("of %d bytes %d were sent: …%s", e.Bytes, len(e.Body), e.Body[len(e.Body)-3:])
	}
	d.expect("GET", fmt.Sprint("/api/events/", e.N), "", 200, long)
	d.expect("GET", "/api/events/999999", "", 404, "no longer kept")
	d.expect("GET", "/api/events/x", "", 404, "no longer kept")

	// A page that comes back asks for what it has missed.
	d.expect("POST", "/api/sources/EchoSource/publish", `{"missed":true}`, 204, "")
	if data, _ := d.stream("?after="+id).until("traffic", "missed"); strings.Contains(data, "long") {
		t.Errorf("what had been seen came again: %s", data)
	}
	if data, _ := d.stream("", "Last-Event-ID", id).until("traffic", "missed"); strings.Contains(data, "long") {
		t.Errorf("what had been seen came again: %s", data)
	}
}

// A page may outlive vantiqdev, and ask the next one for what it has missed of the one before.
func TestAPageOfAnEarlierVantiqdevBeginsAnew(t *testing.T) {
	before := newDesk(t)
	before.connect()
	_, id := before.stream("").until("traffic", "connect accepted")

	d := newDesk(t)
	d.connect()
	for range 600 {
		d.expect("POST", "/api/sources/EchoSource/publish", `{}`, 204, "")
	}
	stream := d.stream("?after=" + id)
	if one, other := before.state().Server.Started, d.state().Server.Started; one.IsZero() || one.Equal(other) {
		t.Errorf("it cannot be told from the one before: both started at %s", one)
	}
	if data, _ := stream.next("traffic"); !strings.Contains(data, `"skipped":0`) || strings.Count(data, `"n":`) != 500 {
		t.Errorf("it was told %s", data)
	}
	if status, text := d.ask("GET", "/api/events/"+id, ""); status != 404 {
		t.Errorf("an event of the one before is %s", text)
	}
}

func TestAFloodIsRationed(t *testing.T) {
	d := newDesk(t)
	d.connect()
	stream := d.stream("")
	const published = 20_000
	began := time.Now()
	for n := range published {
		d.must(d.source.Publish(context.Background(), json.RawMessage(fmt.Sprintf(`{"n":%d}`, n))))
	}
	told, skipped, messages := 0, 0, 0
	for last := false; !last; messages++ {
		data, _ := stream.next("traffic")
		var traffic struct {
			Events  []struct{ Kind, Body string }
			Skipped int
		}
		d.must(json.Unmarshal([]byte(data), &traffic))
		if most := 250; len(traffic.Events) > most && (messages > 0 || len(traffic.Events) > 500) {
			t.Errorf("%d events at once", len(traffic.Events))
		}
		told += len(traffic.Events)
		skipped += traffic.Skipped
		for _, e := range traffic.Events {
			last = last || e.Kind == "notification received" && e.Body == fmt.Sprintf(`{"n":%d}`, published-1)
		}
	}
	if told+skipped < 2*published || skipped == 0 {
		t.Errorf("%d events were told, and %d left out: that is not all", told, skipped)
	}
	// A ticker that is late makes up for it once, not more.
	if most := int(time.Since(began)/(100*time.Millisecond)) + 3; messages > most {
		t.Errorf("%d messages came, more than %d", messages, most)
	}
}

func TestStateIsToldNowAndThen(t *testing.T) {
	d := newDesk(t)
	d.connect()
	stream := d.stream("")
	began, states := time.Now(), 0
	for rates := 0; rates < 4; { // of which one comes each second
		d.must(d.source.Publish(context.Background(), json.RawMessage(`{}`)))
		line, err := stream.lines.ReadString('\n')
		d.must(err)
		switch line {
		case "event: state\n":
			states++
		case "event: rates\n":
			rates++
		}
	}
	// At first what matters, like the beginning of a session, then totals, once a second.
	if most := int(time.Since(began)/time.Second) + 4; states > most {
		t.Errorf("%d states in %s", states, time.Since(began))
	}
}

func TestConfigurationIsChanged(t *testing.T) {
	d := newDesk(t)
	d.connect()
	d.expect("PUT", "/api/sources/EchoSource/config", `{"prefix":"# "}`, 204, "")
	d.must(d.source.WaitSession(d.soon(), 2))
	if s := d.state().Sources[0]; string(s.Config) != `{"prefix":"# "}` || s.Sessions != 2 {
		t.Errorf("%+v", s)
	}
	d.expect("PUT", "/api/sources/EchoSource/config", `"x"`, 400, "not a JSON object")
	d.expect("PUT", "/api/sources/EchoSource/config", ``, 400, "not a JSON object")
}

func TestRates(t *testing.T) {
	d := newDesk(t)
	d.connect()
	stream := d.stream("")
	d.expect("POST", "/api/sources/EchoSource/query", `{"n":2}`, 200, "")
	data, _ := stream.until("rates", `"queries":1`)
	var rates []struct {
		Time    int64
		Sources map[string]struct {
			Queries, Answered int
			P50, Max          float64
		}
	}
	d.must(json.Unmarshal([]byte(data), &rates))
	for _, r := range rates {
		if s := r.Sources["EchoSource"]; s.Queries == 1 && s.Answered == 1 && (s.P50 <= 0 || s.Max < s.P50) {
			t.Errorf("answer times %+v", s)
		}
	}
	first, _ := d.stream("").next("rates") // a page that opens later sees them as well
	if !strings.Contains(first, `"queries":1`) {
		t.Errorf("later: %s", first)
	}
}

func TestNotificationsAreStreamed(t *testing.T) {
	d := newDesk(t)
	d.vantiq.Source("Other", nil)
	d.connect()
	open := func(query string) *bufio.Reader {
		request, err := http.NewRequestWithContext(d.soon(), http.MethodGet, d.url+"/api/notifications"+query, nil)
		d.must(err)
		response, err := d.client.Do(request) // it watches when this returns
		d.must(err)
		t.Cleanup(func() { _ = response.Body.Close() })
		return bufio.NewReader(response.Body)
	}
	all, one := open(""), open("?source=Other&source=EchoSource")
	for n := range 3 {
		d.expect("POST", "/api/sources/EchoSource/publish", fmt.Sprintf(`{"n":%d,"html":"<b>"}`, n), 204, "")
	}
	for _, r := range []*bufio.Reader{all, one} {
		for n := range 3 {
			line, err := r.ReadString('\n')
			if want := fmt.Sprintf(`"source":"EchoSource","notification":{"n":%d,"html":"<b>"}}`, n); err != nil || !strings.Contains(line, want) {
				t.Errorf("got %s (%v), want %s", line, err, want)
			}
		}
	}
}

func TestOnlyThisMachinesOwnPageGivesOrders(t *testing.T) {
	d := newDesk(t)
	d.connect()
	_, port, err := net.SplitHostPort(strings.TrimPrefix(d.url, "http://"))
	d.must(err)
	const path, order = "/api/sources/EchoSource/publish", `{"n":1}`
	for name, c := range map[string]struct {
		status int
		header []string
	}{
		"a command":                      {204, nil},
		"the page":                       {204, []string{"Origin", d.url, "Sec-Fetch-Site", "same-origin"}},
		"the page by its other name":     {204, []string{"Host", "localhost:" + port, "Origin", "http://localhost:" + port}},
		"another origin":                 {403, []string{"Origin", "http://evil.example.com"}},
		"a sandboxed frame":              {403, []string{"Origin", "null"}},
		"another site":                   {403, []string{"Sec-Fetch-Site", "cross-site"}},
		"a type with a charset":          {204, []string{"Content-Type", "application/json; charset=utf-8"}},
		"another port":                   {403, []string{"Origin", "http://127.0.0.1:1", "Sec-Fetch-Site", "same-site"}},
		"a name that resolves to us":     {421, []string{"Host", "evil.example.com:" + port}},
		"that name as origin as well":    {421, []string{"Host", "evil.example.com", "Origin", "http://evil.example.com"}},
		"our name with another's port":   {421, []string{"Host", "127.0.0.1:1"}},
		"a form":                         {415, []string{"Content-Type", "text/plain"}},
		"a form without a type, as such": {415, []string{"Content-Type", ""}},
	} {
		if status, text := d.ask(http.MethodPost, path, order, c.header...); status != c.status {
			t.Errorf("%s: %d %s, want %d", name, status, text, c.status)
		}
	}
	for _, path := range []string{"/", "/api/state", "/api/stream", "/api/notifications"} {
		if status, _ := d.ask(http.MethodGet, path, "", "Host", "evil.example.com:"+port); status != 421 {
			t.Errorf("%s is shown to whoever asks for evil.example.com: %d", path, status)
		}
	}
	for _, site := range []string{"cross-site", "same-site"} {
		if status, _ := d.ask(http.MethodGet, "/api/state", "", "Sec-Fetch-Site", site); status != 403 {
			t.Errorf("a page of another origin (%s) may ask: %d", site, status)
		}
	}
	if status, _ := d.ask(http.MethodGet, "/", "", "Sec-Fetch-Site", "cross-site"); status != 200 {
		t.Errorf("a link to the page does not work: %d", status)
	}
	if n := d.source.Sessions(); n != 1 {
		t.Errorf("%d sessions", n)
	}
}

func TestTheConsoleIsForThisMachine(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", ":0", "192.168.0.7:0", "example.com:0", "8401", "[::]:0"} {
		if listener, err := console.Listen(address); err == nil {
			t.Errorf("it listens at %s", listener.Addr())
			_ = listener.Close()
		}
	}
}

func TestNothingSecretIsShown(t *testing.T) {
	d := newDesk(t)
	d.connect()
	d.expect("POST", "/api/sources/EchoSource/publish", `{"n":1}`, 204, "")
	data, _ := d.stream("").until("traffic", "publish sent")
	_, state := d.ask(http.MethodGet, "/api/state", "")
	_, page := d.ask(http.MethodGet, "/", "")
	if text := data + state + page; strings.Contains(text, "hush") {
		t.Errorf("a secret in %s", text)
	}
}

func TestHeaders(t *testing.T) {
	d := newDesk(t)
	response, err := d.client.Get(d.url + "/")
	d.must(err)
	_ = response.Body.Close()
	for name, want := range map[string]string{
		"Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
		"X-Content-Type-Options":  "nosniff",
		"Referrer-Policy":         "no-referrer",
		"Cache-Control":           "no-store",
	} {
		if got := response.Header.Values(name); len(got) != 1 || got[0] != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

// Whoever opens the local Vantiq's own address is sent to the console, unless it is another machine: there it is not.
func TestOnlyThisMachineIsSentToTheConsole(t *testing.T) {
	d := newDesk(t)
	for _, c := range []struct {
		method, path, from string
		sent               bool
	}{
		{"GET", "/", "127.0.0.1:50000", true},
		{"GET", "/", "[::1]:50000", true},
		{"GET", "/", "192.0.2.7:50000", false},
		{"GET", "/", "[2001:db8::7]:50000", false},
		{"GET", "/", "", false},
		{"GET", "/api/v1/wsock/websocket", "127.0.0.1:50000", false},
		{"POST", "/", "127.0.0.1:50000", false},
	} {
		request := httptest.NewRequest(c.method, c.path, nil)
		request.RemoteAddr = c.from
		w := httptest.NewRecorder()
		sent := d.console.Redirect(w, request)
		if location := w.Header().Get("Location"); sent != c.sent || (location == d.url && w.Code == http.StatusTemporaryRedirect) != c.sent {
			t.Errorf("%s %s from %s: %t, %d %q", c.method, c.path, c.from, sent, w.Code, location)
		}
	}
}
