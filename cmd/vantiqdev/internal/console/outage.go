package console

import (
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// An outage is a time in which the local Vantiq is not there. One may begin before the last is over.
type outage struct {
	vantiq  *vantiqtest.Server
	observe func(vantiqtest.Event)
	over    chan struct{} // closed with the console
	running sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	number  int // of the latest
	stopped bool
	problem error // that keeps it from ending
}

// maxOutage bounds how long the local Vantiq can be away.
const maxOutage = 10 * time.Minute

func (c *Console) postRestart(w http.ResponseWriter, r *http.Request) {
	var order struct {
		Seconds float64 `json:"seconds"`
	}
	if !orderOf(w, r, &order) {
		return
	}
	if order.Seconds < 0 || order.Seconds > maxOutage.Seconds() {
		fail(w, http.StatusBadRequest, fmt.Errorf("%v seconds are not between 0 and %v", order.Seconds, maxOutage.Seconds()))
		return
	}
	c.faults.outage.begin(time.Duration(order.Seconds*float64(time.Second)), c.touch)
	c.touch()
	w.WriteHeader(http.StatusNoContent)
}

// begin stops the local Vantiq, as a shutdown in good order does, and starts it again after a while.
func (o *outage) begin(d time.Duration, changed func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return
	}
	o.observe(faultEvent("", nil, fmt.Sprintf("the local Vantiq is away for %s", d)))
	o.number++
	number := o.number
	o.stopped, o.problem = true, nil
	o.vantiq.Stop(goingAway)
	o.running.Go(func() {
		for o.wait(d) {
			if o.end(number) {
				break
			}
			changed()
			d = time.Second
		}
		changed()
	})
}

// wait reports whether the console is still there after a while.
func (o *outage) wait(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-o.over:
		return false
	}
}

// end ends the outage of that number. It returns false if it has to be tried again: somebody else may have taken the port.
func (o *outage) end(number int) (done bool) {
	if !o.is(number) {
		return true
	}
	err := o.start() // which may take seconds
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.number != number:
		if err == nil && o.stopped {
			o.vantiq.Stop(goingAway) // another one has begun meanwhile
		}
		return true
	case err != nil:
		o.problem = err
		return false
	}
	o.stopped, o.problem = false, nil
	return true
}

func (o *outage) is(number int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.number == number
}

func (o *outage) start() (err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("the local Vantiq cannot start again: %v; it is tried again every second: end what has taken its port", reason)
		}
	}()
	o.vantiq.Start()
	return nil
}

// state reports whether there is an outage, and what keeps it from ending.
func (o *outage) state() (stopped bool, problem string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.problem != nil {
		problem = o.problem.Error()
	}
	return o.stopped, problem
}

// close returns when nobody tries to end an outage any more.
func (o *outage) close() {
	o.mu.Lock()
	if !o.closed {
		o.closed = true
		close(o.over)
	}
	o.mu.Unlock()
	o.running.Wait()
}
