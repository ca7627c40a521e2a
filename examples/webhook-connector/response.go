package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"
)

// A response is the answer of a host.
type response struct {
	*http.Response

	host string
	max  int64
	rows bool
}

// A row is the answer to a query.
type row struct {
	Status   int               `json:"status"`
	Headers  map[string]string `json:"headers"` // by lower-case names
	Body     any               `json:"body"`
	Encoding string            `json:"encoding,omitempty"`
}

func (r *response) row() (row, error) {
	body, err := io.ReadAll(r.limited())
	if err != nil {
		return row{}, r.broken(err)
	}
	answer := row{Status: r.StatusCode, Headers: map[string]string{}}
	for name, values := range r.Header {
		if !isCredential(name) {
			answer.Headers[strings.ToLower(name)] = strings.Join(values, ", ")
		}
	}
	answer.Body, answer.Encoding = readable(r.Header.Get("Content-Type"), body)
	if text, ok := answer.Body.(json.RawMessage); ok && !json.Valid(text) {
		return row{}, r.broken(errors.New("malformed JSON"))
	}
	return answer, nil
}

// eachRow yields the elements of a JSON array while it arrives.
func (r *response) eachRow() iter.Seq2[json.RawMessage, error] {
	return func(yield func(json.RawMessage, error) bool) {
		if r.StatusCode >= 300 {
			yield(nil, r.unexpected())
			return
		}
		decoder := json.NewDecoder(r.limited())
		begin, err := decoder.Token()
		if err == nil && begin != json.Delim('[') {
			err = errors.New("not a JSON array")
		}
		if err != nil {
			yield(nil, r.broken(err))
			return
		}
		for decoder.More() {
			var row json.RawMessage
			if err := decoder.Decode(&row); err != nil {
				yield(nil, r.broken(err))
				return
			}
			if !yield(row, nil) {
				return
			}
		}
		if _, err := decoder.Token(); err != nil {
			yield(nil, r.broken(err)) // the array does not end
		}
	}
}

// unexpected returns an error for a status that is not 2xx.
func (r *response) unexpected() error {
	return problem("status", "%s: the answer is %s", r.host, r.Status)
}

func (r *response) limited() io.Reader { return http.MaxBytesReader(nil, r.Body, r.max) }

// broken returns what is wrong with a body.
func (r *response) broken(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		err = fmt.Errorf("larger than webhookConfig.requests.maxResponse, %d bytes", r.max)
	}
	return problem("badResponse", "%s: the body of the answer: %v", r.host, err)
}
