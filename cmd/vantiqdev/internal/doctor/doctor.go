// Package doctor walks the way that a connector goes to Vantiq, and says of each step what was seen and, if something is
// wrong, what to do about it. What it uses is what a connector uses: connectorset reads the configuration and checks it,
// package dial opens the link, package health opens the health port.
package doctor

import (
	"context"
	"errors"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/connectorset"
	"github.com/vantiq-go/connectorsdk/internal/dial"
	"github.com/vantiq-go/connectorsdk/protocol"
)

// Options say what to examine.
type Options struct {
	// File is the configuration. Default: serverConfig/server.config or server.config, as a connector looks for it.
	File string
	// Connect tries to connect the sources: each is the doctor's for a moment, unless a connector has it.
	Connect bool
	// Timeout bounds every single wait. It must be more than 0.
	Timeout time.Duration
}

// Examine takes all steps, and calls report with each as soon as it is over, also with those that were not reached. It
// returns how many have failed and how many have a warning. When ctx ends, the step that is under way, or else the next, fails.
func Examine(ctx context.Context, o Options, report func(Step)) (failed, warnings int) {
	x := &examination{Options: o, report: func(s Step) {
		switch s.Status {
		case Failed:
			failed++
		case Warning:
			warnings++
		case OK, Skipped:
		}
		report(s)
	}}
	x.run(ctx)
	return failed, warnings
}

// An examination is the state of one Examine. The steps run one after the other, on its goroutine.
type examination struct {
	Options
	report      func(Step)
	done        map[ID]bool
	interrupted bool
	hidden      []protocol.Secret // what no step may say

	config  connectorset.Config
	wrong   map[string]bool // properties about which there was a complaint
	token   protocol.Secret
	sources []string
	options connector.Options // of a source, as the connector set makes them; Probe is nil if there is none

	dialer  *dial.Dialer
	dialled attempt // the last TCP connection that dialer opened, or could not open

	heard             int  // how many bytes have come in answer to the last upgrade that failed
	certificateWanted bool // by the server, of this side
	certificateShown  bool
}

func (x *examination) run(ctx context.Context) {
	x.done = make(map[ID]bool)
	defer x.notReached("", all...)
	if !x.readConfiguration(ctx) {
		return
	}
	set := x.prepare()
	if set != nil {
		defer set.Close(context.WithoutCancel(ctx)) //nolint:errcheck // it was never run, so there is nothing to lose
	}
	x.walk(ctx)
	x.notReached("", network...)
	x.step(ctx, Probe, x.examineProbe)
}

// walk goes as far as it gets.
func (x *examination) walk(ctx context.Context) {
	if x.dialer == nil || ctx.Err() != nil {
		return
	}
	l, ok := x.reach(ctx)
	if !ok {
		return
	}
	defer l.leave()
	if x.token == "" || !x.step(ctx, Accepted, func(ctx context.Context, s *Step) { x.presentToken(ctx, s, l) }) {
		return
	}
	if !x.Connect {
		x.notReached("not tried, as that might come between a running connector and its source; -connect does", Source)
		return
	}
	x.connectSources(ctx, l)
}

// errPatience ends a wait.
var errPatience = errors.New("there was no answer in time")

// patience returns a context for one wait.
func (x *examination) patience(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, x.Timeout, errPatience)
}
