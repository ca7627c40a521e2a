// File-connector watches directories and sends the rows of CSV and JSON-lines files as notifications. It moves a file away
// when Vantiq has acknowledged all of it.
package main

import (
	"context"
	"flag"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/connectorset"
	"github.com/vantiq-go/connectorsdk/program"
)

func main() {
	state := flag.String("state", "state", "the `directory` that remembers how far files have been acknowledged")
	program.Main(func(ctx context.Context, env program.Env) error {
		c := newConnector(*state, env.Logger)
		defer c.leave()
		env.Options = append(env.Options, connectorset.Each(func(_ string, o *connector.Options) {
			o.OutboxFull = connector.Block // whatever server.config says: files can wait, and nothing of them is to be dropped
		}))
		return program.Serve(c.handlers())(ctx, env)
	})
}
