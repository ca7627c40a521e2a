package loadserver

import (
	"time"

	"github.com/vantiq-go/connectorsdk/bench/internal/job"
)

// restart leaves as a server does that is killed, and comes back after a while.
func (s *server) restart() (job.Result, error) {
	s.mu.Lock()
	s.configured = 0
	s.mu.Unlock()
	s.close()
	if err := s.wait(s.job.Away); err != nil {
		return job.Result{}, err
	}
	s.mu.Lock()
	s.accepts = nil
	s.mu.Unlock()
	returned := time.Now()
	if err := s.open(); err != nil {
		return job.Result{}, err
	}
	last, err := s.allConfigured()
	if err != nil {
		return job.Result{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return job.Result{Back: last.Sub(returned), MostAccepts: mostWithin(s.accepts, time.Second)}, nil
}

// mostWithin returns how many of some moments, which are in order, lie in any one span of so long.
func mostWithin(moments []time.Time, long time.Duration) int {
	most, first := 0, 0
	for i, moment := range moments {
		for moment.Sub(moments[first]) >= long {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}
