package connector

import (
	"sync"
	"time"
)

// workers are goroutines that do one short job after the other. A fresh goroutine has to grow its stack before it gets to
// the bottom of a handler or of a write, and that costs more than all the rest of a short job; one that has done such a job
// before has it. Those that nobody has needed for a while end, and all end when the last source connection has.
type workers struct {
	mu    sync.Mutex
	users int // source connections that run
	jobs  deque[job]
	idle  []*worker   // each looks for a job when it is woken
	spare int         // how many were idle all the time since the timer last rang
	timer *time.Timer // rings while there are idle ones; made when first needed
}

// A job is something to be done on a goroutine of its own.
type job interface{ do() }

// A worker is one of these goroutines; wake is closed when there is nothing more to do.
type worker struct{ wake chan struct{} }

const workerLinger = time.Second // or up to twice as long

// begin makes workers keep goroutines, until end has been called as often.
func (w *workers) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.users++
}

func (w *workers) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.users--; w.users == 0 {
		w.dismiss(len(w.idle))
	}
}

// run lets a job be done on another goroutine: by the one that is woken, or by one that is just done with its last job, as
// whoever handles a query often is when its answer is to be written.
func (w *workers) run(j job) {
	w.mu.Lock()
	w.jobs.pushBack(j)
	last := len(w.idle) - 1
	if last < 0 {
		w.mu.Unlock()
		go w.work() // ends with a job that ends its goroutine, or when it is dismissed
		return
	}
	woken := w.idle[last]
	w.idle[last] = nil
	w.idle = w.idle[:last]
	w.spare = min(w.spare, last)
	w.mu.Unlock()
	woken.wake <- struct{}{}
}

// do does something on another goroutine and waits for it. Whoever waits for months afterwards does not keep the stack that it
// took.
func (w *workers) do(something func()) {
	e := &errand{something, make(chan struct{})}
	w.run(e)
	<-e.done
}

// An errand is a job that somebody waits for.
type errand struct {
	something func()
	done      chan struct{}
}

func (e *errand) do() {
	defer close(e.done)
	e.something()
}

func (w *workers) work() {
	self := &worker{make(chan struct{}, 1)}
	for {
		j, wait := w.next(self)
		switch {
		case j != nil:
			j.do()
		case !wait:
			return
		default:
			if _, more := <-self.wake; !more {
				return
			}
		}
	}
}

// next returns a job, or adds a worker to the idle ones, unless nobody will need it.
func (w *workers) next(self *worker) (j job, wait bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.jobs.len() > 0 {
		return w.jobs.popFront(), true
	}
	if w.users == 0 {
		return nil, false
	}
	w.idle = append(w.idle, self)
	if len(w.idle) > 1 {
		return nil, true
	}
	w.spare = 0
	if w.timer == nil {
		w.timer = time.AfterFunc(workerLinger, w.thinOut)
	} else {
		w.timer.Reset(workerLinger)
	}
	return nil, true
}

// thinOut dismisses the workers that nobody has needed since it was last called.
func (w *workers) thinOut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dismiss(w.spare)
	if w.spare = len(w.idle); w.spare > 0 {
		w.timer.Reset(workerLinger)
	}
}

// dismiss ends the n workers that have been idle for the longest time.
func (w *workers) dismiss(n int) {
	for _, idle := range w.idle[:n] {
		close(idle.wake)
	}
	w.spare = max(0, w.spare-n)
	rest := copy(w.idle, w.idle[n:])
	clear(w.idle[rest:])
	w.idle = w.idle[:rest]
	if rest == 0 && w.timer != nil {
		w.timer.Stop()
	}
}
