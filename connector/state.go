package connector

import (
	"fmt"
	"sync"
)

// State is where a source connection is in its life:
//
//	Idle → Dialing → Authenticating → Connecting → Configuring → Connected → (Draining) → Closed
//	            ↖──────────── Waiting (backoff) ←──────┴─────────────┘ link lost
type State int

const (
	Idle           State = iota // Run has not been called
	Dialing                     // opening the WebSocket
	Authenticating              // the auth token has been sent
	Connecting                  // claiming the source; refusals are retried from here
	Configuring                 // the configuration has come; the Connect handler has not accepted it yet
	Connected                   // in session: handlers run
	Waiting                     // after a failure, before the next attempt
	Draining                    // shutting down: handlers finish, the outbox is flushed
	Closed                      // Run has returned
)

var stateNames = [...]string{"Idle", "Dialing", "Authenticating", "Connecting", "Configuring", "Connected", "Waiting", "Draining", "Closed"}

// String returns the state's name.
func (s State) String() string {
	if s < 0 || int(s) >= len(stateNames) {
		return fmt.Sprintf("State(%d)", int(s))
	}
	return stateNames[s]
}

// lifeState is the state as others see it. Only the goroutine of Run sets it.
type lifeState struct {
	mu      sync.Mutex
	now     State
	changed chan struct{} // closed and replaced at each change, if anybody asked for it
}

// get returns the state, and a channel that is closed when it has changed.
func (l *lifeState) get() (State, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changed == nil {
		l.changed = make(chan struct{})
	}
	return l.now, l.changed
}

func (l *lifeState) load() State {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.now
}

// set returns the state before.
func (l *lifeState) set(s State) State {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := l.now
	if before != s {
		l.now = s
		if l.changed != nil {
			close(l.changed)
			l.changed = nil
		}
	}
	return before
}
