package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/connectorset"
	"github.com/vantiq-go/connectorsdk/connectortest"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

func TestARequestBecomesANotification(t *testing.T) {
	_, source, hooks := startOne(t, object{"general": object{"headers": []string{"x-topic", "X-Forwarded-For"}, "idHeader": "X-Delivery"}})
	response := do(hooks, http.MethodPost, "/hooks/a?n=1&tag=x&tag=y", `{"n": 9007199254740993, "x":1.10}`, http.Header{
		"Content-Type":    {"application/json; charset=utf-8"},
		"X-Topic":         {"orders", "more"},
		"X-Delivery":      {"d-1"},
		"Authorization":   {"Bearer stays-here"},
		"Cookie":          {"stays=here"},
		"X-Something":     {"stays here"},
		"X-Forwarded-For": {"203.0.113.9"},
	})
	if response.StatusCode != http.StatusAccepted {
		t.Fatalf("the answer is %s", response.Status)
	}
	event := next(t, source)
	received := member(t, event, "receivedAt")
	if _, err := time.Parse(`"2006-01-02T15:04:05.000Z"`, received); err != nil {
		t.Error(err)
	}
	want := `{"id":"d-1","method":"POST","path":"/hooks/a","query":{"n":"1","tag":["x","y"]},` +
		`"headers":{"x-forwarded-for":"203.0.113.9","x-topic":"orders, more"},"contentType":"application/json; charset=utf-8",` +
		`"body":{"n":9007199254740993,"x":1.10},"receivedAt":` + received + `,"remote":"192.0.2.1"}`
	if event.String() != want {
		t.Errorf("the event is\n%s, want\n%s", event, want)
	}
}

func TestABodyHasTheFormThatSuitsVAIL(t *testing.T) {
	_, source, hooks := startOne(t, nil)
	for _, test := range []struct{ contentType, body, want, encoding string }{
		{"application/json", `[1,{"a":null}]`, `[1,{"a":null}]`, ``},
		{"application/vnd.api+json", `"text"`, `"text"`, ``},
		{"application/json", ``, `null`, ``},
		{"application/json", "{\"a\":\"\xff\"}", "{\"a\":\"\uFFFD\"}", ``},
		{"application/x-www-form-urlencoded", "payload=%7B%7D&tag=x&tag=y", `{"payload":"{}","tag":["x","y"]}`, ``},
		{"application/x-www-form-urlencoded", "100%", `"MTAwJQ=="`, `"base64"`},
		{"text/plain", "hello <b>", `"hello <b>"`, ``},
		{"application/xml", "<a/>", `"<a/>"`, ``},
		{"image/svg+xml", "<svg/>", `"<svg/>"`, ``},
		{"", "hello", `"hello"`, ``},
		{"text/plain; charset=iso-8859-1", "caf\xe9", `"Y2Fm6Q=="`, `"base64"`},
		{"application/octet-stream", "hello", `"aGVsbG8="`, `"base64"`},
		{"image/png", "\x89PNG", `"iVBORw=="`, `"base64"`},
		{"not/a/type", "\x00", `"\u0000"`, ``},
	} {
		response := do(hooks, http.MethodPost, "/hooks/a", test.body, http.Header{"Content-Type": {test.contentType}})
		if response.StatusCode != http.StatusAccepted {
			t.Errorf("%s %q: %s", test.contentType, test.body, response.Status)
			continue
		}
		event := next(t, source)
		if body, encoding := member(t, event, "body"), member(t, event, "encoding"); body != test.want || encoding != test.encoding {
			t.Errorf("%s %q became %s, encoding %s", test.contentType, test.body, body, encoding)
		}
	}
}

func TestARequestThatCannotBeTakenIsRefused(t *testing.T) {
	config := object{"general": object{"maxBody": "200", "methods": []string{"POST", "put"}, "contentTypes": []string{"Application/JSON"}}}
	_, source, hooks := startOne(t, config)
	for _, test := range []struct {
		method, target, contentType, body string
		want                              int
	}{
		{"POST", "/hooks/b", "application/json", `{}`, http.StatusNotFound},
		{"POST", "/hooks/a/", "application/json", `{}`, http.StatusNotFound},
		{"POST", "/", "application/json", `{}`, http.StatusNotFound},
		{"GET", "/hooks/a", "application/json", ``, http.StatusMethodNotAllowed},
		{"POST", "/hooks/a", "text/plain", `{}`, http.StatusUnsupportedMediaType},
		{"POST", "/hooks/a", "", `{}`, http.StatusUnsupportedMediaType},
		{"POST", "/hooks/a", "application/json", `{"a":`, http.StatusBadRequest},
		{"POST", "/hooks/a", "application/json", `{} {}`, http.StatusBadRequest},
		{"POST", "/hooks/a?a=1;b=2", "application/json", `{}`, http.StatusBadRequest},
		{"POST", "/hooks/a?a=100%", "application/json", `{}`, http.StatusBadRequest},
		{"POST", "/hooks/a", "application/json", `"` + strings.Repeat("x", 199) + `"`, http.StatusRequestEntityTooLarge},
		{"PUT", "/hooks/a", "application/json", `"` + strings.Repeat("x", 198) + `"`, http.StatusAccepted},
	} {
		response := do(hooks, test.method, test.target, test.body, http.Header{"Content-Type": {test.contentType}})
		if response.StatusCode != test.want {
			t.Errorf("%s %s, a body of %d bytes: %s, want %d", test.method, test.target, len(test.body), response.Status, test.want)
		}
		if allow := response.Header.Get("Allow"); response.StatusCode == http.StatusMethodNotAllowed && allow != "POST, put" {
			t.Errorf("it allows %q", allow)
		}
	}
	next(t, source) // the last one
	if more := source.Notifications(); len(more) > 0 {
		t.Errorf("what was refused arrived: %v", more)
	}
}

// A body may be within its limit, and still too large, or too deep, for a message.
func TestARequestThatFitsIntoNoMessageIsRefused(t *testing.T) {
	_, source, hooks := startOne(t, object{"general": object{"maxBody": 1 << 20}})
	if status := post(hooks, `"`+strings.Repeat("x", 262144)+`"`); status != http.StatusRequestEntityTooLarge {
		t.Errorf("too large: %d", status)
	}
	if status := post(hooks, strings.Repeat("[", 1000)+strings.Repeat("]", 1000)); status != http.StatusBadRequest {
		t.Errorf("too deep: %d", status)
	}
	if status := post(hooks, `{}`); status != http.StatusAccepted {
		t.Fatalf("the next one: %d", status)
	}
	if body := member(t, next(t, source), "body"); body != `{}` {
		t.Errorf("%s arrived", body)
	}
}

func TestARequestWaitsForVantiqIfTheConfigurationSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		running, source, hooks := startOne(t, object{"general": object{"answer": "acknowledged", "answerWithin": "15s"}})
		if got := post(hooks, `{"n":0}`); got != http.StatusOK {
			t.Errorf("the first was answered %d", got)
		}
		next(t, source)
		source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
		status := make(chan int, 1)
		go func() { status <- post(hooks, `{"n":1}`) }()
		next(t, source)
		time.Sleep(12 * time.Second)
		select {
		case early := <-status:
			t.Errorf("it was answered %d before it was acknowledged", early)
			return
		default:
		}
		source.ReleaseAcknowledgements(1)
		if got := <-status; got != http.StatusOK {
			t.Errorf("it was answered %d", got)
		}

		began := time.Now()
		response := do(hooks, http.MethodPost, "/hooks/a", `{"n":2}`, jsonContent)
		if response.StatusCode != http.StatusGatewayTimeout || response.Header.Get("Retry-After") == "" || time.Since(began) != 15*time.Second {
			t.Errorf("without an acknowledgement it was answered %s after %v", response.Status, time.Since(began))
		}
		source.SetAcknowledgements(vantiqtest.Acknowledgements{})
		if err := running.Connection("a").Flush(t.Context()); err != nil {
			t.Error(err)
		}

		source.Inject(vantiqtest.Fault{Op: protocol.OpNotification, Answer: `{"status":400}`})
		if got := post(hooks, `{"n":3}`); got != http.StatusBadGateway {
			t.Errorf("what Vantiq refused was answered %d", got)
		}
	})
}

func TestWithoutVantiqOnlyAcceptedRequestsAreTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		running, hooks := start(t, map[string]object{"a": nil, "b": {"general": object{"answer": "acknowledged"}}})
		running.Server.Stop(vantiqtest.FIN)
		synctest.Wait()
		if status := post(hooks, `{"n":1}`); status != http.StatusAccepted {
			t.Errorf("accepted: %d", status)
		}
		response := do(hooks, http.MethodPost, "/hooks/b", `{}`, jsonContent)
		if response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") == "" {
			t.Errorf("acknowledged: %s", response.Status)
		}
		running.Server.Start()
		if body := member(t, next(t, running.Source("a")), "body"); body != `{"n":1}` {
			t.Errorf("%s arrived", body)
		}
	})
}

func TestAFullOutboxPushesBack(t *testing.T) {
	_, source, hooks := startOne(t, nil, connectortest.WithConfig(func(c *connectorset.Config) { c.OutboxMessages = 10 }))
	source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
	for n := range 10 {
		if status := post(hooks, fmt.Sprint(n)); status != http.StatusAccepted {
			t.Fatalf("request %d: %d", n, status)
		}
	}
	response := do(hooks, http.MethodPost, "/hooks/a", `10`, jsonContent)
	if response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") == "" {
		t.Errorf("one too many: %s", response.Status)
	}
	source.SetAcknowledgements(vantiqtest.Acknowledgements{})
	for n := range 10 {
		if body := member(t, next(t, source), "body"); body != fmt.Sprint(n) {
			t.Errorf("%s arrived instead of %d", body, n)
		}
	}
}

func TestTooManyRequestsAtOncePushBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		running, hooks := start(t, map[string]object{"a": {"general": object{"answer": "acknowledged"}}, "b": nil})
		source := running.Source("a")
		if got := post(hooks, `{}`); got != http.StatusOK {
			t.Errorf("the first: %d", got)
		}
		source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
		status := make(chan int, maxRequests)
		for range maxRequests {
			go func() { status <- post(hooks, `{}`) }()
		}
		synctest.Wait()
		if got := post(hooks, `{}`); got != http.StatusServiceUnavailable {
			t.Errorf("one too many: %d", got)
		}
		if got := do(hooks, http.MethodPost, "/hooks/b", `{}`, jsonContent).StatusCode; got != http.StatusAccepted {
			t.Errorf("another source: %d", got)
		}
		source.SetAcknowledgements(vantiqtest.Acknowledgements{})
		for range maxRequests {
			if got := <-status; got != http.StatusOK {
				t.Errorf("one of those that waited: %d", got)
			}
		}
		if got := post(hooks, `{}`); got != http.StatusOK {
			t.Errorf("afterwards: %d", got)
		}
	})
}

func TestAnEndedSourcePushesBack(t *testing.T) {
	running, _, hooks := startOne(t, nil)
	if err := running.Stop(); err != nil {
		t.Fatal(err)
	}
	if status := post(hooks, `{}`); status != http.StatusServiceUnavailable {
		t.Errorf("%d", status)
	}
}

// Until every source has its configuration, nobody knows whose a path is.
func TestAnUnknownPathIsNotFoundOnceAllSourcesAreConfigured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		running, hooks := start(t, map[string]object{"a": nil, "b": {"general": object{"path": "orders/new"}}})
		expect := func(path string, want int) {
			t.Helper()
			if got := do(hooks, http.MethodPost, path, `{}`, jsonContent).StatusCode; got != want {
				t.Errorf("%s: %d, want %d", path, got, want)
			}
		}
		expect("/hooks/orders/new", http.StatusAccepted)
		expect("/hooks/b", http.StatusNotFound)

		reconfigure := func(config object, sessions int) {
			t.Helper()
			running.Source("b").Reconfigure(object{"webhookConfig": config})
			if err := running.Source("b").WaitSession(t.Context(), sessions); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
		}
		reconfigure(object{"general": object{"answer": "sometimes"}}, 2)
		expect("/hooks/orders/new", http.StatusServiceUnavailable)
		expect("/hooks/a", http.StatusAccepted)
		reconfigure(object{"general": object{"path": "a"}}, 3) // it has an owner
		expect("/hooks/b", http.StatusServiceUnavailable)
		expect("/hooks/a", http.StatusAccepted)
		reconfigure(nil, 4)
		expect("/hooks/b", http.StatusAccepted)
		expect("/hooks/orders/new", http.StatusNotFound)
		synctest.Wait()
		if all := len(running.Source("b").Notifications()); all != 2 {
			t.Errorf("source b has %d notifications, want 2", all)
		}
	})
}

func TestFiftySourcesInOneProcess(t *testing.T) {
	sources := map[string]object{}
	for n := range 50 {
		sources[fmt.Sprintf("com.example.Source%d", n)] = nil
	}
	running, hooks := start(t, sources)
	for name := range sources {
		if status := do(hooks, http.MethodPost, "/hooks/"+name, `"`+name+`"`, jsonContent).StatusCode; status != http.StatusAccepted {
			t.Errorf("%s: %d", name, status)
		}
	}
	for name := range sources {
		if body := member(t, next(t, running.Source(name)), "body"); body != `"`+name+`"` {
			t.Errorf("%s got %s", name, body)
		}
	}
}

func TestAHookOutlivesTheLink(t *testing.T) {
	running, source, hooks := startOne(t, object{"general": object{"answer": "acknowledged"}})
	if got := running.Connection("a").State(); got != connector.Connected {
		t.Fatalf("it is %v", got)
	}
	before, _ := hooks.find("/hooks/a")
	source.Drop(vantiqtest.RST)
	if err := source.WaitSession(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	if err := running.Connection("a").WaitConnected(t.Context()); err != nil {
		t.Fatal(err)
	}
	if status := post(hooks, `{}`); status != http.StatusOK {
		t.Errorf("after the link was lost: %d", status)
	}
	if after, _ := hooks.find("/hooks/a"); after != before {
		t.Error("the hook was replaced although its configuration is as it was")
	}
}
