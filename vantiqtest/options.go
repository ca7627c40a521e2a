package vantiqtest

import (
	"crypto/tls"
	"net"

	"github.com/vantiq-go/connectorsdk/protocol"
)

// An Option changes how a [Server] is made.
type Option func(*options)

type options struct {
	listener   net.Listener
	network    *Network
	tls        bool
	tlsConfig  *tls.Config
	token      protocol.Secret
	maxMessage int
	frames     []FrameKind
	observer   func(Event)
}

const (
	defaultToken      = "local-token"
	defaultMaxMessage = 262144 // what Vantiq's servers take
)

func newOptions(list []Option) options {
	o := options{token: defaultToken, maxMessage: defaultMaxMessage, frames: []FrameKind{Binary}}
	for _, option := range list {
		option(&o)
	}
	return o
}

// WithListener makes the server accept links from listener, overriding the default of a free port on 127.0.0.1. The
// server closes it. [Server.Start] listens on its address again.
func WithListener(listener net.Listener) Option { return func(o *options) { o.listener = listener } }

// WithNetwork makes the server listen on an in-memory network instead of a TCP port.
func WithNetwork(network *Network) Option { return func(o *options) { o.network = network } }

// WithTLS makes the server speak TLS. With a nil config it makes a certificate for itself, which [Server.RootCAs] trusts.
func WithTLS(config *tls.Config) Option {
	return func(o *options) { o.tls, o.tlsConfig = true, config }
}

// WithToken sets the valid auth token, overriding the default of "local-token". See also [Server.SetTokens].
func WithToken(token string) Option { return func(o *options) { o.token = protocol.Secret(token) } }

// WithMaxMessage sets the size in bytes of the largest message that a connector may send, overriding the default of
// 262144. A larger one is answered with the real server's error, a status 500, and is otherwise ignored; the link stays.
func WithMaxMessage(size int) Option { return func(o *options) { o.maxMessage = size } }

// WithFrames sets the kinds of WebSocket messages that a link sends, one after the other and over again, overriding the
// default of Binary only: WithFrames(Text, Binary) alternates. Both kinds are always understood.
func WithFrames(kinds ...FrameKind) Option {
	return func(o *options) {
		if len(kinds) > 0 {
			o.frames = kinds
		}
	}
}

// WithObserver makes the server tell observe what happens, one event at a time, in order. The observer runs on a
// goroutine of its own, a little later: it may block and may call the server, but not [Server.Close], which waits for it.
func WithObserver(observe func(Event)) Option { return func(o *options) { o.observer = observe } }
