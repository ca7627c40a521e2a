// Sql-connector puts a SQL database behind a source: PostgreSQL or SQLite. Queries run SELECTs, published messages run
// statements, and polls send new rows as notifications. The README tells how.
package main

import (
	"context"
	"errors"
	"flag"

	"github.com/vantiq-go/connectorsdk/connectorset"
	"github.com/vantiq-go/connectorsdk/program"
	"github.com/vantiq-go/connectorsdk/prommetrics"
)

func main() {
	state := flag.String("state", "state", "keep the positions of polls in this `directory`, made when it is needed")
	address := flag.String("metrics", "", "serve metrics for Prometheus at this `address`, like :9090; empty for none")
	program.Main(func(ctx context.Context, env program.Env) (err error) {
		metrics := prommetrics.New()
		set, err := connectorset.Load(append(env.Options, connectorset.WithHooks(metrics))...)
		if err != nil {
			return err
		}
		c := newConnector(*state, env.Logger)
		defer c.leave()
		set.SetHandlers(c.handlers())
		closeMetrics, err := serveMetrics(*address, metrics)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, closeMetrics()) }()
		return set.Run(ctx)
	})
}
