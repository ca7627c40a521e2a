package main

import (
	"encoding/base64"
	"encoding/json"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"
)

// An event is what VAIL gets of a request.
type event struct {
	ID          string            `json:"id,omitempty"` // of the delivery, as the sender has it
	Method      string            `json:"method"`
	Path        string            `json:"path"`
	Query       map[string]any    `json:"query"`
	Headers     map[string]string `json:"headers"` // by lower-case names
	ContentType string            `json:"contentType"`
	Body        any               `json:"body"`
	Encoding    string            `json:"encoding,omitempty"` // base64, or empty if the body is as it came
	ReceivedAt  string            `json:"receivedAt"`         // RFC 3339, to the millisecond, UTC
	Remote      string            `json:"remote"`             // the client's address
}

func (k *hook) event(r *http.Request, query url.Values, body []byte) event {
	e := event{
		Method:      r.Method,
		Path:        r.URL.Path,
		Query:       fields(query),
		Headers:     map[string]string{},
		ContentType: r.Header.Get("Content-Type"),
		ReceivedAt:  time.Now().UTC().Format("2006-01-02T15:04:05.000Z07:00"),
		Remote:      r.RemoteAddr,
	}
	e.Body, e.Encoding = readable(e.ContentType, body)
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		e.Remote = host
	}
	for _, name := range k.headers {
		if values := r.Header[name]; len(values) > 0 {
			e.Headers[strings.ToLower(name)] = strings.Join(values, ", ")
		}
	}
	if k.idHeader != "" {
		e.ID = r.Header.Get(k.idHeader)
	}
	return e
}

// readable returns a body in the form that suits VAIL best: JSON as it is, forms as objects, text as text, and everything
// else in base64, which the encoding then says. An empty body is null. JSON that is malformed cannot be marshalled.
func readable(contentType string, body []byte) (value any, encoding string) {
	mediaType, _, _ := mime.ParseMediaType(contentType) // empty if it is malformed
	switch {
	case len(body) == 0:
		return nil, ""
	case mediaType == "application/json", strings.HasSuffix(mediaType, "+json"):
		return json.RawMessage(body), ""
	case mediaType == "application/x-www-form-urlencoded":
		if values, err := url.ParseQuery(string(body)); err == nil {
			return fields(values), ""
		}
	case mediaType == "", strings.HasPrefix(mediaType, "text/"), strings.HasSuffix(mediaType, "/xml"), strings.HasSuffix(mediaType, "+xml"):
		if utf8.Valid(body) {
			return string(body), ""
		}
	}
	return base64.StdEncoding.EncodeToString(body), "base64"
}

// fields returns what a form or a query says: text, or a list where a name comes more than once.
func fields(values url.Values) map[string]any {
	result := map[string]any{}
	for name, all := range values {
		if len(all) == 1 {
			result[name] = all[0]
		} else {
			result[name] = all
		}
	}
	return result
}
