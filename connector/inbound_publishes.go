package connector

import "time"

// stalled is how long the reader waits for the Publish handler to finish a message before it supposes that the handler
// waits for acknowledgements, if anybody does: it may do so with a context of its own, and then does not show.
const stalled = time.Second

// publish takes the frame of a published message. It blocks the reader while there is no room.
func (in *inbound) publish(l *link, frame []byte) {
	place := in.offer(l, frame, false)
	if place == taken {
		return
	}
	if place == noPlace || place == noPlaceLeft {
		l.hold()
		defer l.release()
	}
	stall := time.NewTimer(stalled)
	defer stall.Stop()
	for suspect := false; ; place = in.offer(l, frame, suspect) {
		switch place {
		case taken:
			return
		case takenInExcess:
			in.c.out.relax()
			in.trickle(l, len(frame)+messageOverhead)
			return
		case noPlaceLeft:
			in.c.out.failWaiters(suspect)
		}
		suspect = false
		select {
		case <-in.room:
		case <-stall.C:
			suspect = true
			stall.Reset(stalled)
		case <-l.ctx.Done():
		}
	}
}

const (
	// freeExcess may be read as fast as it comes: the acknowledgements are behind what TCP holds, which is less.
	freeExcess = 16 << 20
	// trickleRate, in bytes a second, is how fast the rest is read: the server needs time to work off what it was sent,
	// and would only send more messages meanwhile.
	trickleRate = 16 << 20
)

// trickle slows the reader down when much more is queued than should be, until the handler makes room.
func (in *inbound) trickle(l *link, size int) {
	in.mu.Lock()
	free := in.publishBytes < maxPublishBytes+freeExcess
	if in.debt += time.Duration(size) * time.Second / trickleRate; free {
		in.debt = 0
	}
	pauses := in.debt >= time.Millisecond
	if pauses {
		in.waitsForRoom, in.waitsSince = true, time.Time{}
	}
	in.mu.Unlock()
	if !pauses {
		return
	}
	l.hold()
	defer l.release()
	pause := time.NewTimer(in.debt)
	defer pause.Stop()
	in.debt = 0
	select {
	case <-in.room:
	case <-pause.C:
	case <-l.ctx.Done():
	}
}

// A place says what became of a message that was offered.
type place int

const (
	taken         place = iota // or dropped
	takenInExcess              // because somebody waits for room in the outbox, which acknowledgements behind it would make
	noPlace                    // until the handler is done with another
	noPlaceLeft                // though somebody waits for room in the outbox
)

// offer takes or drops a message, unless there is no place for it. Suspect says that whoever waits for acknowledgements
// may be the Publish handler.
func (in *inbound) offer(l *link, frame []byte, suspect bool) place {
	size := len(frame) + messageOverhead
	in.mu.Lock()
	defer in.mu.Unlock()
	result, waiting := taken, in.c.out.handlerWaits.Load() > 0 || suspect && in.c.out.waits.Load() > 0
	switch room := in.hasRoom(size, 0); {
	case in.draining:
		in.drop()
		return taken
	case room, l.ctx.Err() != nil: // a message that was read is not given up because its link is
	case in.open == nil:
		in.drop()
		return taken
	case waiting && in.hasRoom(size, maxExcessBytes):
		result = takenInExcess
	default:
		in.waitsForRoom, in.waitsSince = true, time.Now()
		if waiting {
			return noPlaceLeft
		}
		return noPlace
	}
	in.publishes.pushBack(frame)
	in.publishBytes += size
	in.c.options.Group.incoming.add(size)
	in.startPublishing()
	return result
}

// hasRoom reports whether a message of so many bytes may wait. With an excess, only bytes count.
func (in *inbound) hasRoom(size, excess int) bool {
	switch {
	case in.publishes.len() == 0:
		return true
	case in.c.options.Group.incoming.full(size):
		return false
	case excess == 0 && in.publishes.len() >= in.c.options.PublishQueue:
		return false
	}
	return in.publishBytes+size <= maxPublishBytes+excess
}

// hasMuchRoom reports whether it is worth waking the reader. For each message that a quick handler has done with it would not
// be; but behind a slow one, what else is in the stream must not wait for long.
func (in *inbound) hasMuchRoom() bool {
	return in.publishes.len() <= in.c.options.PublishQueue/2 && in.publishBytes <= maxPublishBytes/2 ||
		time.Since(in.waitsSince) >= longWait
}

const longWait = 5 * time.Millisecond

func (in *inbound) drop() {
	in.c.count.publishesDropped.Add(1)
	if in.dropped {
		return
	}
	in.dropped = true
	if in.draining {
		in.log.Warn("a published message is dropped: the connector is shutting down")
		return
	}
	in.log.Warn("a published message is dropped: too many have come before the Connect handler accepted the configuration; see Stats.PublishesDropped")
}

// startPublishing makes sure that somebody handles what waits.
func (in *inbound) startPublishing() {
	s := in.open
	if s == nil || in.publishing != nil || in.publishes.len() == 0 {
		return
	}
	in.publishing = s.begin("publish")
	in.c.options.Group.workers.run((*publishing)(in.publishing))
}

// publishing is the job of calling the Publish handler. It is done when nothing waits or the session ends; session.end waits
// for its task.
type publishing task

func (p *publishing) do() { p.s.c.in.publishAll(p.s, (*task)(p)) }

// publishAll calls the Publish handler for one message after the other.
func (in *inbound) publishAll(s *session, t *task) {
	defer in.donePublishing(t) // also when a handler ends the goroutine
	for {
		in.mu.Lock()
		if t.abandoned || in.publishes.len() == 0 || in.open != s && !in.finishing(s) {
			in.mu.Unlock()
			return
		}
		frame := in.publishes.popFront()
		size := len(frame) + messageOverhead
		in.publishBytes -= size
		nudge := in.waitsForRoom && in.hasMuchRoom()
		if nudge {
			in.waitsForRoom = false
		}
		in.mu.Unlock()
		in.c.options.Group.incoming.add(-size)
		if nudge {
			in.nudge()
		}
		in.c.handlePublish(s, frame)
	}
}

// finishing reports whether s, though it is ending, still handles what came before: only a drain lets it, as there will
// be no next session to do it.
func (in *inbound) finishing(s *session) bool { return in.draining && s.workCtx.Err() == nil }

func (in *inbound) donePublishing(t *task) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.publishing == t {
		in.publishing = nil
		in.startPublishing() // something may have come meanwhile
	}
	t.end()
}
