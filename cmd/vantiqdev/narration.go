package main

import (
	"sync/atomic"
	"time"

	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// A narration says what there is to say, and lets nobody wait for it: a terminal can be held up for ever.
type narration struct {
	narrator *narrator
	sayings  chan func()
	missed   atomic.Int64
	over     chan struct{}
}

const (
	narratedAhead     = 1_000 // sayings that may wait
	narratorsFarewell = time.Second
)

func narrate(n *narrator) *narration {
	told := &narration{narrator: n, sayings: make(chan func(), narratedAhead), over: make(chan struct{})}
	go func() { // ends with finish
		defer close(told.over)
		for say := range told.sayings {
			if missed := told.missed.Swap(0); missed > 0 {
				n.screen.say("… %s not told: this output was held up", count(int(missed), "event"))
			}
			say()
		}
		n.finish()
	}()
	return told
}

// observe has an event told.
func (t *narration) observe(e vantiqtest.Event) { t.later(func() { t.narrator.observe(e) }) }

// later has something said in its turn.
func (t *narration) later(say func()) {
	select {
	case t.sayings <- say:
	default:
		t.missed.Add(1)
	}
}

// finish returns when everything has been said, or cannot be. Nothing may come any more.
func (t *narration) finish() {
	close(t.sayings)
	select {
	case <-t.over:
	case <-time.After(narratorsFarewell):
	}
}
