package connectortest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/connectorset"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// A Running is a connector set that runs on a local Vantiq, for one test.
type Running struct {
	// Set is the connector set. Its health has no port.
	Set *connectorset.ConnectorSet
	// Server is the local Vantiq.
	Server *vantiqtest.Server
	// Network lies between the two. Its Partition pulls the cable.
	Network *vantiqtest.Network

	sources map[string]*vantiqtest.Source
	cancel  context.CancelFunc
	ended   chan error // receives what Run returned
	stop    sync.Once
}

// connectTime is how long Start waits for the sources to connect: beyond the handshake's own limit of 30 seconds.
const connectTime = 40 * time.Second

// Start runs handlers behind the given sources, one called TestSource with the configuration {} if there is none, and
// returns when all of them are connected, so that their Connect handlers have returned nil. If they do not connect
// within 40 seconds, or a Connect handler refuses the configuration for good, the test fails at once. Log lines go to the
// test's output.
//
// When the test ends the set is drained and the server closed; the test fails if Run returns an error then. It must not
// be called from another goroutine than the test's.
func Start(t testing.TB, handlers connector.Handlers, opts ...Option) *Running {
	t.Helper()
	var o options
	for _, option := range opts {
		option(&o)
	}
	if len(o.sources) == 0 {
		WithSource("TestSource", nil)(&o)
	}

	r := &Running{Network: vantiqtest.NewNetwork(), sources: make(map[string]*vantiqtest.Source)}
	r.Server = vantiqtest.NewServer(append([]vantiqtest.Option{vantiqtest.WithNetwork(r.Network)}, o.server...)...)
	t.Cleanup(r.Server.Close)

	refused := make(refusals, 1)
	set, err := connectorset.New(r.config(t, o), append(o.set, connectorset.WithHooks(refused))...)
	if err != nil {
		t.Fatalf("connectortest: %v", err)
	}
	set.SetHandlers(handlers)
	r.Set = set
	r.run(t)
	if !o.noWait {
		r.waitConnected(t, refused)
	}
	return r
}

// refusals receives the first error with which a Connect handler refuses a configuration for good.
type refusals chan error

// OnHandled implements [connector.HandlerHook].
func (r refusals) OnHandled(source, handler string, _ time.Duration, err error) {
	if handler == "connect" && connector.IsPermanent(err) {
		select {
		case r <- fmt.Errorf("source %s: the Connect handler refuses the configuration: %w", source, err):
		default:
		}
	}
}

func (r *Running) config(t testing.TB, o options) connectorset.Config {
	config := connectorset.Config{
		Options: connector.Options{
			TargetServer: r.Server.URL(),
			AuthToken:    protocol.Secret(r.Server.Token()),
			DialContext:  r.Network.DialContext,
			Logger:       slog.New(slog.NewTextHandler(t.Output(), nil)),
		},
		TCPProbePort: -1,
	}
	for _, source := range o.sources {
		r.sources[source.name] = r.Server.Source(source.name, source.config)
		config.Sources = append(config.Sources, source.name)
	}
	for _, change := range o.config {
		change(&config)
	}
	return config
}

// run starts the set, and leaves word that it be stopped.
func (r *Running) run(t testing.TB) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context())) // t.Context ends before the cleanup begins
	r.cancel, r.ended = cancel, make(chan error, 1)
	go func() { r.ended <- r.Set.Run(ctx) }()
	t.Cleanup(func() {
		if err := r.Stop(); err != nil {
			t.Errorf("connectortest: the connector set ended with: %v", err)
		}
	})
}

func (r *Running) waitConnected(t testing.TB, refused refusals) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), connectTime)
	defer cancel()
	waiting, refuse := context.WithCancelCause(ctx)
	over := make(chan struct{})
	go func() {
		defer close(over)
		select {
		case err := <-refused:
			refuse(err)
		case <-waiting.Done():
		}
	}()
	defer func() {
		refuse(nil)
		<-over
	}()
	for _, c := range r.Set.Connections() {
		if err := c.WaitConnected(waiting); err != nil {
			if reason := context.Cause(waiting); ctx.Err() == nil && connector.IsPermanent(reason) {
				t.Fatalf("connectortest: %v", reason)
			}
			t.Fatalf("connectortest: source %s is %v and does not connect: %v", c.Source(), c.State(), cause(err, c))
		}
	}
}

// cause prefers what went wrong last to a wait that ended.
func cause(err error, c *connector.SourceConnection) error {
	if last := c.Stats().LastError; last != "" {
		return errors.New(last)
	}
	return err
}

// Source returns the source of that name on the local Vantiq. It panics if Start was not given one.
func (r *Running) Source(name string) *vantiqtest.Source {
	source, ok := r.sources[name]
	if !ok {
		panic("connectortest: Start was not given the source " + name)
	}
	return source
}

// Connection returns the source connection of that name. It panics if there is none.
func (r *Running) Connection(name string) *connector.SourceConnection {
	c, ok := r.Set.Connection(name)
	if !ok {
		panic("connectortest: Start was not given the source " + name)
	}
	return c
}

// Stop drains the set, as SIGTERM does a connector, and returns what Run returned. Calling it again returns nil. Without
// it the set is drained when the test ends.
func (r *Running) Stop() (err error) {
	r.stop.Do(func() {
		r.cancel()
		err = <-r.ended
	})
	return err
}
