package connector_test

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A tester is what a bench needs of a test: a *testing.T, or a *rapid.T that draws what happens.
type tester interface {
	Helper()
	Logf(format string, args ...any)
	Context() context.Context
	Cleanup(func())
	Output() io.Writer
	Error(args ...any)
	Errorf(format string, args ...any)
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// A bench is a local Vantiq with one source and a source connection to it.
type bench struct {
	t      tester
	server *vantiqtest.Server
	source *vantiqtest.Source
	conn   *connector.SourceConnection
	ended  chan error // what Run returned
	stop   context.CancelFunc
}

// patience is how long a test waits for what must happen. Under synctest it passes in no time.
const patience = time.Minute

// setUp starts a server on an in-memory network, for tests in virtual time.
func setUp(t tester, config any, options connector.Options, more ...vantiqtest.Option) *bench {
	t.Helper()
	return setUpIn(t, vantiqtest.NewNetwork(), config, options, more...)
}

// setUpIn does so on a network that the test knows.
func setUpIn(t tester, network *vantiqtest.Network, config any, options connector.Options, more ...vantiqtest.Option) *bench {
	t.Helper()
	options.DialContext = network.DialContext
	return setUpOn(t, config, options, append(more, vantiqtest.WithNetwork(network))...)
}

// setUpOn starts a server, and makes a source connection that is not yet running.
func setUpOn(t tester, config any, options connector.Options, more ...vantiqtest.Option) *bench {
	t.Helper()
	b := &bench{t: t, server: vantiqtest.NewServer(more...), ended: make(chan error, 1)}
	t.Cleanup(b.server.Close)
	b.source = b.server.Source("EchoSource", config)
	options.TargetServer = b.server.URL() + options.TargetServer // which may be a query
	if options.AuthToken == "" && options.AuthTokenFile == "" {
		options.AuthToken = "local-token"
	}
	if options.Logger == nil {
		options.Logger = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	conn, err := connector.New("EchoSource", options)
	if err != nil {
		t.Fatal(err)
	}
	b.conn = conn
	return b
}

// run starts Run with the handlers; it ends with the test at the latest.
func (b *bench) run(handlers connector.Handlers) *bench {
	b.conn.SetHandlers(handlers)
	ctx, stop := context.WithCancel(context.Background())
	b.stop = stop
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.ended <- b.conn.Run(ctx)
	}()
	b.t.Cleanup(func() {
		stop()
		<-done
	})
	return b
}

// connect runs the handlers and waits until the source is connected.
func (b *bench) connect(handlers connector.Handlers) *bench {
	b.t.Helper()
	b.run(handlers)
	b.must(b.conn.WaitConnected(b.soon()))
	return b
}

func (b *bench) soon() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	b.t.Cleanup(cancel)
	return ctx
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// end ends Run's context and returns what Run returned.
func (b *bench) end() error {
	b.t.Helper()
	b.stop()
	return b.endsWithin(patience)
}

// quiet is for tests that would log a lot.
var quiet = slog.New(slog.DiscardHandler)

type object map[string]any

// echo is the plainest connector there is.
func echo() connector.Handlers {
	return connector.Handlers{
		Publish: func(ctx context.Context, c *connector.SourceConnection, message connector.Document) error {
			return c.SendNotification(ctx, message)
		},
		Query: func(ctx context.Context, _ *connector.SourceConnection, q *connector.Query) error {
			return q.Complete(ctx, q.Parameters())
		},
	}
}

// A journal is a list of what happened, for tests about order.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) add(line string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, line)
}

func (j *journal) all() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]string{}, j.lines...)
}
