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

// Fault is the kind of an event that somebody at the console has caused. Err says what, in words; Link is set if it is done to
// one, and Source unless it is done to all.
const Fault vantiqtest.Kind = "fault"

// faults are what the network and the server do wrong because somebody asked for it.
type faults struct {
	vantiq  *vantiqtest.Server
	observe func(vantiqtest.Event)

	mu      sync.Mutex
	closed  bool
	sources map[*vantiqtest.Source]*sourceFaults

	outage outage
}

// sourceFaults are those of one source.
type sourceFaults struct {
	stalled      *vantiqtest.Link // nil: none
	reactivating bool             // what is refused is refused as in a reactivation window
	slow         time.Duration    // of acknowledgements
}

func newFaults(vantiq *vantiqtest.Server, observe func(vantiqtest.Event)) *faults {
	return &faults{
		vantiq:  vantiq,
		observe: observe,
		sources: map[*vantiqtest.Source]*sourceFaults{},
		outage:  outage{vantiq: vantiq, observe: observe, over: make(chan struct{})},
	}
}

// faultEvent returns the event of a fault; l may be nil.
func faultEvent(source string, l *vantiqtest.Link, what string) vantiqtest.Event {
	e := vantiqtest.Event{Time: time.Now(), Kind: Fault, Source: source, Err: errors.New(what + ", from the console")}
	if l != nil {
		e.Link = l.ID()
	}
	return e
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

var (
	errNotConnected = errors.New("no connector is connected to the source: start one first")
	errClosed       = errors.New("vantiqdev ends")
)

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

// apply does what is asked for, and tells of it just before.
func (f *faults) apply(source *vantiqtest.Source, order faultOrder) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return errClosed
	}
	is := f.of(source)
	tell := func(l *vantiqtest.Link, what string) { f.observe(faultEvent(source.Name(), l, what)) }
	switch order.Do {
	case "drop":
		return drop(source, order.How, tell)
	case "stall":
		return is.stall(source, order.On, tell)
	case "refuse":
		return is.refuse(source, order.Times, tell)
	case "reactivate":
		return is.reactivate(source, order.Times, tell)
	case "slow":
		return is.slowDown(source, order.Slow, tell)
	case "reconnect":
		return reconnect(source, tell)
	}
	return fmt.Errorf("%q is nothing that can be done: there are drop, stall, refuse, reactivate, slow and reconnect", order.Do)
}

// A tell tells what is about to be done, to a link or, if that is nil, to the source.
type tell func(l *vantiqtest.Link, what string)

func drop(source *vantiqtest.Source, how string, tell tell) error {
	d, err := dropOf(how)
	if err != nil {
		return err
	}
	l := source.Link()
	if l == nil {
		return errNotConnected
	}
	what := how
	if d > 0 {
		what = d.String()
	}
	tell(l, what)
	l.Drop(d)
	return nil
}

func reconnect(source *vantiqtest.Source, tell tell) error {
	l := source.Link()
	if l == nil {
		return errNotConnected
	}
	tell(l, "the connector is asked to reconnect")
	source.RequireReconnect()
	return nil
}

// refuse makes the next connects fail; negative: all.
func (s *sourceFaults) refuse(source *vantiqtest.Source, times int, tell tell) error {
	if times < -1 {
		return fmt.Errorf("times is %d, and not 0 or more, or -1 for ever", times)
	}
	tell(nil, connects(times, "refused"))
	s.reactivating = false
	source.Refuse(times, &protocol.StatusError{Status: http.StatusServiceUnavailable, Details: []protocol.Detail{{
		Code: "vantiqdev.refused", Message: "The console of the local Vantiq was told to refuse connects to the source " + source.Name()}}})
	return nil
}

// reactivate makes the next connects fail as they do while Vantiq redeploys a source, and so begins.
func (s *sourceFaults) reactivate(source *vantiqtest.Source, times int, tell tell) error {
	if times < 0 {
		return fmt.Errorf("times is %d, and not 0 or more", times)
	}
	tell(nil, connects(times, "refused as while Vantiq redeploys a source"))
	s.reactivating = true
	source.Reactivating(times)
	if times > 0 {
		source.RequireReconnect()
	}
	return nil
}

// connects says what becomes of the next connects.
func connects(times int, what string) string {
	switch {
	case times < 0:
		return "every connect is " + what
	case times == 0:
		return "connects are no longer refused"
	case times == 1:
		return "the next connect is " + what
	}
	return fmt.Sprintf("the next %d connects are %s", times, what)
}

// stall makes the link of the session hang, in both directions, or lets it go on.
func (s *sourceFaults) stall(source *vantiqtest.Source, on bool, tell tell) error {
	l := source.Link()
	if on && l == nil {
		return errNotConnected
	}
	if s.stalled != nil {
		if alive(s.stalled) && (!on || s.stalled != l) {
			tell(s.stalled, "the stall is over")
		}
		s.stalled.HoldReads(false)
		s.stalled.HoldWrites(false)
		s.stalled = nil
	}
	if !on {
		return nil
	}
	tell(l, "stall: Vantiq neither reads nor writes")
	l.HoldReads(true)
	l.HoldWrites(true)
	s.stalled = l
	return nil
}

// slowDown makes acknowledgements late by so many milliseconds, or ends that.
func (s *sourceFaults) slowDown(source *vantiqtest.Source, ms int64, tell tell) error {
	if ms < 0 || ms > maxSlow.Milliseconds() {
		return fmt.Errorf("%d ms are not between 0 and %d", ms, maxSlow.Milliseconds())
	}
	what := "acknowledgements are no longer late"
	if ms > 0 {
		what = fmt.Sprintf("acknowledgements are %d ms late", ms)
	}
	tell(nil, what)
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
	f.closed = true
	for _, s := range f.sources {
		if s.stalled != nil {
			s.stalled.HoldReads(false)
			s.stalled.HoldWrites(false)
		}
	}
}
