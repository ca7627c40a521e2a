// Package protocol is the wire between a connector and Vantiq: operations, responses, documents, errors and addresses.
//
// It holds pure functions and plain values: no I/O, no goroutines, no policy. A [Decoder] turns a frame into one of a
// closed set of message types; the Append functions turn what is to be said into a frame. Both directions are here,
// because a local Vantiq needs the other one. Values may be shared by goroutines as long as nobody writes to them; a
// Decoder belongs to one goroutine.
//
// How a session goes ("connector" is the program on this side, which always dials):
//
//	connector                                      Vantiq
//	    validate (auth token)            ────────►
//	                                     ◄────────  response: status 200, or an error
//	    connectExtension (source,        ────────►
//	        reconnect secret)            ◄────────  any number of responses; status 300 and up refuses the connect
//	                                     ◄────────  configureExtension (source configuration)
//	  from here on, in any order:
//	                                     ◄────────  publish (message): never answered
//	                                     ◄────────  query (reply address, parameters)
//	    response: 100 (partial) any      ────────►
//	        number of times, then one
//	        of 200, 204 or an error
//	    notification (event)             ────────►
//	                                     ◄────────  response: a bare status, which names nothing it acknowledges
//	                                     ◄────────  reconnectRequired: begin again at connectExtension
//
// A message with a non-null op is an operation; one without is a response. Every message is one JSON object in one
// WebSocket message, text or binary alike. Unknown operations and unknown members are data, not errors. docs/protocol.md shows
// each of them as it stands on the wire, and says how much of it is known.
package protocol
