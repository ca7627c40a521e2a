package connectortest

import (
	"github.com/vantiq-go/connectorsdk/connectorset"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// An Option changes what [Start] starts.
type Option func(*options)

type options struct {
	sources []source
	config  []func(*connectorset.Config)
	set     []connectorset.Option
	server  []vantiqtest.Option
	noWait  bool
}

type source struct {
	name   string
	config any
}

// WithSource adds a source with its configuration: anything that marshals to a JSON object, nil for {}.
func WithSource(name string, config any) Option {
	return func(o *options) { o.sources = append(o.sources, source{name, config}) }
}

// WithConfig calls change with the set's Config before the set is made, to set limits, hooks or an outbox, say.
func WithConfig(change func(config *connectorset.Config)) Option {
	return func(o *options) { o.config = append(o.config, change) }
}

// WithSet passes options on to [connectorset.New].
func WithSet(opts ...connectorset.Option) Option {
	return func(o *options) { o.set = append(o.set, opts...) }
}

// WithServer passes options on to [vantiqtest.NewServer].
func WithServer(opts ...vantiqtest.Option) Option {
	return func(o *options) { o.server = append(o.server, opts...) }
}

// WithoutWaiting makes Start return at once, for a test in which a source is not to connect at first, or never.
func WithoutWaiting() Option {
	return func(o *options) { o.noWait = true }
}
