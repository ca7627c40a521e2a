// Package connectortest gives a test a running connector: handlers, a connector set, and a local Vantiq behind it, all
// in memory. A connector is tested in ten lines:
//
//	func TestEcho(t *testing.T) {
//		running := connectortest.Start(t, handlers, connectortest.WithSource("EchoSource", nil))
//		source := running.Source("EchoSource")
//		if err := source.Publish(t.Context(), map[string]any{"text": "hello"}); err != nil {
//			t.Fatal(err)
//		}
//		event, err := source.Notification(t.Context())
//		if err != nil || event.String() != `{"text":"hello"}` {
//			t.Errorf("got %v (%v)", event, err)
//		}
//	}
//
// The source plays VAIL: it publishes, queries and takes notifications, and does what networks and servers do, see
// [vantiqtest.Source]. Handlers made by [connector.SessionHandlers] are passed by their Handlers method.
//
// # Virtual time
//
// Nothing here needs a real clock or a real network, so Start works inside a [testing/synctest.Test] bubble. There a test of
// what happens after an outage of an hour takes milliseconds, and fails if the connector leaves a goroutine behind.
package connectortest
