// Package vantiqtest is a local Vantiq: a server that speaks the server's side of the extension source protocol, for
// tests of connectors, for examples and for development without an account.
//
//	server := vantiqtest.NewServer()
//	defer server.Close()
//	source := server.Source("EchoSource", map[string]any{"prefix": "> "})
//	// start a connector with targetServer=server.URL(), authToken=server.Token(), sources=EchoSource
//	err := source.WaitConnected(ctx)
//
// It keeps the rules of the real server: a token must be valid, a source must be declared, has at most one connector,
// and is taken over only by one that knows the reconnect secret; every notification is acknowledged by a bare status; a
// publish or query fails at once while nobody is connected, and a query whose connector vanishes simply waits. A message
// that is not as Vantiq's description and its SDKs have it is taken as far as it can be, and an observer is told:
// [OddReceived].
//
// What a test does with it, most common first:
//
//   - play VAIL: [Source.Publish], [Source.Query], [Source.Notification], [Source.Notifications]
//   - wait for the connector: [Source.WaitConnected], [Source.WaitSession], [Source.WaitDisconnected]
//   - change the source: [Source.Reconfigure], [Source.RequireReconnect], [Server.Remove]; the valid tokens: [Server.SetTokens]
//   - lose the link: [Source.Drop] with a close code, [FIN], [RST] or [Vanish]; [Server.Stop] and [Server.Start] for an outage
//   - refuse connects: [Source.Reactivating], [Source.Refuse]
//   - acknowledge differently: [Source.SetAcknowledgements]
//   - strike certain messages: [Server.Inject] and [Source.Inject] with a [Fault]: delay, ignore, answer otherwise, cut
//   - slow a link down: [Source.Link], then [Link.HoldReads], [Link.HoldWrites], [Link.HoldPongs]
//   - ping the connector: [Link.Ping]
//   - say something wrong: [Source.SendRaw], [Link.Send]
//   - anything else: [Server.Intercept] sees every message, [Server.InterceptUpgrade] every HTTP request
//   - check afterwards: [Source.Connects], [Source.Stray], [Server.Dials], and all that happens with [WithObserver]
//
// A [Network] carries links in memory, so that a whole connector and its server run in virtual time under
// testing/synctest: pass it to [WithNetwork], and its DialContext to the connector.
//
// Everything may be called from several goroutines. What waits takes a context and returns its error, wrapped.
package vantiqtest
