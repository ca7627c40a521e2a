// Webhook-connector is an HTTP server whose paths are sources: each request becomes a notification of the source that has
// its path, and a query of a source makes a request to a host that its configuration allows.
package main

import (
	"context"
	"errors"
	"flag"
	"net"
	"os"
	"path/filepath"

	"github.com/vantiq-go/connectorsdk/boltoutbox"
	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/connectorset"
	"github.com/vantiq-go/connectorsdk/program"
)

func main() {
	var i intake
	flag.StringVar(&i.address, "listen", "127.0.0.1:8480", "where to listen for requests, a `HOST:PORT`")
	flag.StringVar(&i.certFile, "tls-cert", "", "PEM `file` with the server's certificate; without it the server speaks plain HTTP")
	flag.StringVar(&i.keyFile, "tls-key", "", "PEM `file` with the certificate's key")
	state := flag.String("state", "state", "`directory` of the outbox, made if it does not exist")
	program.Main(func(ctx context.Context, env program.Env) error { return serve(ctx, env, i, *state) })
}

func serve(ctx context.Context, env program.Env, i intake, state string) (err error) {
	listener, err := net.Listen("tcp", i.address)
	if err != nil {
		return err
	}
	defer listener.Close() // for the ways out on which no server has it
	if err := os.MkdirAll(state, 0o700); err != nil {
		return err
	}
	outbox, err := boltoutbox.Open(filepath.Join(state, "outbox.db"), boltoutbox.Options{Logger: env.Logger})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, outbox.Close()) }()

	useOutbox := connectorset.Each(func(_ string, o *connector.Options) {
		o.Outbox, o.OutboxFull = outbox, connector.Fail // whoever sends a request can wait better than we can
	})
	set, err := connectorset.Load(append(env.Options, useOutbox)...)
	if err != nil {
		return err
	}
	hooks := newHooks(len(set.Connections()), env.Logger)
	set.SetHandlers(newHandlers(hooks))
	i.handler, i.log = hooks, env.Logger
	return i.serveBefore(ctx, listener, set.Run)
}
