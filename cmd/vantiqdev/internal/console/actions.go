package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// sourceOf returns the source that a request is about. It answers itself if there is none.
func (c *Console) sourceOf(w http.ResponseWriter, r *http.Request) *vantiqtest.Source {
	name := r.PathValue("source")
	for _, source := range c.vantiq.Sources() {
		if source.Name() == name {
			return source
		}
	}
	fail(w, http.StatusNotFound, fmt.Errorf("there is no source %q", name))
	return nil
}

func (c *Console) postPublish(w http.ResponseWriter, r *http.Request) {
	source := c.sourceOf(w, r)
	if source == nil {
		return
	}
	message, ok := documentOf(w, r, false)
	if !ok {
		return
	}
	if err := source.Publish(r.Context(), message); err != nil {
		fail(w, statusOf(err), err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// queryPatience is how long a query waits unless its request says otherwise: a little longer than the SDK gives a handler.
const queryPatience = 150 * time.Second

func (c *Console) postQuery(w http.ResponseWriter, r *http.Request) {
	source := c.sourceOf(w, r)
	if source == nil {
		return
	}
	patience := queryPatience
	if text := r.URL.Query().Get("timeout"); text != "" {
		var err error
		if patience, err = time.ParseDuration(text); err != nil || patience <= 0 {
			fail(w, http.StatusBadRequest, fmt.Errorf("timeout=%s is not a duration like 30s", text))
			return
		}
	}
	parameters, ok := documentOf(w, r, true)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeoutCause(r.Context(), patience, fmt.Errorf("the connector did not answer within %s", patience))
	defer cancel()
	began := time.Now()
	rows, err := source.Query(ctx, parameters)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil && ctx.Err() != nil {
			err = cause
		}
		fail(w, statusOf(err), err)
		return
	}
	if rows == nil {
		rows = []protocol.Document{}
	}
	answer(w, http.StatusOK, struct {
		Rows     []protocol.Document `json:"rows"`
		Duration float64             `json:"ms"`
	}{rows, milliseconds(time.Since(began))})
}

// statusOf returns the HTTP status for what a source says.
func statusOf(err error) int {
	var query protocol.QueryError
	var vantiq *protocol.StatusError
	switch {
	case errors.As(err, &query):
		return http.StatusBadGateway
	case errors.As(err, &vantiq):
		return http.StatusConflict
	}
	return http.StatusGatewayTimeout
}

func (c *Console) putConfig(w http.ResponseWriter, r *http.Request) {
	source := c.sourceOf(w, r)
	if source == nil {
		return
	}
	config, ok := documentOf(w, r, false)
	if !ok {
		return
	}
	source.Reconfigure(config)
	c.touch()
	w.WriteHeader(http.StatusNoContent)
}

// touch has the state shown anew.
func (c *Console) touch() {
	c.traffic.mu.Lock()
	defer c.traffic.mu.Unlock()
	c.traffic.changes++
}
