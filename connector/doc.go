// Package connector connects one source of a Vantiq namespace to a Go program. Most programs let package connectorset make
// their source connections, from a server.config; this package is where handlers and senders are described.
//
// The shortest whole connector answers each published message with a notification:
//
//	c, err := connector.New("EchoSource", connector.Options{TargetServer: "https://dev.vantiq.com", AuthToken: token})
//	if err != nil {
//		return err
//	}
//	c.SetHandlers(connector.Handlers{
//		Publish: func(ctx context.Context, c *connector.SourceConnection, message connector.Document) error {
//			return c.SendNotification(ctx, message)
//		},
//	})
//	return c.Run(ctx) // until ctx ends
//
// # Sessions
//
// A session begins with a source configuration, which Connect gets, and ends with Close. Vantiq begins a new one whenever
// the configuration has changed, and the SDK does after each loss of the link; [SessionHandlers] keep what belongs to one.
// Package protocol shows what travels.
//
// # Concurrency
//
// Publish is called for one message at a time, in order. Query is called for several queries at once, beside Publish. Connect
// is over before any of them starts, and Close begins when all have returned. Every method of a SourceConnection and of a
// Query may be called from any goroutine, in handlers too. A slow handler holds up its own source only: the link stays
// alive, and other sources do not notice.
//
// # What is promised
//
// Every query gets exactly one final answer, whatever its handler does. A notification that SendNotification accepted is
// delivered at least once and in order, as far as counting acknowledgements without an id can tell. A link that is lost,
// or only half there, is noticed within 30 seconds and replaced.
package connector
