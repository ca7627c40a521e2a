package main

import (
	"math/rand/v2"
	"time"
)

// A plan is all that will happen to a source, in its order. It comes from the seed and the source alone: the same seed
// gives the same plan, whatever becomes of the faults when they strike.
type plan struct {
	random *rand.Rand
	every  time.Duration
	faults []fault
	at     time.Duration
	next   *strike
}

// A strike is a fault with its time and parameters. At counts from the beginning of the run, without its quiet moments.
type strike struct {
	at    time.Duration
	fault fault
	n     int
	d     time.Duration
	coin  bool
}

// calm is a gap in which a session can last long enough to be a good one.
const calm = 40 * time.Second

// Streams of random numbers, so that what one does not use changes nothing for another.
const (
	planStream     = 0
	workloadStream = 1 << 32
	serverStream   = 2 << 32
)

func random(seed uint64, stream, index int) *rand.Rand {
	return rand.New(rand.NewPCG(seed, uint64(stream+index)))
}

func newPlan(random *rand.Rand, every time.Duration, faults []fault) *plan {
	return &plan{random: random, every: every, faults: faults}
}

// peek returns the next strike; take goes on to the one after it.
func (p *plan) peek() strike {
	if p.next == nil {
		p.at += time.Duration(p.random.Int64N(int64(2 * p.every)))
		if p.random.IntN(16) == 0 {
			p.at += min(calm, 8*p.every)
		}
		f := p.draw()
		p.next = &strike{
			at:    p.at,
			fault: f,
			n:     f.n.from + p.random.IntN(f.n.to-f.n.from+1),
			d:     time.Duration(f.d.from+p.random.IntN(f.d.to-f.d.from+1)) * time.Millisecond,
			coin:  p.random.IntN(2) == 0,
		}
	}
	return *p.next
}

func (p *plan) take() { p.next = nil }

func (p *plan) draw() fault {
	total := 0
	for _, f := range p.faults {
		total += f.weight
	}
	left := p.random.IntN(total)
	for _, f := range p.faults {
		if left -= f.weight; left < 0 {
			return f
		}
	}
	panic("weights do not add up")
}
