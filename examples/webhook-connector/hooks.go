package main

import (
	"cmp"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"reflect"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/vantiq-go/connectorsdk/connector"
)

const (
	prefix      = "/hooks/"
	maxRequests = 64  // of a source that are handled at once
	retryAfter  = "5" // seconds

	acknowledged = "acknowledged" // the value of general.answer that makes requests wait for Vantiq
)

// hooks handle the requests of all sources.
type hooks struct {
	sources int
	log     *slog.Logger

	mu     sync.RWMutex
	byPath map[string]*hook
}

// A hook is what a source takes requests with.
type hook struct {
	generalConfig

	c        *connector.SourceConnection
	path     string
	config   config
	verifier *verifier // nil: requests are not signed
	headers  []string  // that an event has
	idHeader string
	slots    chan struct{} // one is in it for each request that is handled
	refused  rate.Sometimes
}

func newHooks(sources int, logger *slog.Logger) *hooks {
	return &hooks{sources: sources, log: logger, byPath: map[string]*hook{}}
}

func newHook(c *connector.SourceConnection, config config) (k *hook, err error) {
	general, signature := config.Webhook.General, config.Webhook.Signature
	k = &hook{
		generalConfig: general,
		c:             c,
		path:          prefix + cmp.Or(general.Path, c.Source()),
		config:        config,
		idHeader:      general.IDHeader,
		slots:         make(chan struct{}, maxRequests),
		refused:       rate.Sometimes{First: 3, Interval: time.Minute}, // what a stranger can cause does not fill the log
	}
	for _, name := range general.Headers {
		k.headers = append(k.headers, http.CanonicalHeaderKey(name))
	}
	if signature == nil {
		return k, nil
	}
	if k.verifier, err = newVerifier(*signature); err != nil {
		return nil, connector.Permanent(err)
	}
	k.headers = append(k.headers, k.verifier.headers...)
	k.idHeader = cmp.Or(k.idHeader, k.verifier.idHeader)
	return k, nil
}

// put lets a source take requests as its configuration says, and no longer as an earlier one did.
func (h *hooks) put(c *connector.SourceConnection, config config) error {
	k, err := newHook(c, config)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	switch old := h.byPath[k.path]; {
	case old != nil && old.c != c:
		return fmt.Errorf("webhookConfig.general.path: source %s has %s already", old.c.Source(), k.path)
	case old != nil && reflect.DeepEqual(old.config, config):
		return nil // the link was lost, and that is no concern of those who send requests
	}
	h.forget(c)
	h.byPath[k.path] = k
	h.log.Info("taking requests", "source", c.Source(), "path", k.path, "answer", k.Answer)
	if k.verifier == nil {
		h.log.Warn("requests are taken from anybody: the configuration has no webhookConfig.signature", "source", c.Source())
	}
	return nil
}

func (h *hooks) remove(c *connector.SourceConnection) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.forget(c)
}

// forget is called with the mutex held.
func (h *hooks) forget(c *connector.SourceConnection) {
	maps.DeleteFunc(h.byPath, func(_ string, k *hook) bool { return k.c == c })
}

// find returns the hook at a path. If there is none, complete tells whether all sources have theirs.
func (h *hooks) find(path string) (k *hook, complete bool) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.byPath[path], len(h.byPath) == h.sources
}
