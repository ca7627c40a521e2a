package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vantiq-go/connectorsdk/cmd/vantiqdev/internal/console"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// A namespace is what the local Vantiq has: valid tokens, and sources with their configurations.
type namespace struct {
	tokens  []string
	sources []configuredSource
	samples console.Samples // for whoever tries the sources
}

type configuredSource struct {
	name   string
	config protocol.Document
}

// checkName refuses what cannot be the name of a source: a server.config could not list it, or an address not hold it.
func checkName(name string) error {
	if name == "" || name == "." || name == ".." || name != strings.TrimSpace(name) || strings.Contains(name, ",") {
		return fmt.Errorf("%q is no name of a source", name)
	}
	return nil
}

// names returns the names of the sources.
func (n namespace) names() (names []string) {
	for _, s := range n.sources {
		names = append(names, s.name)
	}
	return names
}

// find returns the configuration of a source.
func (n namespace) find(name string) (config protocol.Document, ok bool) {
	i := slices.IndexFunc(n.sources, func(s configuredSource) bool { return s.name == name })
	if i < 0 {
		return config, false
	}
	return n.sources[i].config, true
}

// configure makes the local Vantiq what n says, where that differs from before, and says so. What has been changed in the
// console meanwhile, and not in n, stays.
func (n namespace) configure(server *vantiqtest.Server, before namespace, say func(format string, args ...any)) {
	if len(n.tokens) > 0 && !slices.Equal(n.tokens, before.tokens) {
		server.SetTokens(n.tokens...)
		if before.tokens != nil {
			say("the auth tokens have changed; who is connected stays so")
		}
	}
	for _, s := range n.sources {
		old, ok := before.find(s.name)
		switch {
		case !ok:
			source := server.Source(s.name, s.config)
			source.HandleNotifications(func(protocol.Document) {}) // whoever wants them sees them go by; nobody takes them
			if before.sources != nil {
				say("source %s is there now", s.name)
			}
		case !old.Equal(s.config):
			say("the configuration of source %s has changed", s.name)
			server.Source(s.name, s.config).Reconfigure(s.config)
		}
	}
	for _, s := range before.sources {
		if _, ok := n.find(s.name); !ok {
			say("source %s is no longer there", s.name)
			server.Remove(s.name)
		}
	}
}
