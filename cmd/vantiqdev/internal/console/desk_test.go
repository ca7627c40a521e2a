package console_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/vantiq-go/connectorsdk/cmd/vantiqdev/internal/console"
	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/connectorset"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait of these tests.
const patience = 20 * time.Second

const secretToken = "hush-the-token"

// A desk is a local Vantiq with a console, and somebody at it.
type desk struct {
	t       *testing.T
	vantiq  *vantiqtest.Server
	source  *vantiqtest.Source
	console *console.Console
	url     string
	client  *http.Client
}

func newDesk(t *testing.T, options ...vantiqtest.Option) *desk {
	t.Helper()
	traffic := console.NewTraffic()
	d := &desk{t: t, client: &http.Client{Transport: &http.Transport{}, Timeout: patience}}
	d.vantiq = vantiqtest.NewServer(append(options, vantiqtest.WithToken(secretToken), vantiqtest.WithObserver(traffic.Observe))...)
	d.source = d.vantiq.Source("EchoSource", map[string]any{"prefix": "> "})
	d.source.HandleNotifications(func(connector.Document) {})
	listener, err := console.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d.console = console.New(d.vantiq, traffic, traffic.Observe, listener)
	d.url = d.console.URL()
	served := make(chan error, 1)
	go func() { served <- d.console.Serve() }()
	t.Cleanup(func() {
		d.vantiq.Close()
		d.console.Close()
		if err := <-served; err != nil {
			t.Error(err)
		}
		d.client.CloseIdleConnections()
	})
	return d
}

// connect connects a connector that echoes, and returns when it is connected.
func (d *desk) connect() {
	d.t.Helper()
	config := connectorset.Config{Sources: []string{"EchoSource"}, TCPProbePort: -1}
	config.TargetServer, config.AuthToken, config.ReconnectSecret = d.vantiq.URL(), secretToken, "hush-the-secret"
	config.DrainTime = 300 * time.Millisecond
	set, err := connectorset.New(config)
	if err != nil {
		d.t.Fatal(err)
	}
	set.SetHandlers(connector.Handlers{
		Publish: func(ctx context.Context, c *connector.SourceConnection, m connector.Document) error {
			return c.SendNotification(ctx, m)
		},
		Query: func(ctx context.Context, _ *connector.SourceConnection, q *connector.Query) error {
			switch q.Parameters().String() {
			case `{"fail":true}`:
				return connector.QueryError{Code: "not.today", Template: "not {0}", Parameters: []any{"today"}}
			case `{"never":true}`:
				return connector.ErrAnswerLater
			}
			if err := q.Partial(ctx, q.Parameters()); err != nil {
				return err
			}
			return q.Complete(ctx, q.Parameters())
		},
	})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- set.Run(ctx) }()
	d.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			d.t.Error(err)
		}
	})
	d.must(d.source.WaitConnected(d.soon()))
}

func (d *desk) soon() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	d.t.Cleanup(cancel)
	return ctx
}

func (d *desk) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

// ask sends a request, and returns status and body of the answer.
func (d *desk) ask(method, path, body string, header ...string) (int, string) {
	d.t.Helper()
	request, err := http.NewRequest(method, d.url+path, strings.NewReader(body))
	d.must(err)
	if method != http.MethodGet {
		request.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			request.Host = header[i+1]
		}
		request.Header.Set(header[i], header[i+1])
	}
	response, err := d.client.Do(request)
	d.must(err)
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	d.must(err)
	return response.StatusCode, string(text)
}

// expect fails the test unless a request is answered with that status and a text that holds want.
func (d *desk) expect(method, path, body string, status int, want string) {
	d.t.Helper()
	if got, text := d.ask(method, path, body); got != status || !strings.Contains(text, want) {
		d.t.Errorf("%s %s %s: %d %s, want %d and %s", method, path, body, got, text, status, want)
	}
}

// state returns what the page shows of the source.
func (d *desk) state() (s struct {
	Server struct {
		Stopped bool
		Started time.Time
	}
	Sources []struct {
		Name, Peer, SDK string
		Connected       bool
		Since           *time.Time
		Sessions        int
		Config          json.RawMessage
		Faults          map[string]any
		Totals          map[string]int
	}
}) {
	d.t.Helper()
	_, text := d.ask(http.MethodGet, "/api/state", "")
	d.must(json.Unmarshal([]byte(text), &s))
	return s
}

// A reader reads a stream of server-sent events.
type reader struct {
	t     *testing.T
	lines *bufio.Reader
}

func (d *desk) stream(query string, header ...string) reader {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	d.t.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, d.url+"/api/stream"+query, nil)
	d.must(err)
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := d.client.Do(request)
	d.must(err)
	d.t.Cleanup(func() { _ = response.Body.Close() })
	return reader{d.t, bufio.NewReader(response.Body)}
}

// next returns the data and the id of the next event of that name.
func (r reader) next(name string) (data, id string) {
	r.t.Helper()
	current := ""
	for {
		line, err := r.lines.ReadString('\n')
		if err != nil {
			r.t.Fatalf("no %s came: %v", name, err)
		}
		field, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch field {
		case "event":
			current, id = value, ""
		case "id":
			id = value
		case "data":
			if current == name {
				return value, id
			}
		}
	}
}

// until reads events of that name until one of them holds text.
func (r reader) until(name, text string) (data, id string) {
	r.t.Helper()
	for {
		if data, id = r.next(name); strings.Contains(data, text) {
			return data, id
		}
	}
}
