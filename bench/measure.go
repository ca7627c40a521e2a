package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/vantiq-go/connectorsdk/bench/internal/job"
	"github.com/vantiq-go/connectorsdk/bench/internal/record"
)

// A run is what came of one case with one peer in one round.
type run struct {
	Round int      `json:"round"`
	Case  job.Case `json:"case"`
	Peer  string   `json:"peer"`
	job.Result
	ServerShare float64 `json:"serverShare,omitempty"` // of one core, while it was measured
	PeerShare   float64 `json:"peerShare,omitempty"`   // the same
	Mallocs     float64 `json:"mallocs,omitempty"`     // for each message; Go peers only
	RSS         int64   `json:"rss,omitempty"`         // of the peer in bytes, before the load, after memory was given back
	PeakRSS     int64   `json:"peakRSS,omitempty"`     // the most during the load
	Goroutines  int     `json:"goroutines,omitempty"`  // before the load
	IdleShare   float64 `json:"idleShare,omitempty"`   // of one core, when there is nothing to do but pings
}

// A measurement is the two processes of a run.
type measurement struct {
	settings
	server, peer *process
	run          run
}

// measure runs one case with one peer, each in a process of its own.
func (o settings) measure(ctx context.Context, c job.Case, peer string) (run, error) {
	limit := o.time + o.idle + c.Away + o.settle + handicap
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("it takes longer than %v", limit))
	defer cancel()
	directory, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return run{}, err
	}
	defer os.RemoveAll(directory)
	m := measurement{settings: o, run: run{Case: c, Peer: peer}}
	err = m.measure(ctx, job.Job{Case: c, Peer: peer, Time: o.time, Token: "bench-token"}, directory)
	return m.run, err
}

// handicap is how long a case may take beyond its time: a slow peer needs long to connect all its sources.
const handicap = 2 * time.Minute

func (m *measurement) measure(ctx context.Context, j job.Job, directory string) error {
	executable, err := os.Executable()
	if err != nil {
		return err
	}
	if m.server, err = start(ctx, "server", []string{executable, "serve"}, directory, j); err != nil {
		return err
	}
	defer m.server.end()
	ready, err := m.server.await(ctx, job.Ready, nil)
	if err != nil {
		return err
	}
	j.URL = ready.URL
	if j.TLS {
		j.CAFile = filepath.Join(directory, "ca.pem")
		if err := os.WriteFile(j.CAFile, []byte(ready.CA), 0o600); err != nil {
			return err
		}
	}
	if j.Kind == job.Notify || j.Kind == job.Rows {
		j.Record = record.Encode(record.New(j.Size))
	}
	if m.peer, err = start(ctx, "peer "+j.Peer, m.program(executable, j.Peer), directory, j); err != nil {
		return err
	}
	defer m.peer.end()
	configured, err := m.server.await(ctx, job.Configured, m.peer)
	if err != nil {
		return err
	}
	m.run.Result = *configured.Result
	if err := m.quiet(ctx, j.Case); err != nil {
		return err
	}
	switch j.Kind {
	case job.Sources:
		return nil
	case job.Restart:
		return m.restart(ctx)
	default:
		return m.load(ctx)
	}
}

// quiet looks at the peer before there is a load.
func (m *measurement) quiet(ctx context.Context, c job.Case) error {
	if c.Kind != job.Sources && c.Kind != job.Rows {
		return nil
	}
	if err := sleep(ctx, m.settle); err != nil {
		return err
	}
	if err := m.peer.tell(job.Settle); err != nil {
		return err
	}
	settled, err := m.peer.await(ctx, job.Reported, m.server)
	if err != nil {
		return err
	}
	m.run.Goroutines = settled.Report.Goroutines
	if m.run.RSS, err = memory(m.peer.pid(), "VmRSS"); err != nil {
		return err
	}
	if err := forgetPeak(m.peer.pid()); err != nil || !c.Idle {
		return err
	}
	meter, err := newCPUMeter(m.peer.pid())
	if err != nil {
		return err
	}
	if err := sleep(ctx, m.idle); err != nil {
		return err
	}
	m.run.IdleShare, err = meter.share()
	return err
}

// restart lets the server restart.
func (m *measurement) restart(ctx context.Context) error {
	if err := sleep(ctx, m.settle); err != nil {
		return err
	}
	if err := m.server.tell(job.Go); err != nil {
		return err
	}
	ended, err := m.server.await(ctx, job.Ended, m.peer)
	if err != nil {
		return err
	}
	configured := m.run.Configured
	m.run.Result = *ended.Result
	m.run.Configured = configured
	return nil
}

// load lets the server begin, and reads what comes of it.
func (m *measurement) load(ctx context.Context) error {
	if err := m.server.tell(job.Go); err != nil {
		return err
	}
	if _, err := m.server.await(ctx, job.Began, m.peer); err != nil {
		return err
	}
	if err := m.peer.tell(job.Begin); err != nil {
		return err
	}
	server, err := newCPUMeter(m.server.pid())
	if err != nil {
		return err
	}
	peer, err := newCPUMeter(m.peer.pid())
	if err != nil {
		return err
	}
	ended, err := m.server.await(ctx, job.Ended, m.peer)
	if err != nil {
		return err
	}
	m.run.Result = *ended.Result
	var errs [3]error
	m.run.ServerShare, errs[0] = server.share()
	m.run.PeerShare, errs[1] = peer.share()
	if m.run.RSS > 0 {
		m.run.PeakRSS, errs[2] = memory(m.peer.pid(), "VmHWM")
	}
	if err := errors.Join(errs[:]...); err != nil {
		return err
	}
	if err := m.peer.tell(job.End); err != nil {
		return err
	}
	reported, err := m.peer.await(ctx, job.Reported, m.server)
	if err != nil {
		return err
	}
	if report := reported.Report; report.Mallocs > 0 {
		m.run.Mallocs = float64(report.Mallocs) / report.Seconds / m.run.Rate
	}
	return nil
}

func sleep(ctx context.Context, long time.Duration) error {
	timer := time.NewTimer(long)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
