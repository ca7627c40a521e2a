// Mqtt-connector stands between sources of a Vantiq namespace and an MQTT 5 broker: messages of the topics that a source
// subscribes to become its events, what is published to the source is published to a topic, and a query is a request to a
// device, answered by its response.
package main

import (
	"context"
	"flag"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/connectorset"
	"github.com/vantiq-go/connectorsdk/program"
)

func main() {
	address := flag.String("embedded", "127.0.0.1:0", "where the broker listens that serves sources whose configuration names none; `address` of the loopback")
	program.Main(func(ctx context.Context, env program.Env) error {
		embedded := &embeddedBroker{address: *address, log: env.Logger}
		defer embedded.close()
		set, err := connectorset.Load(append(env.Options, connectorset.Each(blocking))...)
		if err != nil {
			return err
		}
		for _, c := range set.Connections() {
			s := newSource(ctx, embedded, env.Logger)
			defer s.close() // when the last receipts are there, which are acknowledgements to the broker
			c.SetHandlers(s.handlers())
		}
		return set.Run(ctx)
	})
}

// blocking makes the outbox wait for room: messages that it did not take would be lost, while the broker can wait.
func blocking(_ string, o *connector.Options) { o.OutboxFull = connector.Block }
