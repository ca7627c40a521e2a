package console

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// keptSeconds is how far back rates go.
const keptSeconds = 300

// rates counts what happens each second.
type rates struct {
	past    []rate // complete, oldest first
	current map[string]*second
	at      int64 // the second of current, since 1970
}

// A rate is what happened in one second.
type rate struct {
	Time    int64                 `json:"time"` // its end, in ms since 1970
	Sources map[string]sourceRate `json:"sources"`
}

// A sourceRate is what happened to one source.
type sourceRate struct {
	Publishes     int     `json:"publishes,omitempty"`
	Queries       int     `json:"queries,omitempty"`
	Notifications int     `json:"notifications,omitempty"`
	Answered      int     `json:"answered,omitempty"`
	P50           float64 `json:"p50,omitempty"` // of the answer times, in ms
	Max           float64 `json:"max,omitempty"`
}

// A second is being counted.
type second struct {
	sourceRate
	times []time.Duration // a sample of the answer times
}

// sampleSize is how many answer times of a second are kept.
const sampleSize = 500

func (r *rates) count(e vantiqtest.Event) {
	r.roll(e.Time.Unix())
	s := r.current[e.Source]
	if s == nil {
		s = &second{}
		if r.current == nil {
			r.current = map[string]*second{}
		}
		r.current[e.Source] = s
	}
	switch e.Kind {
	case vantiqtest.PublishSent:
		s.Publishes++
	case vantiqtest.QuerySent:
		s.Queries++
	case vantiqtest.NotificationReceived:
		s.Notifications++
	case vantiqtest.FinalReceived:
		s.answered(e.Duration)
	}
}

// answered keeps a fair sample of the answer times, and the longest.
func (s *second) answered(d time.Duration) {
	s.Answered++
	s.Max = max(s.Max, milliseconds(d))
	if len(s.times) < sampleSize {
		s.times = append(s.times, d)
	} else if i := rand.IntN(s.Answered); i < sampleSize {
		s.times[i] = d
	}
}

// roll completes the seconds before now.
func (r *rates) roll(now int64) {
	if now <= r.at {
		return
	}
	if r.at == 0 || now-r.at > keptSeconds {
		r.past, r.at = nil, now-1
		clear(r.current)
	}
	for ; r.at < now; r.at++ {
		complete := rate{Time: (r.at + 1) * 1000, Sources: map[string]sourceRate{}}
		for source, s := range r.current {
			if len(s.times) > 0 {
				slices.Sort(s.times)
				s.P50 = milliseconds(s.times[len(s.times)/2])
			}
			if s.sourceRate != (sourceRate{}) {
				complete.Sources[source] = s.sourceRate
			}
		}
		clear(r.current)
		r.past = append(r.past, complete)
	}
	if more := len(r.past) - keptSeconds; more > 0 {
		r.past = slices.Delete(r.past, 0, more)
	}
}

func (r *rates) after(second int64, now time.Time) []rate {
	r.roll(now.Unix())
	first := 0
	for first < len(r.past) && r.past[first].Time <= second*1000 {
		first++
	}
	return slices.Clone(r.past[first:])
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
