package interop

import "encoding/json"

// A javaOperation is an operation as the SDK for Java sends it: Jackson writes every public field in its order, null or not,
// and after them what a getter alone returns. Fields that are not public (isSystemResource, executionContext, sessionId,
// skipMonitoring, isExternal) stay inside.
type javaOperation struct {
	Address        string          `json:"address"`
	MessageHeaders struct{}        `json:"messageHeaders"`
	NamespaceName  *string         `json:"namespaceName"`
	Locale         *string         `json:"locale"`
	Op             string          `json:"op"`
	ResourceName   string          `json:"resourceName"`
	ResourceID     string          `json:"resourceId"`
	Parameters     json.RawMessage `json:"parameters"`
	Object         json.RawMessage `json:"object"`
	ContentType    string          `json:"contentType"`
	ResponseType   *string         `json:"responseType"`
	SourceName     string          `json:"sourceName"` // a getter's
}

// A javaResponse is a response as the SDK for Java sends it, also without a body.
type javaResponse struct {
	Status      int               `json:"status"`
	Headers     map[string]string `json:"headers"`
	Body        json.RawMessage   `json:"body"`
	ContentType string            `json:"contentType"`
}

const javaContentType = "application/json; charset=utf-8"

// javaValidate is made from a map, unlike the operations after it.
func javaValidate(token string) []byte {
	return jackson(struct {
		Op           string `json:"op"`
		ResourceName string `json:"resourceName"`
		Object       string `json:"object"`
	}{"validate", "system.credentials", token})
}

func javaConnect(source, secret string) []byte {
	operation := newJavaOperation("connectExtension", source)
	operation.Parameters = jackson(struct {
		Secret string `json:"reconnectSecret"`
	}{secret})
	return jackson(operation)
}

func javaNotification(source, event string) []byte {
	operation := newJavaOperation("notification", source)
	operation.Object = json.RawMessage(event)
	return jackson(operation)
}

func newJavaOperation(op, source string) javaOperation {
	return javaOperation{Op: op, ResourceName: "sources", ResourceID: source, ContentType: javaContentType, SourceName: source}
}

func javaAnswer(address string, a answer) []byte {
	response := javaResponse{Status: a.status, Headers: map[string]string{"X-Reply-Address": address}, ContentType: javaContentType}
	if a.body != "" {
		response.Body = json.RawMessage(a.body)
	}
	return jackson(response)
}
