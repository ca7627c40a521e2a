package connector

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/vantiq-go/connectorsdk/health"
	"github.com/vantiq-go/connectorsdk/internal/dial"
	"github.com/vantiq-go/connectorsdk/protocol"
)

// Options say how a source connection reaches Vantiq and what it may use. TargetServer and one of AuthToken and
// AuthTokenFile are required; everything else is useful at zero. New copies the struct and checks it.
type Options struct {
	// TargetServer is the URL of the Vantiq server, in any spelling that [protocol.TargetURL] accepts.
	TargetServer string
	// AuthToken is the access token for the source's namespace.
	AuthToken protocol.Secret
	// AuthTokenFile names a file that holds the access token, read again for every link. A rejected token is then not
	// final: it is tried again when the file has changed, else every 30 seconds. Only used if AuthToken is empty.
	AuthTokenFile string
	// ReconnectSecret proves to Vantiq that a new link belongs to the connector that has the source, so that it may
	// take over from a link that is dead but not yet known to be. Default: the source's name, an underscore and 128
	// random bits. A fixed one lets a restarted process take over, and makes two replicas take the source from each
	// other for ever.
	ReconnectSecret protocol.Secret

	// Logger receives all logging. Default: none.
	Logger *slog.Logger
	// DialContext opens TCP connections, to the server or to the proxy. Default: a [net.Dialer].
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	// Proxy returns the proxy (http, https or socks5) for a target URL, or nil for none.
	// Default: as HTTPS_PROXY, HTTP_PROXY and NO_PROXY say.
	Proxy func(target *url.URL) (*url.URL, error)
	// TLS configures wss links. Default: the system's roots, TLS 1.2 or newer.
	TLS *tls.Config
	// Header is added to the HTTP request that opens the WebSocket, whose User-Agent is vantiq-connectorsdk-go if none is
	// given here. The auth token does not belong there.
	Header http.Header

	// HandshakeTimeout bounds everything from dialling to the source configuration. Default: 30 s.
	HandshakeTimeout time.Duration
	// PingInterval is how long a link may be silent before it is pinged. Default: 12 s; negative: no pings, and then a
	// half-open link is noticed only when something is sent.
	PingInterval time.Duration
	// PingTimeout is how long after a ping a link that stays silent is given up. Default: 16 s.
	PingTimeout time.Duration
	// DrainTime bounds the whole of a shutdown; keep it below the pod's grace period. Default: 10 s.
	DrainTime time.Duration
	// FailOnConnectionError makes Run return the first failure before the first session instead of trying again.
	FailOnConnectionError bool

	// MaxQueries is how many Query handlers run at once. Default: 64.
	MaxQueries int
	// MaxWaitingQueries is how many more queries may wait for a handler; beyond it they are answered CodeBusy. Default: 1,024.
	MaxWaitingQueries int
	// QueryTimeout is how long after its arrival a query is answered CodeTimeout. Default: 2 min; negative: never.
	QueryTimeout time.Duration
	// PublishQueue is how many published messages may wait for the Publish handler; beyond it the link is not read, so
	// that TCP holds the server back. Default: 1,024; 16 MiB of them are the limit in any case.
	PublishQueue int

	// OutboxMessages and OutboxBytes bound the notifications that were accepted and not yet acknowledged.
	// Defaults: 4,096 and 16 MiB. While a handler that sends cannot keep up with what is published, because the
	// acknowledgements it waits for are behind that in the stream, 64 MiB are the only bound.
	OutboxMessages int
	OutboxBytes    int
	// OutboxFull says what SendNotification does when the outbox is full. Default: Block.
	OutboxFull Overflow
	// Outbox keeps the notifications. Default: memory. The module boltoutbox has one that survives the process.
	Outbox Outbox
	// MaxOutstanding is how many notifications may be sent ahead of their acknowledgements. The window begins at 5, the
	// only width that is proven with real servers, and grows towards this one while acknowledgements come. Default: 1,024,
	// and no more than 1 MiB of them.
	MaxOutstanding int

	// MaxInbound is the largest message that is read; a larger one is skipped, and answered CodeTooLarge if it is a
	// query. Default: 16 MiB.
	MaxInbound int
	// MaxOutbound is the largest message that is sent. Default: 262,144 bytes, the limit of a Vantiq server unless its
	// installation raised it.
	MaxOutbound int

	// Hooks are told what happens, for metrics; see [Hook].
	Hooks []Hook
	// Probe is the health port that the Declare methods set. Default: one without a port.
	Probe *health.Probe
	// Group is shared by the source connections of a process, to bound their dials and their memory together.
	// Default: one of its own.
	Group *Group
}

// Overflow says what SendNotification does when the outbox is full.
type Overflow int

const (
	Block      Overflow = iota // wait for room until ctx ends
	Fail                       // return ErrOutboxFull at once
	DropOldest                 // drop the oldest notification, counted in Stats.Dropped
)

// withDefaults returns a checked copy in which nothing is left to be decided.
func (o Options) withDefaults(source string) (Options, error) {
	if err := o.validate(source); err != nil {
		return o, err
	}
	o.AuthToken = protocol.Secret(strings.TrimSpace(string(o.AuthToken)))
	if o.ReconnectSecret == "" {
		o.ReconnectSecret = protocol.Secret(source + "_" + rand.Text())
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Proxy == nil {
		o.Proxy = dial.ProxyFromEnvironment
	}
	if o.DialContext == nil {
		o.DialContext = (&net.Dialer{}).DialContext
	}
	if o.Outbox == nil {
		o.Outbox = memoryOutbox{}
	}
	if o.Probe == nil {
		o.Probe = health.NewProbe("")
	}
	if o.Group == nil {
		o.Group = NewGroup(1)
	}
	o.HandshakeTimeout = cmp.Or(o.HandshakeTimeout, 30*time.Second)
	o.PingInterval = cmp.Or(o.PingInterval, 12*time.Second)
	o.PingTimeout = cmp.Or(o.PingTimeout, 16*time.Second)
	o.DrainTime = cmp.Or(o.DrainTime, 10*time.Second)
	o.MaxQueries = cmp.Or(o.MaxQueries, 64)
	o.MaxWaitingQueries = cmp.Or(o.MaxWaitingQueries, 1024)
	o.QueryTimeout = cmp.Or(o.QueryTimeout, 2*time.Minute)
	o.PublishQueue = cmp.Or(o.PublishQueue, 1024)
	o.OutboxMessages = cmp.Or(o.OutboxMessages, 4096)
	o.OutboxBytes = cmp.Or(o.OutboxBytes, 16<<20)
	o.MaxOutstanding = cmp.Or(o.MaxOutstanding, 1024)
	o.MaxInbound = cmp.Or(o.MaxInbound, 16<<20)
	o.MaxOutbound = cmp.Or(o.MaxOutbound, 256<<10)
	return o, nil
}

// validate reports everything that is wrong, at once.
func (o *Options) validate(source string) error {
	var problems []error
	report := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if strings.TrimSpace(source) == "" {
		report("the source's name is empty")
	}
	if _, err := protocol.TargetURL(o.TargetServer); err != nil {
		problems = append(problems, err)
	}
	if strings.TrimSpace(string(o.AuthToken)) == "" && o.AuthTokenFile == "" {
		report("AuthToken is empty: create an access token for the source's namespace in Vantiq, or set AuthTokenFile")
	}
	for _, limit := range []struct {
		name  string
		value int64
		min   int64 // of a value that is not zero
	}{
		{"HandshakeTimeout", int64(o.HandshakeTimeout), 1},
		{"PingTimeout", int64(o.PingTimeout), 1},
		{"DrainTime", int64(o.DrainTime), 1},
		{"MaxQueries", int64(o.MaxQueries), 1},
		{"MaxWaitingQueries", int64(o.MaxWaitingQueries), 1},
		{"PublishQueue", int64(o.PublishQueue), 1},
		{"OutboxMessages", int64(o.OutboxMessages), 1},
		{"OutboxBytes", int64(o.OutboxBytes), 1024},
		{"MaxOutstanding", int64(o.MaxOutstanding), 1},
		{"MaxInbound", int64(o.MaxInbound), 1024},
		{"MaxOutbound", int64(o.MaxOutbound), 1024},
	} {
		if limit.value != 0 && limit.value < limit.min {
			report("%s is %d: use at least %d, or 0 for the default", limit.name, limit.value, limit.min)
		}
	}
	if o.OutboxFull < Block || o.OutboxFull > DropOldest {
		report("OutboxFull is %d: use Block, Fail or DropOldest", o.OutboxFull)
	}
	if len(problems) == 0 {
		return nil
	}
	return fmt.Errorf("source %q: %w", source, errors.Join(problems...))
}
