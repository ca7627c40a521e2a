package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// startHost starts a host that answers requests.
func startHost(t *testing.T, handle http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	return server
}

// startWith runs the connector with one source that may make requests to these hosts.
func startWith(t *testing.T, hosts object, more ...object) *vantiqtest.Source {
	t.Helper()
	requests := object{"hosts": hosts}
	for _, members := range more {
		for name, value := range members {
			requests[name] = value
		}
	}
	_, source, _ := startOne(t, object{"requests": requests})
	return source
}

// ask asks a query that is answered with one row.
func ask(t *testing.T, source *vantiqtest.Source, parameters object) (answer struct {
	Status         int
	Headers        map[string]string
	Body, Encoding string
}) {
	t.Helper()
	rows, err := source.Query(t.Context(), parameters)
	if err != nil || len(rows) != 1 {
		t.Fatalf("%v: %v (%v)", parameters, rows, err)
	}
	answer.Body = member(t, rows[0], "body")
	if err := rows[0].Decode(&struct {
		Status   *int
		Headers  *map[string]string
		Encoding *string
	}{&answer.Status, &answer.Headers, &answer.Encoding}); err != nil {
		t.Fatal(err)
	}
	return answer
}

// fails expects a query to fail with a code, and a text that says all of this.
func fails(t *testing.T, source *vantiqtest.Source, parameters object, code string, texts ...string) {
	t.Helper()
	rows, err := source.Query(t.Context(), parameters)
	var failed protocol.QueryError
	if !errors.As(err, &failed) || failed.Code != code {
		t.Errorf("%v: rows %v, error %v, want %s", parameters, rows, err, code)
		return
	}
	for _, text := range texts {
		if !strings.Contains(failed.Message(), text) {
			t.Errorf("%q does not say %q", failed.Message(), text)
		}
	}
}

func TestAQueryMakesARequest(t *testing.T) {
	host := startHost(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Set-Cookie", "stays=here")
		w.WriteHeader(http.StatusTeapot)
		_, _ = fmt.Fprintf(w, "%s %s key=%s type=%s accept=%s %s", r.Method, r.RequestURI, r.Header.Get("X-Key"), r.Header.Get("Content-Type"), r.Header.Get("Accept"), body)
	})
	source := startWith(t, object{"api": object{"url": host.URL, "private": "true", "headers": object{"x-key": "the-key"}}})
	for _, test := range []struct {
		parameters object
		want       string
	}{
		{object{}, "GET / key=the-key type= accept= "},
		{object{"host": "api", "path": "/a%2Fb/c?x=1", "query": object{"y": []any{2, true}, "n": 9007199254740993}},
			"GET /a%2Fb/c?n=9007199254740993&x=1&y=2&y=true key=the-key type= accept= "},
		{object{"path": "/a", "query": object{"y": nil, "z": []any{nil, "", false}}}, "GET /a?z=&z=false key=the-key type= accept= "},
		{object{"method": "put", "path": "/a", "body": object{"n": 9007199254740993}, "headers": object{"Accept": "text/csv"}},
			`PUT /a key=the-key type=application/json accept=text/csv {"n":9007199254740993}`},
		{object{"method": "POST", "body": "a=1", "headers": object{"content-type": "application/x-www-form-urlencoded"}},
			"POST / key=the-key type=application/x-www-form-urlencoded accept= a=1"},
		{object{"method": "POST", "body": "AAE=", "encoding": "base64"}, "POST / key=the-key type=application/octet-stream accept= \x00\x01"},
		{object{"path": "/../../etc"}, "GET /../../etc key=the-key type= accept= "},
	} {
		answer := ask(t, source, test.parameters)
		if want, _ := protocol.AppendJSON(nil, test.want); answer.Status != http.StatusTeapot || answer.Body != string(want) {
			t.Errorf("%v: %d %s, want %s", test.parameters, answer.Status, answer.Body, want)
		}
		if answer.Headers["content-type"] != "text/plain" || answer.Headers["set-cookie"] != "" {
			t.Errorf("%v: headers %v", test.parameters, answer.Headers)
		}
	}
}

func TestAPublishMakesARequest(t *testing.T) {
	came := make(chan string, 1)
	host := startHost(t, func(w http.ResponseWriter, r *http.Request) {
		came <- r.Method + " " + r.RequestURI
		if r.URL.Path == "/fails" {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	running, source, _ := startOne(t, object{"requests": object{"hosts": object{"api": object{"url": host.URL, "private": true}}}})
	for _, path := range []string{"/fails", "/works"} {
		if err := source.Publish(t.Context(), object{"method": "POST", "path": path}); err != nil {
			t.Fatal(err)
		}
		if got := <-came; got != "POST "+path {
			t.Errorf("the host got %s", got)
		}
	}
	if err := running.Stop(); err != nil {
		t.Fatal(err)
	}
	if s := running.Connection("a").Stats(); s.Publishes != 2 || s.PublishErrors != 1 {
		t.Errorf("%d publishes, %d errors", s.Publishes, s.PublishErrors)
	}
}

func TestAnAnswerHasTheFormThatSuitsVAIL(t *testing.T) {
	host := startHost(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Content-Type"] = r.Header["X-Type"]
		_, _ = io.WriteString(w, r.Header.Get("X-Body"))
	})
	source := startWith(t, object{"api": object{"url": host.URL, "private": true}})
	for _, test := range []struct{ contentType, body, want, encoding string }{
		{"application/json", `{"n":9007199254740993,"x":1.10}`, `{"n":9007199254740993,"x":1.10}`, ""},
		{"application/problem+json", `[]`, `[]`, ""},
		{"text/html", `<p>`, `"<p>"`, ""},
		{"image/png", "png", `"cG5n"`, "base64"},
		{"application/json", "", `null`, ""},
	} {
		answer := ask(t, source, object{"headers": object{"X-Type": test.contentType, "X-Body": test.body}})
		if answer.Body != test.want || answer.Encoding != test.encoding {
			t.Errorf("%s %q became %s, encoding %s", test.contentType, test.body, answer.Body, answer.Encoding)
		}
	}
	fails(t, source, object{"headers": object{"X-Type": "application/json", "X-Body": `{"a":`}}, "webhook.badResponse", "malformed JSON")
}

func TestRowsAreStreamed(t *testing.T) {
	const rows = 20_000
	host := startHost(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/rows":
			_, _ = io.WriteString(w, "[")
			for n := range rows {
				_, _ = fmt.Fprintf(w, `%s{"n": %d, "x": 1.10}`, strings.Repeat(",", min(n, 1)), n)
			}
			_, _ = io.WriteString(w, "]")
		case "/none":
			_, _ = io.WriteString(w, " [ ] ")
		case "/object":
			_, _ = io.WriteString(w, "{}")
		case "/numbers":
			_, _ = io.WriteString(w, "[1]")
		case "/cut":
			_, _ = io.WriteString(w, `[{"n":1},{"n"`)
		case "/endless":
			for {
				if _, err := io.WriteString(w, strings.Repeat("[", 1000)); err != nil {
					return
				}
			}
		default:
			http.NotFound(w, r)
		}
	})
	source := startWith(t, object{"api": object{"url": host.URL, "private": true}}, object{"maxResponse": 1_000_000})
	got, err := source.Query(t.Context(), object{"path": "/rows", "rows": true})
	if err != nil || len(got) != rows {
		t.Fatalf("%d rows (%v)", len(got), err)
	}
	for n, row := range got {
		if row.String() != fmt.Sprintf(`{"n": %d, "x": 1.10}`, n) {
			t.Fatalf("row %d is %s", n, row)
		}
	}
	if got, err = source.Query(t.Context(), object{"path": "/none", "rows": true}); err != nil || len(got) != 0 {
		t.Errorf("rows %v (%v), want none", got, err)
	}
	fails(t, source, object{"path": "/object", "rows": true}, "webhook.badResponse", "api", "not a JSON array")
	fails(t, source, object{"path": "/numbers", "rows": true}, connector.CodeHandlerError, "not a JSON object")
	fails(t, source, object{"path": "/cut", "rows": true}, "webhook.badResponse", "unexpected EOF")
	fails(t, source, object{"path": "/endless", "rows": true}, "webhook.badResponse")
	fails(t, source, object{"path": "/endless"}, "webhook.badResponse", "larger than webhookConfig.requests.maxResponse, 1000000 bytes")
	fails(t, source, object{"path": "/missing", "rows": true}, "webhook.status", "404 Not Found")
}

func TestWhatAQueryMayNotSay(t *testing.T) {
	host := startHost(t, func(http.ResponseWriter, *http.Request) { t.Error("a request was made") })
	source := startWith(t, object{
		"api":   object{"url": host.URL, "private": true, "headers": object{"x-key": "the-key"}},
		"other": object{"url": "https://example.com"},
	})
	fails(t, source, object{}, "webhook.notAllowed", `host ""`)
	fails(t, source, object{"host": host.URL}, "webhook.notAllowed", "webhookConfig.requests.hosts")
	for _, path := range []string{"//example.com/", "http://example.com/", "no-slash", "@example.com", "/%zz", "/\x7f"} {
		fails(t, source, object{"host": "api", "path": path}, "webhook.badRequest", "path: it must begin with a single slash")
	}
	for path, query := range map[string]object{"/?a=1;b=2": nil, "/?a=100%": nil, "/": {"a": object{"b": 1}}, "/?": {"a": []any{[]any{1}}}} {
		fails(t, source, object{"host": "api", "path": path, "query": query}, "webhook.badRequest", "query")
	}
	for _, name := range []string{"Authorization", "cookie", "X-Key", "Proxy-Authorization"} {
		fails(t, source, object{"host": "api", "headers": object{name: "x"}}, "webhook.badRequest", "cannot be set here")
	}
	fails(t, source, object{"host": "api", "headers": object{"X-A": "a\r\nX-B: b"}}, "webhook.requestFailed")
	fails(t, source, object{"host": "api", "method": "GET /"}, "webhook.badRequest", "method")
	fails(t, source, object{"host": "api", "body": "!", "encoding": "base64"}, "webhook.badRequest", "base64")
	fails(t, source, object{"host": "api", "bdoy": "x"}, "webhook.badRequest", "bdoy")
}

// A redirect is followed to allowed hosts only, and no host gets the credentials of another.
func TestRedirectsStayWithinTheAllowedHosts(t *testing.T) {
	var keys []string
	second := startHost(t, func(w http.ResponseWriter, r *http.Request) {
		keys = append(keys, r.Header.Get("X-First")+r.Header.Get("X-Second")+r.Header.Get("Referer"))
		_, _ = io.WriteString(w, "here")
	})
	elsewhere := startHost(t, func(http.ResponseWriter, *http.Request) { t.Error("a redirect led elsewhere") })
	first := startHost(t, func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("X-First") + r.Header.Get("X-Second"); got != "1" {
			t.Errorf("the first host got the headers %q", got)
		}
		http.Redirect(w, r, r.URL.Query().Get("to"), http.StatusTemporaryRedirect)
	})
	source := startWith(t, object{
		"first":  object{"url": first.URL, "private": true, "headers": object{"X-First": "1"}},
		"second": object{"url": second.URL, "private": true, "headers": object{"X-Second": "2"}},
	})
	if answer := ask(t, source, object{"host": "first", "query": object{"to": second.URL + "/x"}}); answer.Body != `"here"` {
		t.Errorf("the answer is %+v", answer)
	}
	if len(keys) != 1 || keys[0] != "2" {
		t.Errorf("the second host got the headers %q", keys)
	}
	for _, to := range []string{elsewhere.URL, strings.Replace(second.URL, "http:", "https:", 1), "file:///etc/passwd", strings.Replace(second.URL, "127.0.0.1", "localhost", 1)} {
		fails(t, source, object{"host": "first", "query": object{"to": to}}, "webhook.requestFailed", "not among the allowed hosts")
	}
	fails(t, source, object{"host": "first", "query": object{"to": "/?to=/"}}, "webhook.requestFailed", "stopped after 10 redirects")
}

// A name may lead to this machine; whether a request follows it there is decided when it connects.
func TestPrivateAddressesAreRefusedUnlessConfigured(t *testing.T) {
	host := startHost(t, func(http.ResponseWriter, *http.Request) { t.Error("a request was made") })
	_, port, _ := strings.Cut(strings.TrimPrefix(host.URL, "http://"), ":")
	hosts := object{}
	for _, name := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0", "127.1"} {
		hosts[name] = object{"url": "http://" + name + ":" + port}
	}
	hosts["link-local"] = object{"url": "http://169.254.169.254", "private": true}
	source := startWith(t, hosts)
	for name := range hosts {
		text := "is not an address on the internet"
		if name == "127.1" { // no address, and no name that is known
			text = "127.1"
		}
		fails(t, source, object{"host": name}, "webhook.requestFailed", text)
	}
}

func TestAddresses(t *testing.T) {
	const public, private, never = 2, 1, 0
	for text, want := range map[string]int{
		"93.184.216.34": public, "2606:2800:220:1::1": public,
		"10.1.2.3": private, "172.16.0.1": private, "192.168.1.1": private, "127.0.0.1": private, "::1": private, "fd00::1": private,
		"100.64.0.1": private, "64:ff9b::7f00:1": private, "2002:7f00:1::": private, "::7f00:1": private,
		"169.254.169.254": never, "fe80::1": never, "0.0.0.0": never, "::": never, "224.0.0.1": never, "ff02::1": never, "255.255.255.255": never,
	} {
		for _, address := range []string{text, "::ffff:" + text} {
			a, err := netip.ParseAddr(address)
			if err != nil {
				continue // of IPv6 there is no such form
			}
			address = netip.AddrPortFrom(a, 443).String()
			onInternet, near := check(address, isPublic), check(address, isNear)
			if (onInternet == nil) != (want == public) || (near == nil) != (want != never) {
				t.Errorf("%s: public %v, near %v", address, onInternet, near)
			}
		}
	}
}

func TestNoProxyIsUsed(t *testing.T) {
	// net/http reads the environment once, so a test cannot change it.
	if newTransport(isNear).Proxy != nil {
		t.Error("a transport looks for a proxy")
	}
}

func TestASlowHostIsNotWaitedForLongerThanConfigured(t *testing.T) {
	host := startHost(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/body" {
			_, _ = io.WriteString(w, "[")
			_ = http.NewResponseController(w).Flush()
		}
		<-r.Context().Done()
	})
	source := startWith(t, object{"api": object{"url": host.URL, "private": true}}, object{"timeout": "200ms"})
	fails(t, source, object{"query": object{"token": "not-for-the-log"}}, "webhook.requestFailed", "deadline")
	fails(t, source, object{"path": "/body"}, "webhook.badResponse", "deadline")
	fails(t, source, object{"path": "/body", "rows": true}, "webhook.badResponse", "deadline")
}
