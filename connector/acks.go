package connector

import "time"

// acks counts acknowledgements. Vantiq answers a notification with a bare status that names nothing, so the only way to
// know which one it means is to keep what is in flight in a FIFO and to take one off for each status (see package protocol).
// It is a plain state machine: no locks, no I/O, times are handed in.
type acks struct {
	flights       deque[flight] // what awaits a status in this session, oldest first
	notifications int           // how many of them are notifications that count
	answers       int           // how many are query responses
	dropped       int           // of the notifications, those that were dropped while in flight: their statuses are still to come
	bytes         int           // of the notifications

	window  int  // notifications that may be in flight
	widest  int  // the window's limit
	flooded bool // nothing but bytes limits the window: see outbound.relax
	credits int  // acknowledgements since the window last changed

	seen    bool      // this connection has had an acknowledgement
	heardAt time.Time // when the last status came, or the session began; later by as long as nobody read
	blind   bool      // the server does not acknowledge at all: nothing is awaited

	settling *settling // not nil after an error status, until it is clear what it meant

	// Whether query responses are acknowledged too is not known at first. While it is not, every response sent may have
	// cost a status that was taken for a notification's: what was credited since then is suspect.
	answersToo  bool
	unsure      int           // responses sent that may still be acknowledged
	recent      deque[flight] // what was sent since the first of these, oldest first, within bounds
	recentBytes int
}

// A flight is something that was sent. Seq is 0 for a query response; credited means that its status has come, as far
// as could be told; dropped, that nobody cares about it any more.
type flight struct {
	seq      uint64
	bytes    int
	at       time.Time
	credited bool
	dropped  bool
}

// settling collects the statuses behind an error status.
type settling struct {
	statuses []*StatusError // nil for a success
	errors   int
}

const (
	firstWindow      = 5        // the only width that is proven with real servers
	maxFlightBytes   = 1 << 20  // in flight at most, unless one message alone is larger
	maxFloodBytes    = 64 << 20 // the same in a flood
	settleSilence    = 2 * time.Second
	ackSilence       = 10 * time.Second
	blindWithoutPing = 30 * time.Second // where no ping may prove that the server is there
	maxRecent        = 1024
	maxStrays        = 64     // error statuses beyond what is in flight, until they are given up
	maxUnanswered    = 16_384 // query responses without the status that they should have
)

func newAcks(widest int) acks { return acks{window: min(firstWindow, widest), widest: widest} }

// room returns how many notifications may be sent now, and how many bytes of them.
func (a *acks) room() (messages, bytes int) {
	switch {
	case a.settling != nil:
		return 0, 0
	case a.blind:
		return a.widest, maxFlightBytes
	}
	bytes = maxFlightBytes - a.bytes
	if a.flooded {
		bytes = maxFloodBytes - a.bytes
	}
	if a.notifications > 0 && bytes <= 0 {
		return 0, 0
	}
	return max(0, a.window-a.notifications), bytes
}

// limit returns how wide the window may become.
func (a *acks) limit() int {
	if a.flooded {
		return maxFloodBytes / messageOverhead // no more fit into the outbox
	}
	return a.widest
}

// flood lets the window grow as far as acknowledgements carry it, or ends that.
func (a *acks) flood(on bool) {
	a.flooded = on
	a.window = min(a.window, a.limit())
}

// sentNotification records that a notification was handed to the link. Credited says that it was settled before.
func (a *acks) sentNotification(seq uint64, bytes int, credited bool, now time.Time) {
	if a.blind {
		return
	}
	f := flight{seq: seq, bytes: bytes, at: now, credited: credited}
	a.flights.pushBack(f)
	if !credited {
		a.notifications++
		a.bytes += bytes
	}
	a.remember(f)
}

// sentAnswer records that a query response was handed to the link.
func (a *acks) sentAnswer(now time.Time) {
	switch f := (flight{at: now}); {
	case a.blind:
	case a.answersToo:
		a.flights.pushBack(f)
		a.answers++
	default:
		a.unsure++
		a.remember(f)
	}
}

func (a *acks) remember(f flight) {
	if a.unsure == 0 {
		return
	}
	a.recent.pushBack(f)
	a.recentBytes += f.bytes
	for a.recent.len() > maxRecent || a.recentBytes > maxFlightBytes {
		a.recentBytes -= a.recent.popFront().bytes
	}
}

// An outcome says what a status, or the lack of one, has settled.
type outcome struct {
	through uint64       // every notification up to this one is settled; 0: none
	acked   int          // how many of them were acknowledged
	bytes   int          // of all that were settled
	refused []refusal    // the others
	resend  bool         // all that was in flight is to be sent again
	stray   *StatusError // an error that belongs to no notification
	learned bool         // responses turned out to be acknowledged too
}

type refusal struct {
	seq uint64
	err *StatusError
}

// successes takes those of n statuses that mean nothing but that a flight has arrived, and returns how many it took. The others,
// if there are any, are left to status.
func (a *acks) successes(n int, now time.Time) (taken int, o outcome) {
	a.heardAt, a.seen = now, true
	for ; taken < n && a.settling == nil && a.flights.len() > 0; taken++ {
		a.take(&o, nil)
	}
	return taken, o
}

// status takes a status that came in the session; failed is nil for a success.
func (a *acks) status(failed *StatusError, now time.Time) (o outcome) {
	a.heardAt = now
	if failed == nil {
		a.seen = true
	} else {
		a.window, a.credits = min(firstWindow, a.widest), 0
	}
	switch {
	case a.settling != nil:
		a.settling.add(failed)
		n := len(a.settling.statuses)
		if n == a.flights.len()+a.settling.errors || n >= a.flights.len()+maxStrays {
			return a.settle() // no more can come, or nothing is to be learned from them
		}
	case failed != nil && a.flights.len() == 0:
		o.stray = failed
	case failed != nil:
		a.settling = &settling{}
		a.settling.add(failed)
	case a.flights.len() > 0:
		a.take(&o, nil)
	case a.unsure > 0:
		a.learn()
		o.learned = true
	}
	return o
}

func (s *settling) add(failed *StatusError) {
	s.statuses = append(s.statuses, failed)
	if failed != nil {
		s.errors++
	}
}

// take takes the oldest flight as answered.
func (a *acks) take(o *outcome, failed *StatusError) {
	f := a.flights.popFront()
	switch {
	case f.seq == 0:
		a.answers--
		if failed != nil {
			o.stray = failed
		}
		return
	case f.credited: // settled long ago, kept only because its status was in doubt
		return
	case f.dropped:
		a.notifications--
		a.dropped--
		a.bytes -= f.bytes
		return
	case failed != nil:
		o.refused = append(o.refused, refusal{f.seq, failed})
	default:
		o.acked++
		if a.credits++; a.credits >= a.window {
			growth := 2
			if a.flooded {
				growth = 8 // each round brings as many messages as TCP holds, which must be queued meanwhile
			}
			a.window, a.credits = min(growth*a.window, a.limit()), 0
		}
	}
	a.notifications--
	a.bytes -= f.bytes
	o.through = f.seq
	o.bytes += f.bytes
}

// settle decides what the statuses since the first error meant. There were as many flights as statuses if each was
// answered, and more statuses if some of the errors belonged to something else.
func (a *acks) settle() (o outcome) {
	s, m := a.settling, a.flights.len()
	a.settling = nil
	extra := len(s.statuses) - m
	switch {
	case extra == 0:
		for _, failed := range s.statuses {
			a.take(&o, failed)
		}
	case extra == s.errors: // every error was a stray
		for range m {
			a.take(&o, nil)
		}
		for _, failed := range s.statuses {
			if failed != nil {
				o.stray = failed
			}
		}
	default: // some are missing, or it cannot be told which errors were whose
		a.drop()
		o.resend = true
	}
	return o
}

// learn notes that query responses are acknowledged too, which a status proves that comes when nothing is in flight.
// As many of the newest flights are then still unanswered as there are responses not accounted for, less this status.
func (a *acks) learn() {
	a.answersToo = true
	for a.recent.len() > a.unsure-1 {
		a.recent.popFront()
	}
	for a.recent.len() > 0 {
		f := a.recent.popFront()
		f.credited = f.seq != 0
		if f.seq == 0 {
			a.answers++
		}
		a.flights.pushBack(f)
	}
	a.trust()
}

func (a *acks) trust() {
	a.recent.clear()
	a.recentBytes, a.unsure = 0, 0
}

// quiet notes that the server has answered a ping sent at that time, and that nothing is in flight: responses sent before
// that have had no status by now get none.
func (a *acks) quiet(pinged time.Time) {
	if a.flights.len() > 0 {
		return
	}
	for a.recent.len() > 0 && !a.recent.at(0).at.After(pinged) {
		a.recentBytes -= a.recent.popFront().bytes
	}
	a.unsure = 0
	for i := range a.recent.len() {
		if a.recent.at(i).seq == 0 {
			a.unsure++
		}
	}
	if a.unsure == 0 {
		a.trust()
	}
}

// doubt gives up what was learned about responses: the server has stopped acknowledging, so perhaps it never
// acknowledged those, and a doubled status was taken for one.
func (a *acks) doubt() { a.answersToo = false }

// forget takes the notification seq as dropped. Its status, if it is in flight, will still come, or its lack will tell that
// the server has stopped acknowledging.
func (a *acks) forget(seq uint64) {
	for i := range a.flights.len() {
		if f := a.flights.at(i); f.seq == seq && !f.credited {
			f.dropped = true
			a.dropped++
		}
	}
	for i := range a.recent.len() {
		if f := a.recent.at(i); f.seq == seq {
			f.dropped = true
		}
	}
}

// keep returns the oldest notification that may have to be sent again, settled or not, or 0. If responses are acknowledged
// too, as many of the newest things sent still await their status as are in flight or are responses: see learn.
func (a *acks) keep() uint64 {
	doubtful := max(0, a.recent.len()-a.unsure-a.flights.len())
	return min(firstSeq(&a.flights, 0)-1, firstSeq(&a.recent, doubtful)-1) + 1 // 0 is none: less 1, it is larger than all
}

// firstSeq returns the first notification from a position on.
func firstSeq(flights *deque[flight], from int) uint64 {
	for i := from; i < flights.len(); i++ {
		if f := flights.at(i); f.seq != 0 && !f.dropped {
			return f.seq
		}
	}
	return 0
}

// begin starts a session in which nothing is in flight. It returns the seq of the oldest notification that was, or 0.
func (a *acks) begin(now time.Time) (resendFrom uint64) {
	resendFrom = firstSeq(&a.flights, 0)
	if !a.heardAt.IsZero() {
		a.window, a.credits = max(min(firstWindow, a.widest), a.window/2), 0
	}
	a.drop()
	a.settling = nil
	a.trust()
	a.heardAt = now
	if a.seen {
		a.blind = false // a server that was thought never to acknowledge has done so after all
	}
	return resendFrom
}

func (a *acks) drop() {
	a.flights.clear()
	a.notifications, a.answers, a.dropped, a.bytes = 0, 0, 0, 0
}

// oldest returns when the oldest notification in flight was sent.
func (a *acks) oldest() (time.Time, bool) {
	for i := range a.flights.len() {
		if f := a.flights.at(i); f.seq != 0 && !f.credited {
			return f.at, true
		}
	}
	return time.Time{}, false
}

// A verdict says what is to be done because no status has come for a while.
type verdict int

const (
	waitOn      verdict = iota // look again at the time that comes with it, if any
	pingNow                    // ask whether the server is there at all, and look again
	nowSettled                 // call settle
	goBlind                    // call goBlind
	replaceLink                // the server has stopped acknowledging
)

// silence judges how long no status has come. Ponged is when the newest ping was sent that has been answered; pings
// tells whether there are any.
func (a *acks) silence(now, ponged time.Time, pings bool) (verdict, time.Time) {
	if a.settling != nil {
		return judge(now, a.heardAt.Add(settleSilence), nowSettled)
	}
	since, waiting := a.silentSince()
	switch {
	case a.answers > maxUnanswered:
		return replaceLink, time.Time{}
	case !waiting || a.blind:
		return waitOn, time.Time{}
	case a.seen:
		return judge(now, since.Add(ackSilence), replaceLink)
	case !pings:
		return judge(now, since.Add(blindWithoutPing), goBlind)
	case now.Before(since.Add(ackSilence / 2)):
		return waitOn, since.Add(ackSilence / 2)
	case !ponged.After(since):
		return pingNow, now.Add(ackSilence / 2)
	}
	return judge(now, since.Add(ackSilence), goBlind)
}

func judge(now, due time.Time, v verdict) (verdict, time.Time) {
	if now.Before(due) {
		return waitOn, due
	}
	return v, time.Time{}
}

// silentSince returns since when no status has come, though one is awaited.
func (a *acks) silentSince() (since time.Time, waiting bool) {
	since, waiting = a.oldest()
	if a.heardAt.After(since) {
		since = a.heardAt
	}
	return since, waiting
}

// unread leaves a time in which nobody read out of the silence: statuses may have been among what was not read.
func (a *acks) unread(from, to time.Time) {
	since, _ := a.silentSince()
	if from.Before(since) {
		from = since
	}
	if to.After(from) {
		a.heardAt = since.Add(to.Sub(from))
	}
}

// serveBlind stops waiting for acknowledgements: whatever is written counts as delivered. It settles what is in flight.
func (a *acks) serveBlind() (o outcome) {
	a.blind = true
	for a.flights.len() > 0 {
		if f := a.flights.popFront(); f.seq != 0 && !f.credited && !f.dropped {
			o.through = f.seq
			o.bytes += f.bytes
			o.acked++
		}
	}
	a.drop()
	return o
}
