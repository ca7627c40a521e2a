package console

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/vantiq-go/connectorsdk/protocol"
)

// maxBody is the size in bytes of the largest document that the console takes.
const maxBody = 16 << 20

// An apiError is what a request fails with.
type apiError struct {
	Code       string `json:"code,omitempty"`
	Message    string `json:"message"`
	Parameters []any  `json:"parameters,omitempty"`
}

// fail answers with an error.
func fail(w http.ResponseWriter, status int, err error) {
	e := apiError{Message: err.Error()}
	var query protocol.QueryError
	var vantiq *protocol.StatusError
	switch {
	case errors.As(err, &query):
		e = apiError{Code: query.Code, Message: query.Message(), Parameters: query.Parameters}
	case errors.As(err, &vantiq) && len(vantiq.Details) > 0:
		e.Code, e.Message = vantiq.Details[0].Code, vantiq.Details[0].Message
	}
	answer(w, status, map[string]apiError{"error": e})
}

// answer answers with a value.
func answer(w http.ResponseWriter, status int, value any) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		status = http.StatusInternalServerError
		text.Reset()
		_, _ = fmt.Fprintf(&text, "{%q:{%q:%q}}\n", "error", "message", err.Error())
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(text.Bytes())
}

// documentOf reads the document that a request brings; one that may be left out is {} then. It answers itself if there is
// none.
func documentOf(w http.ResponseWriter, r *http.Request, optional bool) (d protocol.Document, ok bool) {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		fail(w, http.StatusRequestEntityTooLarge, err)
		return d, false
	}
	if optional && len(bytes.TrimSpace(text)) == 0 {
		return d, true
	}
	if d, err = protocol.NewDocument(json.RawMessage(text)); err != nil {
		fail(w, http.StatusBadRequest, fmt.Errorf("not a JSON object: %w", err))
		return d, false
	}
	return d, true
}

// orderOf reads an order into v. It answers itself if it cannot be read.
func orderOf(w http.ResponseWriter, r *http.Request, v any) (ok bool) {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(v); err != nil {
		fail(w, http.StatusBadRequest, err)
		return false
	}
	return true
}
