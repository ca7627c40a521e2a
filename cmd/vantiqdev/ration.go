package main

import (
	"sync"
	"time"
)

// linesPerSecond is more than a person reads, and less than holds anything up.
const linesPerSecond = 100

// A ration lets as much through as a person can read, and tells how much it has held back.
type ration struct {
	tell func(held int)

	mu     sync.Mutex
	second time.Time // when the one that counts began
	passed int
	held   int
	timer  *time.Timer // tells
}

// pass reports whether something may be shown.
func (r *ration) pass() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if r.held == 0 && now.Sub(r.second) >= time.Second {
		r.second, r.passed = now, 0
	}
	if r.passed < linesPerSecond {
		r.passed++
		return true
	}
	if r.held++; r.held == 1 {
		r.timer = time.AfterFunc(time.Second-now.Sub(r.second), r.settle)
	}
	return false
}

// settle tells what was held back, and begins anew.
func (r *ration) settle() {
	r.mu.Lock()
	held := r.held
	r.held, r.passed = 0, 0
	r.second = time.Now()
	if r.timer != nil {
		r.timer.Stop()
	}
	r.mu.Unlock()
	if held > 0 {
		r.tell(held)
	}
}
