package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/protocol"
)

// A requester makes the requests of a session, to the hosts of its configuration.
type requester struct {
	hosts       map[string]host // by their names
	timeout     time.Duration
	maxResponse int64
	client      http.Client
	transports  transports
}

func newRequester(config requestsConfig) *requester {
	r := &requester{hosts: map[string]host{}, timeout: config.Timeout, maxResponse: int64(config.MaxResponse)}
	for name, h := range config.Hosts {
		base, _ := parseHost(h.URL) // which Validate has seen
		headers := map[string]protocol.Secret{}
		for name, value := range h.Headers {
			headers[http.CanonicalHeaderKey(name)] = value
		}
		r.hosts[name] = host{base, headers, h.Private}
	}
	r.transports = newTransports(slices.Collect(maps.Values(r.hosts)))
	r.client.Transport = r.transports
	return r
}

func (r *requester) close() { r.transports.close() }

// A request is what a query or a message says about one.
type request struct {
	Host     string            `json:"host"` // its name in the configuration; not needed if there is only one
	Method   string            `json:"method"`
	Path     string            `json:"path"`
	Query    map[string]any    `json:"query"`
	Headers  map[string]string `json:"headers"`
	Body     json.RawMessage   `json:"body"`     // text goes out as it is, everything else as JSON
	Encoding string            `json:"encoding"` // base64: the body is bytes
	Rows     bool              `json:"rows"`     // the answer is a JSON array of objects: each is a row
}

func problem(code, format string, args ...any) error {
	return connector.QueryError{Code: "webhook." + code, Template: "{0}", Parameters: []any{fmt.Sprintf(format, args...)}}
}

// do makes the request that a document describes, and lets use have the response before it is closed.
func (r *requester) do(ctx context.Context, document connector.Document, use func(ctx context.Context, r *response) error) error {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	var wanted request
	decoder := json.NewDecoder(bytes.NewReader(document.Raw()))
	decoder.DisallowUnknownFields()
	decoder.UseNumber()
	if err := decoder.Decode(&wanted); err != nil {
		return problem("badRequest", "%v", err)
	}
	if wanted.Host == "" && len(r.hosts) == 1 {
		for wanted.Host = range r.hosts {
		}
	}
	h, ok := r.hosts[wanted.Host]
	if !ok {
		return problem("notAllowed", "host %q is not in the source configuration, webhookConfig.requests.hosts", wanted.Host)
	}
	out, err := wanted.build(ctx, h)
	if err != nil {
		return problem("badRequest", "%v", err)
	}
	answer, err := r.client.Do(out)
	if err != nil {
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err // without the URL, in which there may be more than the log should show
		}
		return problem("requestFailed", "%s: %v", wanted.Host, err)
	}
	defer func() { _ = answer.Body.Close() }()
	return use(ctx, &response{answer, wanted.Host, r.maxResponse, wanted.Rows})
}

// build returns the request to a host. Nothing in it decides where it goes.
func (w request) build(ctx context.Context, h host) (*http.Request, error) {
	path, err := url.Parse(w.Path)
	if err != nil || path.Scheme != "" || path.Host != "" || path.User != nil || path.Opaque != "" || w.Path != "" && w.Path[0] != '/' {
		return nil, errors.New("path: it must begin with a single slash")
	}
	target := url.URL{Scheme: h.base.Scheme, Host: h.base.Host, Path: path.Path, RawPath: path.RawPath}
	if target.RawQuery, err = w.query(path.RawQuery); err != nil {
		return nil, fmt.Errorf("query: %w", err)
	}
	body, contentType, err := w.body()
	if err != nil {
		return nil, err
	}
	out, err := http.NewRequestWithContext(ctx, strings.ToUpper(w.Method), target.String(), bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("method: it must be one like GET or POST")
	}
	if contentType != "" {
		out.Header.Set("Content-Type", contentType)
	}
	for name, value := range w.Headers {
		_, configured := h.headers[http.CanonicalHeaderKey(name)]
		if configured || isCredential(name) {
			return nil, fmt.Errorf("headers: %s cannot be set here; credentials stand in the source configuration", name)
		}
		out.Header.Set(name, value)
	}
	return out, nil
}

// query returns what stands behind the path's question mark, with the parameters added. Those that are null are left out.
func (w request) query(raw string) (string, error) {
	parameters, err := url.ParseQuery(raw)
	if err != nil {
		return "", err
	}
	for name, value := range w.Query {
		values, several := value.([]any)
		if !several {
			values = []any{value}
		}
		for _, value := range values {
			switch value.(type) {
			case nil:
			case []any, map[string]any:
				return "", fmt.Errorf("%s is neither text, number or boolean nor a list of these", name)
			default:
				parameters.Add(name, fmt.Sprint(value))
			}
		}
	}
	return parameters.Encode(), nil
}

func (w request) body() (body []byte, contentType string, err error) {
	switch {
	case len(w.Body) == 0 || string(w.Body) == "null":
		return nil, "", nil
	case w.Body[0] != '"':
		return w.Body, "application/json", nil
	}
	var text string
	if err := json.Unmarshal(w.Body, &text); err != nil {
		return nil, "", err
	}
	if w.Encoding != "base64" {
		return []byte(text), "text/plain; charset=utf-8", nil
	}
	if body, err = base64.StdEncoding.DecodeString(text); err != nil {
		return nil, "", errors.New("body: it is not base64")
	}
	return body, "application/octet-stream", nil
}
