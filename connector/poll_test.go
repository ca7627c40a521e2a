package connector_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// polls is a connector that polls from Connect on, and when each call began.
type polls struct {
	mu     sync.Mutex
	begins []time.Time
}

func (p *polls) handlers(interval time.Duration, poll func(ctx context.Context, call int) error) connector.Handlers {
	return connector.Handlers{Connect: func(_ context.Context, c *connector.SourceConnection, _ connector.Document) error {
		return c.Poll(interval, func(ctx context.Context) error {
			p.mu.Lock()
			p.begins = append(p.begins, time.Now())
			call := len(p.begins)
			p.mu.Unlock()
			return poll(ctx, call)
		})
	}}
}

// gaps returns how far apart the calls began.
func (p *polls) gaps() (gaps []time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.begins[1:] {
		gaps = append(gaps, p.begins[i+1].Sub(p.begins[i]))
	}
	return gaps
}

func TestPollCallsEveryIntervalAndNotInStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p polls
		setUp(t, nil, connector.Options{}).connect(p.handlers(time.Minute, func(ctx context.Context, _ int) error {
			select {
			case <-time.After(20 * time.Second): // counts towards the interval
			case <-ctx.Done():
			}
			return nil
		}))
		pass(time.Hour)
		gaps := p.gaps()
		if n := len(gaps); n < 53 || n > 66 {
			t.Errorf("%d polls in an hour", n)
		}
		if least, most := slices.Min(gaps), slices.Max(gaps); least < 54*time.Second || most > 66*time.Second || most-least < 2*time.Second {
			t.Errorf("the waits are between %v and %v", least, most)
		}
	})
}

func TestPollsDoNotOverlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p polls
		running := 0
		setUp(t, nil, connector.Options{}).connect(p.handlers(time.Second, func(_ context.Context, call int) error {
			if running++; running > 1 {
				t.Error("two polls at once")
			}
			defer func() { running-- }()
			if call <= 3 { // long over at the end
				pass(10 * time.Second)
			}
			return nil
		}))
		pass(35*time.Second + time.Millisecond)
		gaps := p.gaps()
		for _, gap := range gaps[:3] {
			if gap != 10*time.Second {
				t.Errorf("after a poll that takes longer than the interval, the next began after %v", gap)
			}
		}
		if slices.Min(gaps[3:]) < 900*time.Millisecond {
			t.Errorf("what was late is made up for: %v", gaps)
		}
	})
}

func TestAPollThatFailsIsTriedAgainSoonAndThenRarely(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p polls
		log := &record{}
		var up atomic.Bool
		b := setUp(t, nil, connector.Options{Logger: log.logger()})
		b.connect(p.handlers(time.Minute, func(_ context.Context, call int) error {
			switch {
			case call == 2:
				panic("a bug")
			case !up.Load():
				return errors.New("the database is away")
			}
			return nil
		}))
		pass(8 * time.Minute)
		up.Store(true)
		pass(10 * time.Minute)
		b.must(b.end())
		gaps := p.gaps()
		if gaps[0] > 1200*time.Millisecond || gaps[1] < gaps[0] {
			t.Errorf("it was tried again after %v", gaps[:2])
		}
		if slices.Max(gaps) > 66*time.Second {
			t.Errorf("waits of %v", gaps)
		}
		if n := len(gaps); n < 22 || n > 36 {
			t.Errorf("%d polls: %v", n, gaps)
		}
		if n := strings.Count(log.String(), "level=WARN"); n != 1 || !strings.Contains(log.String(), "the database is away") {
			t.Errorf("%d warnings in\n%s", n, log)
		}
		if n := strings.Count(log.String(), "a bug"); n != 1 {
			t.Errorf("the panic was logged %d times in\n%s", n, log)
		}
	})
}

func TestPollingEndsWithTheSessionAndBeginsWithTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p polls
		log := &record{}
		j := &journal{}
		h := p.handlers(time.Minute, func(ctx context.Context, _ int) error {
			<-ctx.Done()
			j.add("poll ends: " + context.Cause(ctx).Error())
			return context.Cause(ctx)
		})
		h.Close = func(context.Context, *connector.SourceConnection, error) error {
			j.add("close")
			return nil
		}
		b := setUp(t, nil, connector.Options{Logger: log.logger()}).connect(h)
		pass(time.Minute)
		b.source.RequireReconnect()
		b.session(2)
		pass(time.Minute)
		b.source.Drop(vantiqtest.FIN)
		b.session(3)
		synctest.Wait()
		b.must(b.end())
		got := j.all()
		if len(got) != 6 || !strings.Contains(got[0], connector.ErrReconnectRequired.Error()) || got[1] != "close" || got[3] != "close" || got[5] != "close" {
			t.Errorf("%q", got)
		}
		if strings.Contains(log.String(), "poll") || strings.Contains(log.String(), "Go") {
			t.Errorf("what ends with its session is no failure:\n%s", log)
		}
		if err := b.conn.Poll(time.Minute, func(context.Context) error { return nil }); !errors.Is(err, connector.ErrNotConnected) {
			t.Errorf("without a session: %v", err)
		}
	})
}

func TestAPermanentErrorEndsPolling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p polls
		log := &record{}
		b := setUp(t, nil, connector.Options{Logger: log.logger()})
		b.connect(p.handlers(time.Second, func(context.Context, int) error {
			return connector.Permanent(errors.New("there is no such table"))
		}))
		pass(time.Minute)
		if n := len(p.gaps()); n != 0 {
			t.Errorf("%d more polls", n)
		}
		b.must(b.end())
		if text := log.String(); !strings.Contains(text, "there is no such table") || !strings.Contains(text, "level=ERROR") {
			t.Errorf("logged\n%s", text)
		}
	})
}

// The waits of an interval that is nearly as long as can be said became negative, and the polls one endless loop.
func TestAPollEveryFewCenturiesIsCalledOnce(t *testing.T) {
	for range 20 { // as the waits are random
		synctest.Test(t, func(t *testing.T) {
			var p polls
			setUp(t, nil, connector.Options{Logger: quiet}).connect(p.handlers(math.MaxInt64, func(_ context.Context, call int) error {
				if call > 1 {
					return connector.Permanent(errors.New("called again"))
				}
				return nil
			}))
			pass(time.Hour)
			if n := len(p.gaps()); n != 0 {
				t.Errorf("%d more polls", n)
			}
		})
	}
}

func TestPollRefusesAnIntervalThatIsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{}).connect(echo())
		for _, interval := range []time.Duration{0, -time.Second} {
			err := b.conn.Poll(interval, func(context.Context) error { t.Error("polled"); return nil })
			if err == nil || !strings.Contains(err.Error(), "positive") {
				t.Errorf("%v: %v", interval, err)
			}
		}
	})
}

// A poll that fails for longer than cenkalti/backoff retries by default goes on, and one that has worked meanwhile is
// tried again as soon as at first.
func TestAPollThatHasFailedForHoursIsNoMoreAndNoLessTried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p polls
		const failures = 100
		setUp(t, nil, connector.Options{Logger: quiet}).connect(p.handlers(time.Minute, func(_ context.Context, call int) error {
			if call != failures {
				return errors.New("the database is away")
			}
			return nil
		}))
		pass(2 * time.Hour)
		gaps := p.gaps()
		if len(gaps) < failures+2 {
			t.Fatalf("%d polls", len(gaps))
		}
		if least := slices.Min(gaps[20:failures]); least < 50*time.Second {
			t.Errorf("in the long run it was tried again after %v", least)
		}
		if gap := gaps[failures]; gap > 1200*time.Millisecond {
			t.Errorf("the first failure after a success was tried again after %v", gap)
		}
	})
}
