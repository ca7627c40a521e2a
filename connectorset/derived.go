package connectorset

import (
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/health"
)

var errDerived = errors.New("the set's health is derived from its sources (connectorset.Derived) and cannot be declared")

// derivedHealth keeps a probe in step with the sources' states. It is a [connector.StateHook]: the source connections
// call it, and it needs no goroutine.
type derivedHealth struct {
	probe    *health.Probe
	logger   *slog.Logger
	required int // connected sources that make the set healthy
	once     bool
	grace    time.Duration
	again    time.Duration // how soon a port that was taken is tried again

	mu        sync.Mutex
	connected map[string]bool // the sources that count as connected
	overdue   *time.Timer     // runs while the set is healthy and too few sources are connected
	retry     *time.Timer     // runs while the set should be healthy and its port is taken
}

func newDerivedHealth(probe *health.Probe, logger *slog.Logger, o options, sources int) *derivedHealth {
	d := &derivedHealth{probe: probe, logger: logger, required: sources, once: o.rule == Once, grace: o.grace,
		again: 10 * time.Second, connected: map[string]bool{}}
	if o.rule == Any {
		d.required = 1
	}
	return d
}

// OnState notes which sources are connected.
func (d *derivedHealth) OnState(source string, _, to connector.State, _ error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	before := len(d.connected)
	switch {
	case to == connector.Connected:
		d.connected[source] = true
	case !d.once, to == connector.Closed:
		delete(d.connected, source)
	}
	switch {
	case len(d.connected) == before:
	case d.enough():
		d.stopTimer()
		d.declareHealthy()
	case d.probe.Status() == health.Healthy && d.overdue == nil:
		d.overdue = time.AfterFunc(d.grace, d.expire)
	}
}

func (d *derivedHealth) enough() bool { return len(d.connected) >= d.required }

// declareHealthy may fail because the port is taken; it is then tried again and again.
func (d *derivedHealth) declareHealthy() {
	before := d.probe.Status()
	switch err := d.probe.DeclareHealthy(); {
	case errors.Is(err, health.ErrClosed): // draining
	case err != nil:
		if d.retry == nil {
			d.logger.Error("the set cannot be declared healthy, trying again", "error", err)
			d.retry = time.AfterFunc(d.again, d.tryAgain)
			return
		}
		d.retry.Reset(d.again)
	case before != health.Healthy:
		d.logger.Info("healthy", "connected", len(d.connected))
	}
}

// tryAgain is called when a port that was taken may be free.
func (d *derivedHealth) tryAgain() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.retry != nil && d.enough() {
		d.declareHealthy()
	}
}

// expire is called when the grace period is over.
func (d *derivedHealth) expire() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.overdue == nil || d.enough() {
		return // reconnected while the timer fired
	}
	d.overdue = nil
	if d.probe.DeclareUnhealthy() == nil {
		d.logger.Warn("unhealthy: too few sources are connected", "connected", len(d.connected), "required", d.required)
	}
}

func (d *derivedHealth) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stopTimer()
	if d.retry != nil {
		d.retry.Stop()
		d.retry = nil
	}
}

func (d *derivedHealth) stopTimer() {
	if d.overdue != nil {
		d.overdue.Stop()
		d.overdue = nil
	}
}
