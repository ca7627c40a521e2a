package connectorset

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/health"
	"github.com/vantiq-go/connectorsdk/internal/shown"
)

// A ConnectorSet owns one source connection per source, and runs, drains and stops them together. They share the health
// port, the pace of their dials and the memory they may use. Its methods may be called from several goroutines.
type ConnectorSet struct {
	targetServer string
	connections  []*connector.SourceConnection // in the order of Config.Sources
	bySource     map[string]*connector.SourceConnection
	probe        *health.Probe
	derived      *derivedHealth // nil: health is declared
	onEnd        func(source string, err error)
	stopOnError  bool

	drain    func()          // begins draining; may be called again
	draining context.Context // ends when draining begins

	used   atomic.Bool   // Run or Close has been called
	done   chan struct{} // closed when all source connections have ended, after result was set
	result error
}

// Load makes a connector set from a server.config, see [ReadConfig], and logs at Warn what is probably not meant in it.
// Everything that is wrong with the file comes in one error, as joined [ConfigError] values.
func Load(opts ...Option) (*ConnectorSet, error) {
	config, err := ReadConfig(collect(opts).file)
	if err != nil {
		return nil, err
	}
	return New(config, opts...)
}

// New makes a connector set from a Config, and logs its Warnings at Warn. It does not read the environment. Everything
// that is wrong with the Config comes in one error, as joined [ConfigError] values; other errors are about what [Each]
// has changed, and about an outbox that cannot be opened.
func New(config Config, opts ...Option) (*ConnectorSet, error) {
	o := collect(opts)
	tlsConfig, problems := config.check(nil)
	if len(problems) > 0 {
		return nil, join(problems)
	}
	if o.logger != nil {
		config.Logger = o.logger
	}
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	for _, warning := range config.Warnings() {
		config.Logger.Warn("configuration: " + warning.String())
	}
	set, err := newSet(config, tlsConfig, o)
	if err == nil && config.File() != "" {
		config.Logger.Info("configuration read",
			"file", config.File(), "targetServer", set.targetServer, "sources", len(set.connections))
	}
	return set, err
}

func collect(opts []Option) (o options) {
	for _, option := range opts {
		option(&o)
	}
	return o
}

func newSet(config Config, tlsConfig *tls.Config, o options) (*ConnectorSet, error) {
	names, _ := config.sourceNames()
	if config.Probe == nil {
		config.Probe = health.NewProbe(config.probeAddress())
	}
	if config.Group == nil {
		config.Group = connector.NewGroup(len(names))
	}
	config.TLS = tlsConfig
	draining, endDraining := context.WithCancel(context.Background())
	s := &ConnectorSet{
		targetServer: shown.URL(config.TargetServer),
		bySource:     make(map[string]*connector.SourceConnection, len(names)),
		probe:        config.Probe,
		onEnd:        o.onEnd,
		stopOnError:  o.stopOnError,
		draining:     draining,
		done:         make(chan struct{}),
	}
	if o.derived {
		s.derived = newDerivedHealth(s.probe, config.Logger, o, len(names))
	}
	s.drain = sync.OnceFunc(func() {
		s.probe.Close() // first: nobody should send work to a process that is leaving
		if s.derived != nil {
			s.derived.stop()
		}
		endDraining()
	})
	for _, source := range names {
		c, err := connector.New(source, s.optionsFor(source, config, o.each))
		if err != nil {
			_ = s.Close(context.Background()) // gives back what the others have opened
			return nil, err
		}
		s.connections = append(s.connections, c)
		s.bySource[source] = c
	}
	return s, nil
}

func (s *ConnectorSet) optionsFor(source string, config Config, each []func(string, *connector.Options)) connector.Options {
	o := config.optionsFor(source)
	for _, change := range each {
		change(source, &o)
	}
	if s.derived != nil { // last, lest it be replaced
		o.Hooks = append(slices.Clone(o.Hooks), s.derived)
	}
	return o
}

// SetHandlers sets the handlers of all sources. It must be called before Run.
func (s *ConnectorSet) SetHandlers(handlers connector.Handlers) {
	for _, c := range s.connections {
		c.SetHandlers(handlers)
	}
}

// Connections returns the source connections in the order of Config.Sources.
func (s *ConnectorSet) Connections() []*connector.SourceConnection {
	return slices.Clone(s.connections)
}

// Connection returns the source connection of one source, and whether there is one.
func (s *ConnectorSet) Connection(source string) (*connector.SourceConnection, bool) {
	c, ok := s.bySource[source]
	return c, ok
}

// Run runs all source connections until ctx ends or Close is called, and then drains them: the health port closes, no
// new work is taken, and what is under way has DrainTime to finish. It returns nil after a clean drain.
//
// A source that ends with an error by itself, because its auth token is rejected, say, does not stop the others: its
// connection logs that at Error, the set is declared unhealthy, and [OnEnd] is told. Run returns when all sources have
// ended, with all of their errors joined. It can be called once.
func (s *ConnectorSet) Run(ctx context.Context) error {
	if !s.used.CompareAndSwap(false, true) {
		return fmt.Errorf("connector set: Run was called before, or after Close: %w", connector.ErrClosed)
	}
	defer close(s.done)
	defer s.drain()
	defer context.AfterFunc(ctx, s.drain)()

	// The connections must not see ctx end before the health port is closed.
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	defer context.AfterFunc(s.draining, stop)()

	ends := make([]error, len(s.connections))
	var all sync.WaitGroup
	for i, c := range s.connections {
		all.Go(func() {
			err := c.Run(running)
			if s.draining.Err() != nil && errors.Is(err, connector.ErrClosed) {
				return // Close was there first
			}
			if err != nil {
				ends[i] = naming(c.Source(), err)
				s.ended(c.Source(), ends[i])
			}
		})
	}
	all.Wait()
	s.result = errors.Join(ends...)
	return s.result
}

// naming makes an error say which source it is about, unless it does already.
func naming(source string, err error) error {
	prefix := "source " + source + ": "
	if strings.HasPrefix(err.Error(), prefix) {
		return err
	}
	return fmt.Errorf("%s%w", prefix, err)
}

// ended deals with a source that has ended with an error, which its connection has logged.
func (s *ConnectorSet) ended(source string, err error) {
	if s.derived == nil {
		_ = s.probe.DeclareUnhealthy() // fails only while draining, when the port is closed anyway
	}
	if s.onEnd != nil {
		s.onEnd(source, err)
	}
	if s.stopOnError {
		s.drain()
	}
}

// Close begins to drain, as the end of Run's ctx does, waits until Run has returned, and returns the same. When ctx ends
// first, the drain is cut short and an error that wraps ctx's cause is returned; Run still returns soon. A set that is
// never run should be closed, for a durable outbox is open since New. Close must not be called in a handler, which it
// would wait for.
func (s *ConnectorSet) Close(ctx context.Context) error {
	s.drain()
	if s.used.CompareAndSwap(false, true) { // Run was never called
		s.result = s.closeConnections(ctx)
		close(s.done)
	}
	select {
	case <-s.done:
		return s.result
	default:
	}
	select {
	case <-s.done:
		return s.result
	case <-ctx.Done():
		_ = s.closeConnections(ctx) // does not wait any more
		return fmt.Errorf("connector set: closing: %w", context.Cause(ctx))
	}
}

func (s *ConnectorSet) closeConnections(ctx context.Context) error {
	ends := make([]error, len(s.connections))
	for i, c := range s.connections {
		ends[i] = c.Close(ctx)
	}
	return errors.Join(ends...)
}

// Draining returns a channel that is closed when draining begins, after the health port has closed.
func (s *ConnectorSet) Draining() <-chan struct{} { return s.draining.Done() }

// DeclareHealthy opens the health port; see [health.Probe.DeclareHealthy]. Call it from main, when the connector is
// ready to work. With [Derived], and when draining has begun, it returns an error.
func (s *ConnectorSet) DeclareHealthy() error {
	if s.derived != nil {
		return errDerived
	}
	return s.probe.DeclareHealthy()
}

// DeclareUnhealthy closes the health port. With [Derived], and when draining has begun, it returns an error.
func (s *ConnectorSet) DeclareUnhealthy() error {
	if s.derived != nil {
		return errDerived
	}
	return s.probe.DeclareUnhealthy()
}

// Health returns what was declared last, or derived.
func (s *ConnectorSet) Health() health.Status { return s.probe.Status() }

// String names the set's target server, the number of its sources and its health; no secret.
func (s *ConnectorSet) String() string {
	return fmt.Sprintf("ConnectorSet{targetServer=%s sources=%d health=%s}", s.targetServer, len(s.connections), s.Health())
}

// Format implements [fmt.Formatter]: every verb prints what String returns, for the fields lead to secrets.
func (s *ConnectorSet) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }
