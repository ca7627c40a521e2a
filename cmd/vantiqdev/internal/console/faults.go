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
	sources map[*vantiqtest.Source]*sourceFaults

	outage outage
}

// sourceFaults are those of one source.
type sourceFaults struct {
	stalled      *vantiqtest.Link // nil: none
	reactivating bool             // what is refused is refused as in a reactivation window
	slow         time.Duration    // of acknowledgements
}

func newFaults(vantiq *vantiqtest.Server) *faults {
	return &faults{
		vantiq:  vantiq,
		sources: map[*vantiqtest.Source]*sourceFaults{},
		outage:  outage{vantiq: vantiq, over: make(chan struct{})},
	}
}

// of returns those of a source; mu must be held.
func (f *faults) of(source *vantiqtest.Source) *sourceFaults {
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
	is := f.of(source)
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
	is := f.of(source)
	switch order.Do {
	case "drop":
		return drop(source, order.How)
	case "stall":
		return is.stall(source, order.On)
	case "refuse":
		return is.refuse(source, order.Times)
	case "reactivate":
		return is.reactivate(source, order.Times)
	case "slow":
		return is.slowDown(source, order.Slow)
	case "reconnect":
		return reconnect(source)
	}
	return fmt.Errorf("%q is nothing that can be done: there are drop, stall, refuse, reactivate, slow and reconnect", order.Do)
}

func drop(source *vantiqtest.Source, how string) error {
	d, err := dropOf(how)
	if err != nil {
		return err
	}
	if !source.Drop(d) {
		return errNotConnected
	}
	return nil
}

func reconnect(source *vantiqtest.Source) error {
	if !source.Connected() {
		return errNotConnected
	}
	source.RequireReconnect()
	return nil
}

// refuse makes the next connects fail; negative: all.
func (s *sourceFaults) refuse(source *vantiqtest.Source, times int) error {
	if times < -1 {
		return fmt.Errorf("times is %d, and not 0 or more, or -1 for ever", times)
	}
	s.reactivating = false
	source.Refuse(times, &protocol.StatusError{Status: http.StatusServiceUnavailable, Details: []protocol.Detail{{
		Code: "vantiqdev.refused", Message: "The console of the local Vantiq was told to refuse connects to the source " + source.Name()}}})
	return nil
}

// reactivate makes the next connects fail as they do while Vantiq redeploys a source, and so begins.
func (s *sourceFaults) reactivate(source *vantiqtest.Source, times int) error {
	if times < 0 {
		return fmt.Errorf("times is %d, and not 0 or more", times)
	}
	s.reactivating = true
	source.Reactivating(times)
	if times > 0 {
		source.RequireReconnect()
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

// slowDown makes acknowledgements late by so many milliseconds, or ends that.
func (s *sourceFaults) slowDown(source *vantiqtest.Source, ms int64) error {
	if ms < 0 || ms > maxSlow.Milliseconds() {
		return fmt.Errorf("%d ms are not between 0 and %d", ms, maxSlow.Milliseconds())
	}
	s.slow = time.Duration(ms) * time.Millisecond
	source.SetAcknowledgements(vantiqtest.Acknowledgements{Delay: s.slow})
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

// close ends what holds links up.
func (f *faults) close() {
	f.outage.close()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.sources {
		if s.stalled != nil {
			s.stalled.HoldReads(false)
			s.stalled.HoldWrites(false)
		}
	}
}
