package interop_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vantiq-go/connectorsdk/internal/interop"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// TestServeInEveryScenario runs "vantiqdev serve" and a connector in a directory that holds nothing but a server.config, and
// steers it through its console. The connector is each of the peers, and a program on the official SDK for Python, unchanged.
func TestServeInEveryScenario(t *testing.T) {
	program := buildVantiqdev(t)
	for sdk, newPeer := range peers {
		t.Run(sdk+" peer", func(t *testing.T) {
			t.Parallel()
			inEveryScenario(t, program, sdk, func(t *testing.T, vantiq *served) {
				p := newPeer(interop.Target{URL: endpoint(vantiq.url), Token: serveToken, Source: sourceName, Secret: sourceName + "_5f0c"})
				if java, ok := p.(*interop.Java); ok {
					java.Wait = 500 * time.Millisecond // time is real here, and the test would take more than a minute
				}
				run(t, p)
			})
		})
	}
	t.Run("Python SDK", func(t *testing.T) {
		interpreter := python(t)
		t.Parallel()
		inEveryScenario(t, program, "Python", func(t *testing.T, vantiq *served) { startSDK(t, interpreter, vantiq.directory) })
	})
}

// buildVantiqdev returns the program, or skips the test if it is to be short.
func buildVantiqdev(t *testing.T) string {
	t.Helper()
	if testing.Short() && !required() {
		t.Skip("vantiqdev is built for it")
	}
	program := filepath.Join(t.TempDir(), "vantiqdev")
	if runtime.GOOS == "windows" {
		program += ".exe"
	}
	if out, err := exec.Command("go", "build", "-o", program, "github.com/vantiq-go/connectorsdk/cmd/vantiqdev").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return program
}

// inEveryScenario fails as well if the console does not tell the SDK.
func inEveryScenario(t *testing.T, program, sdk string, start func(*testing.T, *served)) {
	t.Helper()
	play(t, func(t *testing.T, scenario string, play func(*testing.T, local)) {
		t.Run(scenario, func(t *testing.T) {
			t.Parallel()
			vantiq := startServe(t, program)
			start(t, vantiq)
			play(t, vantiq)
			if state := vantiq.state(); state.SDK != sdk {
				t.Errorf("the console says %+v, want the SDK for %s", state, sdk)
			}
		})
	})
}

const serveToken = "K1x+/="

// A served is a process of "vantiqdev serve". It is steered as its page and its commands do it.
type served struct {
	t         *testing.T
	directory string // which it was started in
	url       string // what is in targetServer
	console   string
	client    http.Client
	ctx       context.Context
	events    *bufio.Scanner // its notifications
}

// provoked are the problems that a scenario causes on purpose; there must be no others, like those of odd messages.
var provoked = regexp.MustCompile(`^! +(` + sourceName + `|link \d+) +(the auth token was rejected|the connect was refused|the link was lost)`)

// startServe starts one with a source that is configured with firstConfig, and to which nobody has connected yet.
func startServe(t *testing.T, program string) *served {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	s := &served{t: t, url: "http://" + freeAddress(t), ctx: ctx}
	s.directory = connectorDirectory(t, s.url, serveToken, "")
	command := exec.Command(program, "serve", "-console", "127.0.0.1:0")
	command.Dir, command.Stderr = s.directory, os.Stderr
	stdout, err := command.StdoutPipe()
	if err == nil {
		err = command.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	said := make(chan struct{})
	t.Cleanup(func() {
		cancel()
		s.client.CloseIdleConnections()
		if runtime.GOOS == "windows" {
			_ = command.Process.Kill()
		} else if err := command.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
		<-said
		if err := command.Wait(); err != nil && runtime.GOOS != "windows" {
			t.Errorf("vantiqdev serve ended with %v", err)
		}
	})
	for s.console == "" && lines.Scan() {
		_, s.console, _ = strings.Cut(lines.Text(), "its console is at ")
	}
	go func() { // read on, or it would block
		defer close(said)
		for lines.Scan() {
			if line := lines.Text(); strings.HasPrefix(line, "! ") && !provoked.MatchString(line) {
				t.Errorf("vantiqdev serve says %s", line)
			}
		}
	}()
	if s.console == "" {
		t.Fatal("vantiqdev serve has not said where its console is")
	}
	s.Reconfigure(firstConfig)
	s.events = bufio.NewScanner(s.request(http.MethodGet, "/api/notifications?source="+sourceName, "").Body)
	s.events.Buffer(nil, 1<<20)
	return s
}

// freeAddress returns one at which nobody listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// request asks the console. The body of what it answers is closed with the test.
func (s *served) request(method, path, body string) *http.Response {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.ctx, method, s.console+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := s.client.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = response.Body.Close() })
	return response
}

// tell asks the console for something, and reads the answer into result unless that is nil.
func (s *served) tell(method, path, body string, result any) error {
	s.t.Helper()
	response := s.request(method, "/api"+path, body)
	text, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if response.StatusCode >= 300 {
		var failed struct{ Error *failure }
		if err := json.Unmarshal(text, &failed); err != nil || failed.Error == nil {
			s.t.Fatalf("%s %s was answered with %s: %s", method, path, response.Status, text)
		}
		return failed.Error
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(text, result)
}

// do is tell for what must not fail.
func (s *served) do(method, path, body string) {
	s.t.Helper()
	if err := s.tell(method, path, body, nil); err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
}

func (s *served) fault(format string, args ...any) {
	s.t.Helper()
	s.do(http.MethodPost, "/sources/"+sourceName+"/fault", fmt.Sprintf(format, args...))
}

func (s *served) Publish(message string) error {
	return s.tell(http.MethodPost, "/sources/"+sourceName+"/publish", message, nil)
}

func (s *served) Query(parameters string) (rows []string, err error) {
	var answer struct{ Rows []json.RawMessage }
	err = s.tell(http.MethodPost, "/sources/"+sourceName+"/query", parameters, &answer)
	for _, row := range answer.Rows {
		rows = append(rows, string(row))
	}
	return rows, err
}

func (s *served) Notification() string {
	s.t.Helper()
	var event struct{ Notification json.RawMessage }
	if !s.events.Scan() {
		s.t.Fatalf("there came no notification: %v", s.events.Err())
	}
	if err := json.Unmarshal(s.events.Bytes(), &event); err != nil {
		s.t.Fatalf("%v in %s", err, s.events.Text())
	}
	return string(event.Notification)
}

func (s *served) Reconfigure(config string) {
	s.t.Helper()
	s.do(http.MethodPut, "/sources/"+sourceName+"/config", config)
}

func (s *served) RequireReconnect() { s.fault(`{"do":"reconnect"}`) }

func (s *served) Drop(how vantiqtest.Drop) {
	s.t.Helper()
	word := strconv.Itoa(int(how))
	if how < 0 {
		word = map[vantiqtest.Drop]string{vantiqtest.FIN: "FIN", vantiqtest.RST: "RST", vantiqtest.Vanish: "vanish"}[how]
	}
	s.fault(`{"do":"drop","how":%q}`, word)
}

func (s *served) Refuse(times int)     { s.fault(`{"do":"refuse","times":%d}`, times) }
func (s *served) Reactivate(times int) { s.fault(`{"do":"reactivate","times":%d}`, times) }
func (s *served) Outage()              { s.do(http.MethodPost, "/server/restart", `{"seconds":0.2}`) }
func (s *served) Sessions() int        { return s.state().Sessions }

// A sourceState is what the console says of a source.
type sourceState struct {
	Sessions int
	SDK      string
}

type serverState struct{ Sources []sourceState }

func (s *served) state() sourceState {
	s.t.Helper()
	var state serverState
	if err := s.tell(http.MethodGet, "/state", "", &state); err != nil || len(state.Sources) != 1 {
		s.t.Fatalf("the state is %+v, %v; want that of one source", state, err)
	}
	return state.Sources[0]
}

// WaitSession reads the live stream, whose first event is the present state.
func (s *served) WaitSession(n int) {
	s.t.Helper()
	response := s.request(http.MethodGet, "/api/stream", "")
	defer func() { _ = response.Body.Close() }()
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 1<<20)
	for event := ""; lines.Scan(); {
		if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
			event = name
		}
		var state serverState
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if ok && event == "state" && json.Unmarshal([]byte(data), &state) == nil && state.Sources[0].Sessions >= n {
			return
		}
	}
	s.t.Fatalf("session %d has not begun: %v", n, lines.Err())
}
