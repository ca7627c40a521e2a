package connector

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// An acksRun puts acks between a sender and a server that it cannot see: what the server has really got, and which
// status it really means, is known here only. Sequence numbers begin at 1.
type acksRun struct {
	acks
	answered bool // the server acknowledges query responses as well
	now      time.Time

	accepted, sent, settled, removed uint64 // as outbound has them
	wire                             []flight
	statuses                         []flight // each what it is for, on its way back

	got     map[uint64]bool // by the server
	meant   uint64          // the newest notification of which the status has really come
	dropped map[uint64]bool
	learnt  uint64 // what counted as settled when it was learned that responses are acknowledged too
}

func (r *acksRun) send(t *rapid.T) {
	messages, _ := r.room()
	if messages > r.window-r.notifications {
		t.Fatalf("%d may be sent while %d are in flight in a window of %d", messages, r.notifications, r.window)
	}
	for range min(messages, rapid.IntRange(1, 20).Draw(t, "notifications")) {
		if r.sent == r.accepted {
			r.accepted++
		}
		r.sent++
		r.sentNotification(r.sent, 100, r.sent <= r.settled, r.now)
		r.wire = append(r.wire, flight{seq: r.sent})
	}
}

func (r *acksRun) answer(*rapid.T) {
	r.sentAnswer(r.now)
	r.wire = append(r.wire, flight{})
}

// arrive lets some of what was sent arrive at the server, which acknowledges it.
func (r *acksRun) arrive(t *rapid.T) { r.arriveSome(rapid.IntRange(1, 20).Draw(t, "arrive")) }

func (r *acksRun) arriveSome(n int) {
	for ; n > 0 && len(r.wire) > 0; n-- {
		f := r.wire[0]
		r.wire = r.wire[1:]
		if f.seq > 0 {
			r.got[f.seq] = true
		}
		if f.seq > 0 || r.answered {
			r.statuses = append(r.statuses, f)
		}
	}
}

func (r *acksRun) acknowledge(t *rapid.T) {
	r.acknowledgeSome(t, rapid.IntRange(1, 20).Draw(t, "acknowledge"))
}

func (r *acksRun) acknowledgeSome(t *rapid.T, n int) {
	for ; n > 0 && len(r.statuses) > 0; n-- {
		r.meant = max(r.meant, r.statuses[0].seq)
		r.statuses = r.statuses[1:]
		o := r.status(nil, r.now)
		if o.resend || o.stray != nil || o.refused != nil {
			t.Fatalf("successes came to %+v", o)
		}
		if o.learned {
			r.learnt = r.settled
		}
		r.settle(t, o.through)
	}
}

func (r *acksRun) settle(t *rapid.T, through uint64) {
	if through > r.accepted {
		t.Fatalf("%d is settled, %d were accepted", through, r.accepted)
	}
	r.settled = max(r.settled, through)
	removable := min(r.settled, r.sent)
	if keep := r.keep(); keep > 0 {
		removable = min(removable, keep-1)
	}
	r.removed = max(r.removed, removable)
}

// ping is answered behind everything that was sent before it.
func (r *acksRun) ping(t *rapid.T) {
	pinged := r.now
	r.arriveSome(len(r.wire))
	r.acknowledgeSome(t, len(r.statuses))
	r.now = r.now.Add(time.Second)
	r.quiet(pinged)
	r.settle(t, 0)
}

// drop drops the oldest, as an outbox does that is full.
func (r *acksRun) drop(t *rapid.T) {
	if r.settled == r.accepted {
		t.SkipNow()
	}
	r.forget(r.settled + 1)
	r.dropped[r.settled+1] = true
	if r.sent == r.settled {
		r.sent++
	}
	r.settle(t, r.settled+1)
}

// lose loses the link. While a server acknowledges responses and nobody can know it yet, what its statuses mean is a
// guess: that is excluded.
func (r *acksRun) lose(t *rapid.T) {
	if r.answered && !r.answersToo && r.unsure > 0 {
		t.SkipNow()
	}
	r.begin(t)
}

func (r *acksRun) begin(t *rapid.T) {
	r.wire, r.statuses = nil, nil
	wide := r.window
	if from := r.acks.begin(r.now); from > 0 {
		r.sent = from - 1
	}
	if want := max(min(firstWindow, r.widest), wide/2); r.window != want {
		t.Fatalf("the window is %d in a new session, it was %d", r.window, wide)
	}
}

func (r *acksRun) check(t *rapid.T) {
	switch {
	case r.sent < r.removed:
		t.Fatalf("%d is to be sent again, and forgotten up to %d", r.sent+1, r.removed)
	case !r.answered && r.answersToo:
		t.Fatal("the server does not acknowledge responses, and is believed to do so")
	case !r.answered && r.settled > r.meant && !r.dropped[r.settled]:
		t.Fatalf("%d counts as settled, the server acknowledged %d", r.settled, r.meant)
	case r.answersToo && r.settled > max(r.meant, r.learnt) && !r.dropped[r.settled]:
		t.Fatalf("%d counts as settled although responses are counted, the server acknowledged %d", r.settled, r.meant)
	case r.answersToo && r.flights.len() != len(r.wire)+len(r.statuses):
		t.Fatalf("%d statuses are awaited, %d are still to come", r.flights.len(), len(r.wire)+len(r.statuses))
	}
	notifications, dropped, bytes := 0, 0, 0
	for i := range r.flights.len() {
		if f := r.flights.at(i); f.seq > 0 && !f.credited {
			notifications, bytes = notifications+1, bytes+f.bytes
			if f.dropped {
				dropped++
			}
		}
	}
	if notifications != r.notifications || dropped != r.acks.dropped || bytes != r.bytes {
		t.Fatalf("in flight are %d notifications of %d bytes, %d of them dropped: counted as %d, %d, %d", notifications, bytes, dropped, r.notifications, r.bytes, r.acks.dropped)
	}
}

// finish lets everything arrive and be acknowledged.
func (r *acksRun) finish(t *rapid.T) {
	for r.sent < r.accepted || len(r.wire)+len(r.statuses) > 0 {
		r.send(t)
		r.arriveSome(len(r.wire))
		r.acknowledgeSome(t, len(r.statuses))
	}
	for seq := uint64(1); seq <= r.accepted; seq++ {
		if !r.got[seq] && !r.dropped[seq] {
			t.Fatalf("%d of %d is lost", seq, r.accepted)
		}
	}
	if r.settled != r.accepted {
		t.Fatalf("%d of %d are settled when all are acknowledged", r.settled, r.accepted)
	}
}

func TestAcknowledgementsAreCountedAsTheServerMeansThem(t *testing.T) {
	for range 20 { // what goes wrong here is rare, and a program takes no time
		rapid.Check(t, func(t *rapid.T) {
			r := &acksRun{
				acks:     newAcks(rapid.SampledFrom([]int{2, 5, 40, 1024}).Draw(t, "MaxOutstanding")),
				answered: rapid.Bool().Draw(t, "responses are acknowledged"),
				now:      time.Unix(0, 0),
				got:      map[uint64]bool{},
				dropped:  map[uint64]bool{},
			}
			r.acks.begin(r.now)
			t.Repeat(map[string]func(*rapid.T){
				"":            r.check,
				"send":        r.send,
				"answer":      r.answer,
				"arrive":      r.arrive,
				"acknowledge": r.acknowledge,
				"ping":        r.ping,
				"drop":        r.drop,
				"lose":        r.lose,
			})
			r.finish(t)
		})
	}
}
