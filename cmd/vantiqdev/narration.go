package main

import (
	"sync/atomic"
	"time"

	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// A narration passes events on to a narrator, and never waits for it: a terminal can be held up for ever.
type narration struct {
	narrator *narrator
	events   chan vantiqtest.Event
	missed   atomic.Int64
	over     chan struct{}
}

const (
	narratedAhead     = 1_000 // events that may wait
	narratorsFarewell = time.Second
)

func narrate(n *narrator) *narration {
	told := &narration{narrator: n, events: make(chan vantiqtest.Event, narratedAhead), over: make(chan struct{})}
	go func() { // ends with finish
		defer close(told.over)
		for e := range told.events {
			if missed := told.missed.Swap(0); missed > 0 {
				n.screen.say("… %s not told: this output was held up", count(int(missed), "event"))
			}
			n.observe(e)
		}
		n.finish()
	}()
	return told
}

// observe takes note of an event.
func (t *narration) observe(e vantiqtest.Event) {
	select {
	case t.events <- e:
	default:
		t.missed.Add(1)
	}
}

// finish returns when everything has been told, or cannot be. Nothing may be observed any more.
func (t *narration) finish() {
	close(t.events)
	select {
	case <-t.over:
	case <-time.After(narratorsFarewell):
	}
}
