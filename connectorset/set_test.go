package connectorset_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/connectorset"
	"github.com/vantiq-go/connectorsdk/connectortest"
	"github.com/vantiq-go/connectorsdk/health"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

var echo = connector.Handlers{
	Publish: func(ctx context.Context, c *connector.SourceConnection, message connector.Document) error {
		return c.SendNotification(ctx, message)
	},
}

// rejected gives one source a token that the server rejects: its connection ends with an error.
func rejected(name string) connectorset.Option {
	return connectorset.Each(func(source string, o *connector.Options) {
		if source == name {
			o.AuthToken = "wrong"
		}
	})
}

func TestDrainAfterTheEndOfTheContextIsClean(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var closed atomic.Int32
		handlers := echo
		handlers.Close = func(_ context.Context, _ *connector.SourceConnection, cause error) error {
			if cause != nil {
				t.Errorf("Close with %v", cause)
			}
			closed.Add(1)
			return nil
		}
		running := connectortest.Start(t, handlers, connectortest.WithSource("A", nil), connectortest.WithSource("B", nil))
		for _, name := range []string{"A", "B"} {
			if err := running.Source(name).Publish(t.Context(), map[string]string{"from": name}); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if err := running.Stop(); err != nil {
			t.Errorf("Run: %v", err)
		}
		select {
		case <-running.Set.Draining():
		default:
			t.Error("Draining is not closed")
		}
		for _, name := range []string{"A", "B"} {
			if got := len(running.Source(name).Notifications()); got != 1 {
				t.Errorf("%s: %d notifications, want 1", name, got)
			}
			if state := running.Connection(name).State(); state != connector.Closed {
				t.Errorf("%s is %v", name, state)
			}
		}
		if closed.Load() != 2 {
			t.Errorf("%d Close handlers ran, want 2", closed.Load())
		}
	})
}

func TestHealthPortClosesBeforeAnythingElse(t *testing.T) {
	probe := health.NewProbe("127.0.0.1:0")
	var address string
	handlers := connector.Handlers{
		Close: func(context.Context, *connector.SourceConnection, error) error {
			if conn, err := net.Dial("tcp", address); err == nil {
				_ = conn.Close()
				t.Error("the health port is open while the source drains")
			}
			return nil
		},
	}
	running := connectortest.Start(t, handlers, connectortest.WithConfig(func(c *connectorset.Config) { c.Probe = probe }))
	set := running.Set
	if set.Health() != health.Undeclared {
		t.Errorf("%v before anything was declared", set.Health())
	}
	if err := set.DeclareHealthy(); err != nil || set.Health() != health.Healthy {
		t.Fatalf("DeclareHealthy: %v, %v", err, set.Health())
	}
	address = probe.Addr().String()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatalf("the health port is not open: %v", err)
	}
	_ = conn.Close()

	if err := set.DeclareUnhealthy(); err != nil || set.Health() != health.Unhealthy {
		t.Errorf("DeclareUnhealthy: %v, %v", err, set.Health())
	}
	if err := set.DeclareHealthy(); err != nil {
		t.Error(err)
	}
	address = probe.Addr().String()
	if err := running.Stop(); err != nil {
		t.Error(err)
	}
	if set.Health() != health.Unhealthy || !errors.Is(set.DeclareHealthy(), health.ErrClosed) {
		t.Errorf("%v after the end", set.Health())
	}
}

// A port that somebody else has is an error of the declaration, and of nothing else.
func TestAHealthPortThatIsTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().(*net.TCPAddr).Port
	running := connectortest.Start(t, echo, connectortest.WithConfig(func(c *connectorset.Config) {
		c.TCPProbeHost, c.TCPProbePort = "127.0.0.1", port
	}))
	if err := running.Set.DeclareHealthy(); err == nil || !strings.Contains(err.Error(), fmt.Sprint(port)) || !strings.Contains(err.Error(), "tcpProbePort") {
		t.Errorf("DeclareHealthy: %v", err)
	}
	if status := running.Set.Health(); status != health.Undeclared {
		t.Errorf("it is %v", status)
	}
	if err := running.Source("TestSource").Publish(t.Context(), map[string]int{}); err != nil {
		t.Error(err)
	}
	if _, err := running.Source("TestSource").Notification(t.Context()); err != nil {
		t.Errorf("the source does not work: %v", err)
	}
	_ = taken.Close()
	if err := running.Set.DeclareHealthy(); err != nil {
		t.Errorf("after the port was freed: %v", err)
	}
}

func TestASourceThatEndsWithAnErrorDoesNotStopTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ended []string
		var log bytes.Buffer
		probe := health.NewProbe("")
		if err := probe.DeclareHealthy(); err != nil {
			t.Fatal(err)
		}
		running := connectortest.Start(t, echo, connectortest.WithoutWaiting(),
			connectortest.WithConfig(func(c *connectorset.Config) { c.Probe = probe }),
			connectortest.WithSource("Good", nil), connectortest.WithSource("Bad", nil), connectortest.WithSource("Fine", nil),
			connectortest.WithSet(rejected("Bad"),
				connectorset.WithLogger(slog.New(slog.NewTextHandler(&log, nil))),
				connectorset.OnEnd(func(source string, err error) {
					var status *connector.StatusError
					if !errors.As(err, &status) {
						t.Errorf("OnEnd: %v", err)
					}
					ended = append(ended, source)
				})))
		time.Sleep(time.Second) // dials are paced
		synctest.Wait()
		if fmt.Sprint(ended) != "[Bad]" || running.Set.Health() != health.Unhealthy {
			t.Errorf("ended %v, %v", ended, running.Set.Health())
		}
		for _, name := range []string{"Good", "Fine"} {
			if err := running.Source(name).Publish(t.Context(), map[string]int{"n": 1}); err != nil {
				t.Error(err)
			}
			if _, err := running.Source(name).Notification(t.Context()); err != nil {
				t.Error(err)
			}
		}
		if err := running.Stop(); err == nil || !strings.Contains(err.Error(), "Bad") || strings.Contains(err.Error(), "\n") {
			t.Errorf("Run: %v", err)
		}
		if got := strings.Count(log.String(), "level=ERROR"); got != 1 {
			t.Errorf("%d errors logged, want 1:\n%s", got, &log)
		}
	})
}

func TestRunReturnsWhenAllSourcesHaveEndedWithAllErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		running := connectortest.Start(t, echo, connectortest.WithoutWaiting(),
			connectortest.WithSource("A", nil), connectortest.WithSource("B", nil), connectortest.WithSet(rejected("A"), rejected("B")))
		<-running.Set.Draining() // begins by itself
		err := running.Stop()
		joined, ok := err.(interface{ Unwrap() []error })
		if !ok || len(joined.Unwrap()) != 2 || !strings.Contains(joined.Unwrap()[0].Error(), "A") || !strings.Contains(joined.Unwrap()[1].Error(), "B") {
			t.Errorf("Run: %v", err)
		}
		if strings.Contains(err.Error(), "wrong") {
			t.Errorf("shows the token: %v", err)
		}
	})
}

func TestStopOnErrorDrainsTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		running := connectortest.Start(t, echo, connectortest.WithoutWaiting(),
			connectortest.WithSource("Good", nil), connectortest.WithSource("Bad", nil),
			connectortest.WithSet(rejected("Bad"), connectorset.StopOnError()))
		if err := running.Connection("Good").WaitConnected(t.Context()); err != nil && !errors.Is(err, connector.ErrClosed) {
			t.Error(err)
		}
		<-running.Set.Draining()
		synctest.Wait()
		if state := running.Connection("Good").State(); state != connector.Closed {
			t.Errorf("Good is %v", state)
		}
		if err := running.Stop(); err == nil || strings.Contains(err.Error(), "Good") {
			t.Errorf("Run: %v", err)
		}
	})
}

func TestRunCanBeCalledOnce(t *testing.T) {
	running := connectortest.Start(t, echo)
	if err := running.Set.Run(t.Context()); !errors.Is(err, connector.ErrClosed) {
		t.Errorf("a second Run: %v", err)
	}
	if state := running.Connection("TestSource").State(); state != connector.Connected {
		t.Errorf("the second Run left the source %v", state)
	}
}

func TestCloseWaitsForRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const work = 3 * time.Second
		handlers := connector.Handlers{
			Publish: func(context.Context, *connector.SourceConnection, connector.Document) error {
				time.Sleep(work)
				return nil
			},
		}
		running := connectortest.Start(t, handlers)
		if err := running.Source("TestSource").Publish(t.Context(), map[string]int{}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		begun := time.Now()
		if err := running.Set.Close(t.Context()); err != nil {
			t.Errorf("Close: %v", err)
		}
		if took := time.Since(begun); took < work || took > work+time.Second {
			t.Errorf("Close took %v, the handler %v", took, work)
		}
		if err := running.Set.Close(t.Context()); err != nil {
			t.Errorf("Close again: %v", err)
		}
	})
}

func TestCloseCutsTheDrainShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		handlers := connector.Handlers{
			Publish: func(ctx context.Context, _ *connector.SourceConnection, _ connector.Document) error {
				<-ctx.Done()
				return ctx.Err()
			},
		}
		running := connectortest.Start(t, handlers, connectortest.WithConfig(func(c *connectorset.Config) { c.DrainTime = time.Hour }))
		if err := running.Source("TestSource").Publish(t.Context(), map[string]int{}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		begun := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := running.Set.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close: %v", err)
		}
		_ = running.Stop()
		if took := time.Since(begun); took > time.Minute {
			t.Errorf("Run returned %v after Close", took)
		}
	})
}

// fakeOutbox notices what is opened and closed.
type fakeOutbox struct{ open atomic.Int32 }

func (o *fakeOutbox) Open(string) (connector.OutboxQueue, error) {
	o.open.Add(1)
	return fakeQueue{o}, nil
}

type fakeQueue struct{ outbox *fakeOutbox }

func (fakeQueue) Append(json.RawMessage) (uint64, error)                 { return 1, nil }
func (fakeQueue) Read(uint64, []connector.OutboxEntry, int) (int, error) { return 0, nil }
func (fakeQueue) Remove(uint64) error                                    { return nil }
func (fakeQueue) Left() (messages, bytes int, newest uint64)             { return 0, 0, 0 }
func (fakeQueue) Durable() bool                                          { return true }
func (q fakeQueue) Close() error                                         { q.outbox.open.Add(-1); return nil }

func config(sources ...string) connectorset.Config {
	return connectorset.Config{
		Options:      connector.Options{TargetServer: "http://localhost", AuthToken: "t"},
		Sources:      sources,
		TCPProbePort: -1,
	}
}

func TestCloseBeforeRun(t *testing.T) {
	outbox := new(fakeOutbox)
	c := config("A", "B")
	c.Outbox = outbox
	set, err := connectorset.New(c)
	if err != nil || outbox.open.Load() != 2 {
		t.Fatalf("New: %v, %d outboxes open", err, outbox.open.Load())
	}
	if err := set.Close(t.Context()); err != nil || outbox.open.Load() != 0 {
		t.Errorf("Close: %v, %d outboxes open", err, outbox.open.Load())
	}
	if err := set.Run(t.Context()); !errors.Is(err, connector.ErrClosed) {
		t.Errorf("Run: %v", err)
	}
}

func TestASetThatCannotBeMadeLeavesNothingOpen(t *testing.T) {
	outbox := new(fakeOutbox)
	c := config("A", "B")
	c.Outbox = outbox
	_, err := connectorset.New(c, connectorset.Each(func(source string, o *connector.Options) {
		if source == "B" {
			o.MaxQueries = -1
		}
	}))
	if err == nil || !strings.Contains(err.Error(), `"B"`) || outbox.open.Load() != 0 {
		t.Errorf("New: %v, %d outboxes open", err, outbox.open.Load())
	}
}

func TestEachSourceHasOptionsOfItsOwn(t *testing.T) {
	c := config("A", "B")
	c.ReconnectSecret = "s"
	c.Header = map[string][]string{"X": {"1"}}
	got := map[string]connector.Options{}
	var order []string
	set, err := connectorset.New(c,
		connectorset.Each(func(source string, o *connector.Options) { o.Header.Set("Y", source) }),
		connectorset.Each(func(source string, o *connector.Options) { got[source], order = *o, append(order, source) }))
	if err != nil {
		t.Fatal(err)
	}
	a, b := got["A"], got["B"]
	switch {
	case fmt.Sprint(order) != "[A B]" || set.Connections()[1].Source() != "B":
		t.Errorf("order %v", order)
	case a.ReconnectSecret != "A_s" || b.ReconnectSecret != "B_s":
		t.Error("the reconnect secret is not <source>_<secret>")
	case a.Header.Get("Y") != "A" || b.Header.Get("Y") != "B" || c.Header.Get("Y") != "":
		t.Error("the sources share a header")
	case a.Group == nil || a.Group != b.Group || a.Probe == nil || a.Probe != b.Probe:
		t.Error("the sources do not share their group and probe")
	}
}

// A made is a hook that remembers for which sources it was told a connection.
type made struct{ sources []string }

func (m *made) OnConnection(c *connector.SourceConnection) { m.sources = append(m.sources, c.Source()) }

func TestHooksAreAddedForAllSources(t *testing.T) {
	var ofConfig, one, two made
	c := config("A", "B")
	c.Hooks = []connector.Hook{&ofConfig}
	if _, err := connectorset.New(c, connectorset.WithHooks(&one), connectorset.WithHooks(&two)); err != nil {
		t.Fatal(err)
	}
	for _, hook := range []made{ofConfig, one, two} {
		if fmt.Sprint(hook.sources) != "[A B]" {
			t.Errorf("told %v", hook.sources)
		}
	}
}

// The pace of a set's dials goes by how many sources it has.
func TestASetOfManySourcesDialsFaster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var names []string
		for n := range 1500 {
			names = append(names, fmt.Sprint("Source", n))
		}
		var dials atomic.Int64
		c := config(names...)
		c.DialContext = func(context.Context, string, string) (net.Conn, error) {
			dials.Add(1)
			return nil, errors.New("nobody there")
		}
		set, err := connectorset.New(c)
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- set.Run(t.Context()) }()
		time.Sleep(3*time.Second - time.Millisecond)
		if n := dials.Load(); n < 800 || n > 1000 {
			t.Errorf("%d dials in three seconds, a fifth of %d sources a second is due, and a hundred first ones", n, len(names))
		}
		if err := set.Close(t.Context()); err != nil {
			t.Error(err)
		}
		<-ended
	})
}

func TestValuesOfRunsContextReachTheHandlers(t *testing.T) {
	type key struct{}
	server := vantiqtest.NewServer()
	defer server.Close()
	server.Source("A", nil)
	c := config("A")
	c.TargetServer, c.AuthToken = server.URL(), protocol.Secret(server.Token())
	set, err := connectorset.New(c)
	if err != nil {
		t.Fatal(err)
	}
	values := make(chan any, 1)
	set.SetHandlers(connector.Handlers{Connect: func(ctx context.Context, _ *connector.SourceConnection, _ connector.Document) error {
		values <- ctx.Value(key{})
		return nil
	}})
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "value"))
	var running sync.WaitGroup
	running.Go(func() {
		if err := set.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	if got := <-values; got != "value" {
		t.Errorf("got %v", got)
	}
	cancel()
	running.Wait()
}

func TestLoad(t *testing.T) {
	server := vantiqtest.NewServer()
	defer server.Close()
	source := server.Source("A", nil)
	t.Chdir(t.TempDir())
	t.Setenv("CONNECTOR_AUTH_TOKEN", server.Token())
	if _, err := connectorset.Load(); err == nil {
		t.Error("no error without a file")
	}
	content := "targetServer=" + server.URL() + "\nsources=A\ntcpProbePort=0\nsource=B\n"
	if err := os.WriteFile("my.config", []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	set, err := connectorset.Load(connectorset.WithFile("my.config"), connectorset.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	if err != nil {
		t.Fatal(err)
	}
	if want := `level=WARN msg="configuration: my.config:4: source is not a property and is ignored: is \"sources\" meant?"`; !strings.Contains(log.String(), want) {
		t.Errorf("logged %s", &log)
	}
	var running sync.WaitGroup
	running.Go(func() {
		if err := set.Run(context.Background()); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	if err := source.WaitConnected(t.Context()); err != nil {
		t.Error(err)
	}
	if err := set.Close(t.Context()); err != nil {
		t.Errorf("Close: %v", err)
	}
	running.Wait()
}

func TestPrintedSet(t *testing.T) {
	set, err := connectorset.New(config("A", "B"))
	if err != nil {
		t.Fatal(err)
	}
	const want = "ConnectorSet{targetServer=http://localhost sources=2 health=undeclared}"
	if got := fmt.Sprintf("%+v", set); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
