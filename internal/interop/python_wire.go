package interop

import "fmt"

// What the SDK for Python says, in the order of its members. Values are JSON.

func pythonValidate(token string) []byte {
	return dumps(`{"op":"validate","resourceName":"system.credentials","object":` + quote(token) + `}`)
}

func pythonConnect(source, secret string) []byte {
	return dumps(`{"op":"connectExtension","resourceName":"sources","resourceId":` + quote(source) +
		`,"parameters":{"reconnectSecret":` + quote(secret) + `}}`)
}

func pythonNotification(source, event string) []byte {
	return dumps(`{"op":"notification","resourceName":"sources","resourceId":` + quote(source) + `,"object":` + event + `}`)
}

// pythonResponse leaves the body of an empty answer out.
func pythonResponse(address string, a answer) []byte {
	text := fmt.Sprintf(`{"status":%d,"headers":{"X-Reply-Address":%s}`, a.status, quote(address))
	if a.body != "" {
		text += `,"body":` + a.body
	}
	return dumps(text + `}`)
}
