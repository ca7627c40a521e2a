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
	grace    time.Duration

	mu        sync.Mutex
	connected int
	overdue   *time.Timer // runs while the set is healthy and too few sources are connected
}

func newDerivedHealth(probe *health.Probe, logger *slog.Logger, o options, sources int) *derivedHealth {
	d := &derivedHealth{probe: probe, logger: logger, required: sources, grace: o.grace}
	if o.rule == Any {
		d.required = 1
	}
	return d
}

// OnState counts the connected sources.
func (d *derivedHealth) OnState(_ string, from, to connector.State, _ error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case from != connector.Connected && to == connector.Connected:
		d.connected++
	case from == connector.Connected && to != connector.Connected:
		d.connected--
	default:
		return
	}
	switch {
	case d.connected >= d.required:
		d.stopTimer()
		d.declareHealthy()
	case d.probe.Status() == health.Healthy && d.overdue == nil:
		d.overdue = time.AfterFunc(d.grace, d.expire)
	}
}

// declareHealthy may fail because the port is taken; it is tried again at the next change of a state.
func (d *derivedHealth) declareHealthy() {
	before := d.probe.Status()
	switch err := d.probe.DeclareHealthy(); {
	case errors.Is(err, health.ErrClosed): // draining
	case err != nil:
		d.logger.Error("the set cannot be declared healthy", "error", err)
	case before != health.Healthy:
		d.logger.Info("healthy", "connected", d.connected)
	}
}

// expire is called when the grace period is over.
func (d *derivedHealth) expire() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.overdue == nil || d.connected >= d.required {
		return // reconnected while the timer fired
	}
	d.overdue = nil
	if d.probe.DeclareUnhealthy() == nil {
		d.logger.Warn("unhealthy: too few sources are connected", "connected", d.connected, "required", d.required)
	}
}

func (d *derivedHealth) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stopTimer()
}

func (d *derivedHealth) stopTimer() {
	if d.overdue != nil {
		d.overdue.Stop()
		d.overdue = nil
	}
}
