package vantiqtest

// Vantiq writes more into some operations than a connector needs: a routing address, and members that are its own affair. A
// connector that refuses members it does not know must fail here as well, so the local Vantiq writes them too, as far as
// messages of a real server are on record.

// completeConfigureExtension and completePublish are given an operation, and return it with the members that Vantiq adds.
func (l *Link) completeConfigureExtension(frame []byte) []byte {
	return l.complete(frame, `,"isSystemResource":true,"parameters":{},"skipMonitoring":false,"isExternal":false`)
}

func (l *Link) completePublish(frame []byte) []byte { return l.complete(frame, "") }

// complete appends members, among them those that every such operation has, to a JSON object.
func (l *Link) complete(frame []byte, members string) []byte {
	frame = append(frame[:len(frame)-1], members...)
	frame = append(frame, `,"contentType":"application/json","messageHeaders":{},"address":"`...)
	return append(append(frame, l.address...), `"}`...)
}
