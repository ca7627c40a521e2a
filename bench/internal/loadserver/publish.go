package loadserver

import (
	"bytes"
	"fmt"
	"sync"
	"time"

	"github.com/vantiq-go/connectorsdk/bench/internal/job"
	"github.com/vantiq-go/connectorsdk/bench/internal/record"
)

// chunkSize is about how much is written at once.
const chunkSize = 128 << 10

// Publishes are written as fast as the peer takes them. It reports how many it has handled.
type publishes struct {
	*mark
	chunk []byte // many frames

	mu      sync.Mutex
	answers []byte // to be written before the next chunk
	begins  time.Time
	reports []report // since then
	stopped bool     // no more chunks
	ended   bool     // nor any other writes
}

// A report says how many messages have been handled at a time.
type report struct {
	at      time.Time
	handled int
}

func newPublishes(j job.Job) *publishes {
	one := frame(operation("publish", job.SourceName(0), "{}", record.Encode(record.New(j.Size))))
	return &publishes{mark: newMark(), chunk: bytes.Repeat(one, max(1, chunkSize/len(one)))}
}

func (p *publishes) start(l *link) error {
	go func() { // ends with the load or the link
		for more := true; more; {
			var frames []byte
			frames, more = p.next()
			if l.write(frames) != nil {
				return
			}
		}
	}()
	return nil
}

// next returns what is written next: what the reader has to answer, or else a chunk; and whether more is to follow.
func (p *publishes) next() (frames []byte, more bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	frames, p.answers = p.answers, nil
	if len(frames) == 0 && !p.stopped {
		frames = p.chunk
	}
	p.ended = p.stopped
	return frames, !p.ended
}

func (p *publishes) message(l *link, message []byte) error {
	handled, ok := number(message, `"handled"`)
	if !ok {
		return fmt.Errorf("neither a report nor anything else that is expected: %.200s", message)
	}
	l.send = func(answers []byte) error { return p.leave(l, answers) }
	l.answer(acknowledged)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.begins.IsZero() {
		return nil
	}
	p.reports = append(p.reports, report{l.arrived, handled})
	if l.arrived.After(p.reports[0].at) {
		p.reach()
	}
	return nil
}

// leave leaves answers to the writer, which may be held up, as long as there is one.
func (p *publishes) leave(l *link, answers []byte) error {
	p.mu.Lock()
	if !p.ended {
		p.answers = append(p.answers, answers...)
		p.mu.Unlock()
		return nil
	}
	p.mu.Unlock()
	return l.write(answers)
}

func (p *publishes) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.begins = time.Now()
}

func (p *publishes) end() job.Result {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
	first, last := p.reports[0], p.reports[len(p.reports)-1]
	return job.Result{Rate: float64(last.handled-first.handled) / last.at.Sub(first.at).Seconds()}
}
