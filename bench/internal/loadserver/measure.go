package loadserver

import (
	"errors"
	"time"

	"github.com/vantiq-go/connectorsdk/bench/internal/job"
)

// measure goes through the steps of a case.
func (s *server) measure() error {
	last, err := s.allConfigured()
	if err != nil {
		return err
	}
	s.mu.Lock()
	result := job.Result{Configured: last.Sub(s.accepts[0])}
	s.mu.Unlock()
	if err := s.control.Say(job.Line{Event: job.Configured, Result: &result}); err != nil {
		return err
	}
	if err := s.control.Await(job.Go); err != nil {
		return err
	}
	if s.job.Kind == job.Restart {
		result, err = s.restart()
	} else {
		result, err = s.underLoad()
	}
	if err != nil {
		return err
	}
	if err := s.control.Say(job.Line{Event: job.Ended, Result: &result}); err != nil {
		return err
	}
	return s.control.Await("nothing more")
}

// allConfigured waits until every source has its configuration, and returns when the last one got it.
func (s *server) allConfigured() (time.Time, error) {
	select {
	case last := <-s.complete:
		return last, nil
	case err := <-s.failed:
		return time.Time{}, err
	case <-s.control.Words:
		return time.Time{}, job.ErrLeft
	}
}

// underLoad puts the load on.
func (s *server) underLoad() (job.Result, error) {
	l := s.link()
	if l == nil {
		return job.Result{}, errors.New("the peer has left before the load")
	}
	if err := s.load.start(l); err != nil {
		return job.Result{}, err
	}
	if err := s.wait(s.job.Time / 4); err != nil {
		return job.Result{}, err
	}
	s.load.begin()
	if err := s.control.Say(job.Line{Event: job.Began}); err != nil {
		return job.Result{}, err
	}
	if err := s.wait(s.job.Time - s.job.Time/4); err != nil {
		return job.Result{}, err
	}
	select {
	case <-s.load.enough():
		return s.load.end(), nil
	case err := <-s.failed:
		return job.Result{}, err
	case <-s.control.Words:
		return job.Result{}, job.ErrLeft
	}
}

// wait waits while the peer does its work.
func (s *server) wait(long time.Duration) error {
	timer := time.NewTimer(long)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case err := <-s.failed:
		return err
	case <-s.control.Words:
		return job.ErrLeft
	}
}
