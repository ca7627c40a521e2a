package connectorset

import (
	"log/slog"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
)

// An Option changes how [Load] and [New] make a connector set.
type Option func(*options)

type options struct {
	file        string
	logger      *slog.Logger
	each        []func(source string, o *connector.Options)
	onEnd       func(source string, err error)
	stopOnError bool
	derived     bool
	rule        Rule
	grace       time.Duration
}

// WithFile makes [Load] read this file and no other, instead of looking for serverConfig/server.config and
// server.config. An empty name is the same as no WithFile. New does not read a file.
func WithFile(name string) Option {
	return func(o *options) { o.file = name }
}

// WithLogger sets the logger of the set and of its source connections, overriding Config.Logger. The default logs
// nothing.
func WithLogger(logger *slog.Logger) Option {
	return func(o *options) { o.logger = logger }
}

// Each calls change once for each source, in order, with the options that follow from the Config, its ReconnectSecret
// included, before its source connection is made. It may change any of them, like the auth token of a source in another
// namespace; the Config must be complete without it.
func Each(change func(source string, o *connector.Options)) Option {
	return func(o *options) { o.each = append(o.each, change) }
}

// WithHooks adds hooks to those of the Config, for all sources, to count what happens; see [connector.Hook].
func WithHooks(hooks ...connector.Hook) Option {
	return Each(func(_ string, o *connector.Options) { o.Hooks = append(o.Hooks, hooks...) })
}

// WithOutbox lets all sources keep their notifications in outbox, one of module boltoutbox, say. It overrides Config.Outbox.
// The outbox is closed by whoever made it, when Run has returned.
func WithOutbox(outbox connector.Outbox) Option {
	return Each(func(_ string, o *connector.Options) { o.Outbox = outbox })
}

// OnEnd calls report for each source whose connection has ended with an error, once. The other sources go on. It is
// called on a goroutine of the set, several at a time; Run waits for it.
func OnEnd(report func(source string, err error)) Option {
	return func(o *options) { o.onEnd = report }
}

// StopOnError drains the whole set as soon as one source has ended with an error. The default is to go on with the
// others.
func StopOnError() Option {
	return func(o *options) { o.stopOnError = true }
}

// Derived declares the set healthy as soon as its sources are connected as rule says, and unhealthy when that has not been
// so for the grace period, so that an ordinary reconnect does not restart the pod. Zero grace means at once. A source
// that has ended counts as not connected. The set's Declare methods then return an error; those of the source
// connections must not be called.
func Derived(rule Rule, grace time.Duration) Option {
	return func(o *options) { o.derived, o.rule, o.grace = true, rule, grace }
}

// A Rule says how many sources must be connected for a set to be healthy.
type Rule int

const (
	All  Rule = iota // every source
	Any              // at least one
	Once             // every source has been: what is lost later comes back by itself, and a restart would not help
)
