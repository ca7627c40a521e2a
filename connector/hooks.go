package connector

import (
	"encoding/json"
	"time"
)

// A Hook is told what happens, typically to count it. It implements one or more of [ConnectionHook], [StateHook],
// [RefusedHook] and [HandlerHook]; which, is looked up once. Hooks are called on the goroutine on which it happens and
// must be quick and safe for concurrent use. Experimental: these interfaces may change before v1.
type Hook any

// ConnectionHook is told each source connection that [New] is about to return, to read its Stats, State and Health later.
type ConnectionHook interface {
	OnConnection(c *SourceConnection)
}

// StateHook is told each change of a source connection's state. Cause is the error that led to it, if one did.
type StateHook interface {
	OnState(source string, from, to State, cause error)
}

// RefusedHook is told each notification that Vantiq answered with an error. The event must not be written to.
type RefusedHook interface {
	OnRefused(source string, event json.RawMessage, err *StatusError)
}

// HandlerHook is told each call of a handler, "connect", "publish", "query" or "close", of work started with Go, "go", and
// of what Poll calls, "poll": how long it took and the error it returned.
type HandlerHook interface {
	OnHandled(source, handler string, took time.Duration, err error)
}

type hooks struct {
	connection []ConnectionHook
	state      []StateHook
	refused    []RefusedHook
	handler    []HandlerHook
}

func sortHooks(all []Hook) (h hooks) {
	for _, hook := range all {
		if n, ok := hook.(ConnectionHook); ok {
			h.connection = append(h.connection, n)
		}
		if s, ok := hook.(StateHook); ok {
			h.state = append(h.state, s)
		}
		if r, ok := hook.(RefusedHook); ok {
			h.refused = append(h.refused, r)
		}
		if c, ok := hook.(HandlerHook); ok {
			h.handler = append(h.handler, c)
		}
	}
	return h
}
