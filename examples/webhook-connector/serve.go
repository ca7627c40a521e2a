package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/protocol"
)

// ServeHTTP makes a notification of a request.
func (h *hooks) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	k, complete := h.find(r.URL.Path)
	mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case k == nil && !complete:
		busy(w, "not every source has its configuration")
	case k == nil:
		http.NotFound(w, r)
	case !has(k.Methods, r.Method):
		w.Header().Set("Allow", strings.Join(k.Methods, ", "))
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
	case len(k.ContentTypes) > 0 && !has(k.ContentTypes, mediaType):
		http.Error(w, "content type not accepted", http.StatusUnsupportedMediaType)
	case k.Answer == acknowledged && k.c.State() != connector.Connected:
		busy(w, "Vantiq cannot be reached")
	default:
		select {
		case k.slots <- struct{}{}:
			defer func() { <-k.slots }()
			h.take(w, r, k)
		default:
			busy(w, "too many requests at once")
		}
	}
}

func has(list []string, text string) bool {
	return slices.ContainsFunc(list, func(element string) bool { return strings.EqualFold(element, text) })
}

// take reads a request, checks it and sends it on.
func (h *hooks) take(w http.ResponseWriter, r *http.Request, k *hook) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(k.MaxBody)))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		http.Error(w, "body too large", http.StatusRequestEntityTooLarge)
		return
	case errors.Is(err, os.ErrDeadlineExceeded):
		http.Error(w, "body too slow", http.StatusRequestTimeout)
		return
	case err != nil:
		http.Error(w, "body incomplete", http.StatusBadRequest)
		return
	}
	if k.verifier != nil {
		if err := k.verifier.verify(r.Header, body, time.Now()); err != nil {
			k.refused.Do(func() {
				h.log.Warn("a request was refused", "source", k.c.Source(), "remote", r.RemoteAddr, "reason", err)
			})
			http.Error(w, "unauthorized", http.StatusUnauthorized)
			return
		}
		if answer, ok := k.verifier.answersItself(body); ok {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			_, _ = io.WriteString(w, answer)
			return
		}
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil { // a part of it would be missing
		http.Error(w, "query malformed", http.StatusBadRequest)
		return
	}
	document, err := protocol.NewDocument(k.event(r, query, body))
	if err != nil {
		http.Error(w, "body malformed", http.StatusBadRequest)
		return
	}
	k.send(r.Context(), w, document, h.log)
}

// send answers a request when its notification is where the configuration wants it to be.
func (k *hook) send(ctx context.Context, w http.ResponseWriter, event connector.Document, logger *slog.Logger) {
	receipt, err := k.c.SendWithReceipt(ctx, event)
	switch {
	case err == nil && k.Answer != acknowledged:
		w.WriteHeader(http.StatusAccepted)
		return
	case err == nil:
	case errors.Is(err, connector.ErrTooLarge):
		http.Error(w, "body too large", http.StatusRequestEntityTooLarge)
		return
	default: // the outbox or the disk is full, or the source connection has closed
		logger.Debug("a request was not accepted", "source", k.c.Source(), "error", err)
		busy(w, "not accepted")
		return
	}
	ctx, cancel := context.WithTimeout(ctx, k.AnswerWithin)
	defer cancel()
	switch err := receipt.Wait(ctx); {
	case err == nil:
		w.WriteHeader(http.StatusOK)
	case errors.Is(err, connector.ErrRefused):
		http.Error(w, "Vantiq refused it", http.StatusBadGateway)
	default: // it will be delivered, and once more if it is sent again
		w.Header().Set("Retry-After", retryAfter)
		http.Error(w, "Vantiq has not acknowledged it in time", http.StatusGatewayTimeout)
	}
}

// busy answers a request that was not taken and should come again.
func busy(w http.ResponseWriter, reason string) {
	w.Header().Set("Retry-After", retryAfter)
	http.Error(w, reason, http.StatusServiceUnavailable)
}
