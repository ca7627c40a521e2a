package loadserver

import (
	"fmt"
	"sync"
	"time"

	"github.com/vantiq-go/connectorsdk/bench/internal/job"
)

// A load is what the server does with a peer that has its configuration.
type load interface {
	// start begins with the load.
	start(l *link) error
	// message takes what the peer has sent. It is called by the link's reader.
	message(l *link, message []byte) error
	// begin is called when the warm-up is over.
	begin()
	// enough is closed when enough has come since begin to tell a rate.
	enough() <-chan struct{}
	// end returns what was measured since begin.
	end() job.Result
}

func newLoad(j job.Job) (load, error) {
	switch j.Kind {
	case job.Publish:
		return newPublishes(j), nil
	case job.Query:
		return newQueries(j), nil
	case job.Notify:
		return &notifications{mark: newMark()}, nil
	case job.Rows:
		return newAnswers(j), nil
	case job.Sources, job.Restart:
		return idle{}, nil
	default:
		return nil, fmt.Errorf("there is no case of the kind %q", j.Kind)
	}
}

// idle is no load.
type idle struct{ load }

func (idle) message(*link, []byte) error { return nil }

// A mark is reached once.
type mark struct {
	once    sync.Once
	reached chan struct{}
}

func newMark() *mark { return &mark{reached: make(chan struct{})} }

func (m *mark) enough() <-chan struct{} { return m.reached }

func (m *mark) reach() { m.once.Do(func() { close(m.reached) }) }

// A period is a moment, and what had been counted then.
type period struct {
	from  time.Time
	count int64
}

// rate returns how much has been counted since, a second.
func (p period) rate(count int64) job.Result {
	return job.Result{Rate: float64(count-p.count) / time.Since(p.from).Seconds()}
}
