package loadserver

import (
	"bytes"
	"fmt"

	"github.com/gobwas/ws"
)

// frame returns a message as the server sends it: binary, not masked.
func frame(message []byte) []byte { return ws.MustCompileFrame(ws.NewBinaryFrame(message)) }

// Messages that are always the same.
var (
	acknowledged  = frame([]byte(`{"status":200}`))
	authenticated = frame([]byte(`{"status":200,"contentType":"application/json","body":{"anonymous":false,"userInfo":{` +
		`"username":"bench","namespace":"Bench","userType":"node"}}}`))
)

// operation returns a message with what a real server puts around an object.
func operation(op, source, headers string, object []byte) []byte {
	return fmt.Appendf(nil, `{"op":%q,"resourceName":"sources","resourceId":%q,"isSystemResource":true,"parameters":{},`+
		`"contentType":"application/json","skipMonitoring":false,"object":%s,"isExternal":false,`+
		`"address":"0b1e6a6e-8c55-4a0f-9d0a-3f1f6d2b7c11","messageHeaders":%s,"namespaceName":"Bench","locale":null,`+
		`"responseType":null}`, op, source, object, headers)
}

func configuration(source string) []byte {
	return frame(operation("configureExtension", source, "{}", []byte(`{"config":{}}`)))
}

// member returns what follows the name of a member in a message, blanks left out: peers differ in those.
func member(message []byte, quotedName string) ([]byte, bool) {
	i := bytes.Index(message, []byte(quotedName))
	if i < 0 {
		return nil, false
	}
	return bytes.TrimLeft(message[i+len(quotedName):], ": "), true
}

// text returns the text that a member has; none may hold an escape.
func text(message []byte, quotedName string) (string, bool) {
	value, ok := member(message, quotedName)
	if !ok || len(value) < 2 || value[0] != '"' {
		return "", false
	}
	end := bytes.IndexByte(value[1:], '"')
	if end < 0 {
		return "", false
	}
	return string(value[1 : 1+end]), true
}

// number returns the whole number that a member has.
func number(message []byte, quotedName string) (n int, ok bool) {
	value, found := member(message, quotedName)
	if !found {
		return 0, false
	}
	for i, digit := range value {
		if digit < '0' || digit > '9' {
			return n, i > 0
		}
		n = 10*n + int(digit-'0')
	}
	return n, len(value) > 0
}
