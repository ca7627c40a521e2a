// Package connectorset makes a connector: it reads the configuration, owns one source connection per source, and runs,
// drains and stops them together. This is a whole one, which sends each published message back as a notification:
//
//	func main() {
//		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
//		defer stop()
//		set, err := connectorset.Load(connectorset.WithLogger(slog.Default()))
//		if err != nil {
//			log.Fatal(err)
//		}
//		set.SetHandlers(connector.Handlers{
//			Publish: func(ctx context.Context, c *connector.SourceConnection, message connector.Document) error {
//				return c.SendNotification(ctx, message)
//			},
//		})
//		if err := set.Run(ctx); err != nil {
//			log.Fatal(err)
//		}
//	}
//
// # Configuration
//
// [Load] reads serverConfig/server.config, a Java properties file in UTF-8, as the Python and Java SDKs do; the sample
// in this module's serverConfig directory lists every property. A property that either of them reads means here what it
// was meant to mean there; in doubt there is a [Warning]. A program that has its settings from elsewhere fills a [Config]
// and calls [New].
//
// # Health
//
// Kubernetes probes a TCP port, 8000, which is open only while the connector is healthy. Either main declares the set
// healthy when it is ready to work, or the set derives it from its sources, see [Derived].
//
// # Concurrency
//
// Run starts one goroutine per source and returns when all have ended. All methods may be called from several
// goroutines.
package connectorset
