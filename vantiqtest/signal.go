package vantiqtest

import "sync"

// A signal wakes all who wait for a change. The mutex of what changes guards it. Channels, unlike mutexes, count as
// idle under testing/synctest, and one is made only when somebody waits.
type signal struct{ waiting chan struct{} }

// changed returns a channel that the next wake closes.
func (s *signal) changed() <-chan struct{} {
	if s.waiting == nil {
		s.waiting = make(chan struct{})
	}
	return s.waiting
}

func (s *signal) wake() {
	if s.waiting != nil {
		close(s.waiting)
		s.waiting = nil
	}
}

// A gate holds those who want to pass while it is shut. The zero gate is open.
type gate struct {
	mu     sync.Mutex
	isShut bool
	opened signal
}

func (g *gate) shut(shut bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.isShut = shut
	if !shut {
		g.opened.wake()
	}
}

// pass returns once the gate is open or done is closed.
func (g *gate) pass(done <-chan struct{}) {
	for {
		g.mu.Lock()
		if !g.isShut {
			g.mu.Unlock()
			return
		}
		opened := g.opened.changed()
		g.mu.Unlock()
		select {
		case <-opened:
		case <-done:
			return
		}
	}
}
