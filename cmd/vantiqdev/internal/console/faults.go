package console

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// faults are what the network and the server do wrong because somebody asked for it.
type faults struct {
	vantiq *vantiqtest.Server

	mu      sync.Mutex
	sources map[string]*sourceFaults
	restart *time.Timer // ends an outage
	stopped bool
	problem error // that keeps an outage from ending
}

// sourceFaults are those of one source.
type sourceFaults struct {
	stalled      *vantiqtest.Link // nil: none
	reactivating bool             // what is refused is refused as in a reactivation window
	slow         time.Duration    // of acknowledgements
	quicken      func()           // ends that
}

func newFaults(vantiq *vantiqtest.Server) *faults {
	return &faults{vantiq: vantiq, sources: map[string]*sourceFaults{}}
}

// of returns those of a source; mu must be held.
func (f *faults) of(source string) *sourceFaults {
	if f.sources[source] == nil {
		f.sources[source] = &sourceFaults{}
	}
	return f.sources[source]
}

// A faultState is what the page shows of the faults of a source.
type faultState struct {
	Stalled      bool  `json:"stalled"`
	Refusing     int   `json:"refusing"` // -1: for ever
	Reactivating int   `json:"reactivating"`
	Slow         int64 `json:"slowMs"`
}

func (f *faults) state(source *vantiqtest.Source) (s faultState) {
	f.mu.Lock()
	defer f.mu.Unlock()
	is := f.of(source.Name())
	s.Stalled = is.stalled != nil && alive(is.stalled)
	s.Slow = is.slow.Milliseconds()
	if left := source.Refusals(); is.reactivating {
		s.Reactivating = left
	} else {
		s.Refusing = left
	}
	return s
}

func alive(l *vantiqtest.Link) bool {
	select {
	case <-l.Done():
		return false
	default:
		return true
	}
}

// A faultOrder is what a request asks for.
type faultOrder struct {
	Do    string `json:"do"`
	How   string `json:"how"`
	On    bool   `json:"on"`
	Times int    `json:"times"`
	Slow  int64  `json:"ms"`
}

// maxSlow bounds how slow acknowledgements can be made.
const maxSlow = time.Minute

var errNotConnected = errors.New("no connector is connected to the source: start one first")

func (c *Console) postFault(w http.ResponseWriter, r *http.Request) {
	source := c.sourceOf(w, r)
	if source == nil {
		return
	}
	var order faultOrder
	if !orderOf(w, r, &order) {
		return
	}
	if err := c.faults.apply(source, order); errors.Is(err, errNotConnected) {
		fail(w, http.StatusConflict, err)
	} else if err != nil {
		fail(w, http.StatusBadRequest, err)
	} else {
		c.touch()
		w.WriteHeader(http.StatusNoContent)
	}
}

func (f *faults) apply(source *vantiqtest.Source, order faultOrder) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	is := f.of(source.Name())
	switch order.Do {
	case "drop":
		how, err := dropOf(order.How)
		if err != nil {
			return err
		}
		if !source.Drop(how) {
			return errNotConnected
		}
	case "stall":
		return is.stall(source, order.On)
	case "refuse":
		is.reactivating = false
		source.Refuse(order.Times, &protocol.StatusError{Status: http.StatusServiceUnavailable, Details: []protocol.Detail{{
			Code: "vantiqdev.refused", Message: "The console of the local Vantiq was told to refuse connects to the source " + source.Name()}}})
	case "reactivate":
		is.reactivating = true
		source.Reactivating(order.Times)
		if order.Times != 0 {
			source.RequireReconnect()
		}
	case "slow":
		return is.slowDown(source, time.Duration(order.Slow)*time.Millisecond)
	case "reconnect":
		if !source.Connected() {
			return errNotConnected
		}
		source.RequireReconnect()
	default:
		return fmt.Errorf("%q is nothing that can be done: there are drop, stall, refuse, reactivate, slow and reconnect", order.Do)
	}
	return nil
}

// stall makes the link of the session hang, in both directions, or lets it go on.
func (s *sourceFaults) stall(source *vantiqtest.Source, on bool) error {
	if s.stalled != nil {
		s.stalled.HoldReads(false)
		s.stalled.HoldWrites(false)
		s.stalled = nil
	}
	if !on {
		return nil
	}
	l := source.Link()
	if l == nil {
		return errNotConnected
	}
	l.HoldReads(true)
	l.HoldWrites(true)
	s.stalled = l
	return nil
}

// slowDown makes acknowledgements of notifications late, or ends that.
func (s *sourceFaults) slowDown(source *vantiqtest.Source, d time.Duration) error {
	if d < 0 || d > maxSlow {
		return fmt.Errorf("%s is not between 0 and %s", d, maxSlow)
	}
	if s.quicken != nil {
		s.quicken()
		s.quicken = nil
	}
	if s.slow = d; d > 0 {
		s.quicken = source.Inject(vantiqtest.Fault{Op: protocol.OpNotification, Delay: d, Times: -1})
	}
	return nil
}

// dropOf reads a way to end a link: a close code, FIN, RST or vanish.
func dropOf(text string) (vantiqtest.Drop, error) {
	switch text {
	case "FIN":
		return vantiqtest.FIN, nil
	case "RST":
		return vantiqtest.RST, nil
	case "vanish":
		return vantiqtest.Vanish, nil
	}
	if code, err := strconv.Atoi(text); err == nil && code >= 1000 && code < 5000 {
		return vantiqtest.Drop(code), nil
	}
	return 0, fmt.Errorf("%q is no way to end a link: there are FIN, RST, vanish, and the codes of close frames from 1000 on", text)
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
	outage := time.Duration(min(order.Seconds, 2*maxOutage.Seconds()) * float64(time.Second))
	if order.Seconds < 0 || outage > maxOutage {
		fail(w, http.StatusBadRequest, fmt.Errorf("%v seconds are not between 0 and %v", order.Seconds, maxOutage.Seconds()))
		return
	}
	c.faults.stop(outage, c.touch)
	c.touch()
	w.WriteHeader(http.StatusNoContent)
}

// stop stops the local Vantiq, as a shutdown in good order does, and starts it again after a while.
func (f *faults) stop(outage time.Duration, then func()) {
	const goingAway vantiqtest.Drop = 1001
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.restart != nil {
		f.restart.Stop()
	}
	f.vantiq.Stop(goingAway)
	f.stopped = true
	f.restart = time.AfterFunc(outage, func() {
		f.start()
		then()
	})
}

// start ends an outage. If somebody else has taken the port meanwhile, the outage goes on, and the page says why.
func (f *faults) start() {
	f.mu.Lock()
	defer f.mu.Unlock()
	defer func() {
		if reason := recover(); reason != nil {
			f.problem = fmt.Errorf("the local Vantiq cannot start again: %v", reason)
		}
	}()
	f.vantiq.Start()
	f.stopped, f.problem = false, nil
}

// outage reports whether there is one, and what keeps it from ending.
func (f *faults) outage() (stopped bool, problem string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.problem != nil {
		problem = f.problem.Error()
	}
	return f.stopped, problem
}

func (f *faults) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.restart != nil {
		f.restart.Stop()
	}
	for _, s := range f.sources {
		if s.stalled != nil {
			s.stalled.HoldReads(false)
			s.stalled.HoldWrites(false)
		}
	}
}
