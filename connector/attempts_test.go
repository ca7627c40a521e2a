package connector_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// rates counts how many attempts fall into each minute.
func rates(began time.Time, attempts []time.Time) (perMinute []int) {
	for _, at := range attempts {
		minute := int(at.Sub(began) / time.Minute)
		for len(perMinute) <= minute {
			perMinute = append(perMinute, 0)
		}
		perMinute[minute]++
	}
	return perMinute
}

// Whatever the shape of the rejection, and whatever comes before it: Run returns at once, with the server's words and
// without the token, and nothing is tried again.
func TestARejectedTokenIsFinal(t *testing.T) {
	const token = "hunter2"
	for _, before := range []struct {
		name     string
		statuses []string
	}{
		{"", nil},
		{" behind 12 of status 100", slices.Repeat([]string{`{"status":100}`}, 12)},
		{" behind 12 of status 200", slices.Repeat([]string{`{"status":200}`}, 12)}, // the first looks like the answer
	} {
		for name, c := range map[string]struct {
			answer string
			status int
			words  string
		}{
			"a list":       {`{"status":401,"body":[{"code":"authFailure","message":"invalid authToken hunter2"}]}`, 401, "invalid authToken [redacted] (authFailure)"},
			"an object":    {`{"status":401,"body":{"code":"authFailure","message":"invalid authToken hunter2"}}`, 401, "invalid authToken [redacted] (authFailure)"},
			"a string":     {`{"status":401,"body":"invalid authToken hunter2"}`, 401, "invalid authToken [redacted]"},
			"no body":      {`{"status":401}`, 401, "status 401"},
			"an empty one": {`{"status":401,"body":[]}`, 401, "status 401"},
			"an odd one":   {`{"status":401,"body":[null,7]}`, 401, "7"},
			"a 403":        {`{"status":403}`, 403, "status 403"},
			"a 400":        {`{"status":400,"body":"what hunter2?"}`, 400, "what [redacted]?"},
		} {
			if strings.HasSuffix(before.name, "200") && c.status != 401 {
				continue // behind a success only a 401 is certain to be about the token
			}
			t.Run(name+before.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					log := &record{}
					b := setUp(t, nil, connector.Options{AuthToken: token, Logger: log.logger()})
					b.server.Intercept(func(l *vantiqtest.Link, m protocol.Message) bool {
						if _, ok := m.(*protocol.Validate); ok {
							for _, status := range before.statuses {
								l.Send(status)
							}
							l.Send(c.answer)
						}
						return true
					})
					b.run(echo())
					err := b.endsWithin(time.Second)
					var status *connector.StatusError
					if !errors.As(err, &status) || status.Status != c.status || !strings.Contains(err.Error(), c.words) {
						t.Errorf("Run returned %v, want %q", err, c.words)
					}
					pass(time.Hour)
					if dials := len(b.server.Dials()); dials != 1 {
						t.Errorf("it was tried %d times", dials)
					}
					s := b.conn.Stats()
					for what, text := range map[string]string{"the error": fmt.Sprintf("%v %+v", err, status), "the log": log.String(), "LastError": s.LastError} {
						if strings.Contains(text, token) {
							t.Errorf("the token is in %s: %s", what, text)
						}
					}
					if s.LastError != err.Error() || !strings.Contains(log.String(), "level=ERROR") {
						t.Errorf("LastError is %q, the log:\n%s", s.LastError, log)
					}
					if waited := b.conn.WaitConnected(b.soon()); !errors.Is(waited, err) {
						t.Errorf("WaitConnected returned %v", waited)
					}
					if err := b.conn.SendNotification(b.soon(), object{}); !errors.Is(err, connector.ErrClosed) {
						t.Errorf("sending returned %v", err)
					}
				})
			})
		}
	}
}

func TestWithATokenFileARejectedTokenIsTriedAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	write := func(token string) {
		if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{AuthTokenFile: file})
		b.run(echo()) // the file does not exist yet
		pass(10 * time.Second)
		write("wrong")
		pass(5 * time.Minute)
		if n := len(b.server.Dials()); n < 5 || n > 40 {
			t.Errorf("%d attempts in five minutes", n)
		}
		began := time.Now()
		write("local-token")
		b.must(b.conn.WaitConnected(b.soon()))
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("the new token was tried after %v", took)
		}
	})
}

func TestFailOnConnectionError(t *testing.T) {
	for name, strike := range map[string]func(b *bench){
		"nobody listens": func(b *bench) { b.server.Stop(vantiqtest.FIN) },
		"refused":        func(b *bench) { b.source.Refuse(1, &protocol.StatusError{Status: 404}) },
		"503":            func(b *bench) { b.server.Inject(vantiqtest.Fault{Op: protocol.OpValidate, Answer: `{"status":503}`}) },
	} {
		synctest.Test(t, func(t *testing.T) {
			b := setUp(t, nil, connector.Options{FailOnConnectionError: true})
			strike(b)
			b.run(echo())
			if err := b.endsWithin(patience); err == nil {
				t.Errorf("%s: Run returned nil", name)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) { // but only before the first session
		b := setUp(t, nil, connector.Options{FailOnConnectionError: true}).connect(echo())
		b.server.Stop(vantiqtest.FIN)
		pass(time.Minute)
		b.server.Start()
		b.session(2)
	})
}

// No HTTP status is final: it may come from a proxy, which knows nothing of the token.
func TestTheUpgradeMustBeAnsweredWith101(t *testing.T) {
	for status, text := range map[int]string{
		200: "200 OK", 301: "301 Moved Permanently", 400: "400 Bad Request", 401: "401 Unauthorized", 403: "403 Forbidden", 404: "404 Not Found",
		407: "407 Proxy Authentication Required", 429: "429 Too Many Requests", 502: "502 Bad Gateway", 503: "503 Service Unavailable",
	} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := new(record)
				b := setUp(t, nil, connector.Options{Logger: log.notable()})
				remove := b.server.InterceptUpgrade(func(w http.ResponseWriter, _ *http.Request) bool {
					w.Header().Set("Location", "https://elsewhere.example.com/path?secret=1")
					http.Error(w, "<html>whatever it is, it is not Vantiq</html>", status)
					return true
				})
				b.run(echo())
				pass(time.Minute)
				said := b.conn.Stats().LastError
				for _, want := range []string{text, "targetServer", "ws://vantiq.test"} {
					if !strings.Contains(said, want) {
						t.Errorf("%q does not say %s", said, want)
					}
				}
				if status == 301 && (!strings.Contains(said, "elsewhere.example.com") || strings.Contains(said, "secret=1")) {
					t.Errorf("it does not say where to, or too much: %s", said)
				}
				if n := strings.Count(log.String(), "targetServer"); n != 1 {
					t.Errorf("it was logged %d times: %s", n, log)
				}
				if dials := len(b.server.Dials()); dials < 5 || dials > 80 { // waits are random: 50 are usual
					t.Errorf("%d attempts in a minute", dials)
				}
				remove()
				b.must(b.conn.WaitConnected(b.soon()))
			})
		})
	}
}
