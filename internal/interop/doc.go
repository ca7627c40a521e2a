// Package interop holds connectors as Vantiq's own SDKs make them, reduced to what goes over the wire, to find out whether
// the local Vantiq treats them as Vantiq does.
//
// A [Python] sends and expects byte for byte what the official SDK for Python does (text messages, a new socket for every new
// session), and a [Java] what the one for Java does (binary messages only, every null member, five notifications at a time).
// Both do what [Behaviour] says, and so does testdata/connector.py on the real SDK for Python: the tests send all three
// through the same scenarios. Neither peer uses anything of package protocol that the Go SDK uses to speak.
package interop
