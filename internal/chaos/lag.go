package main

import (
	"context"
	"sync"
	"time"
)

// A lag is what the machine adds to how long things take: a process that gets no processor time is as deaf as a server that
// does not read, and sees late what was in time. It is measured by a heartbeat, and by how long answers take from the
// handler to the server at sources to which nothing happens.
type lag struct {
	mu   sync.Mutex
	beat time.Time
	late []lateness // the newest last
}

type lateness struct {
	at time.Time
	by time.Duration
}

const (
	heartbeat = 20 * time.Millisecond
	tolerable = 100 * time.Millisecond // shorter ones are not remembered
	maxLate   = 2000
	around    = 5 * time.Second // one this far from something may still have to do with it
)

func (l *lag) took(at time.Time, by time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.add(at, by)
}

func (l *lag) add(at time.Time, by time.Duration) {
	if by < tolerable {
		return
	}
	if len(l.late) == maxLate {
		l.late = append(l.late[:0], l.late[maxLate/2:]...)
	}
	l.late = append(l.late, lateness{at, by})
}

func (l *lag) watch(ctx context.Context) {
	for sleep(ctx, heartbeat) == nil {
		l.mu.Lock()
		now := time.Now()
		if !l.beat.IsZero() {
			l.add(now, now.Sub(l.beat)-heartbeat)
		}
		l.beat = now
		l.mu.Unlock()
	}
}

// worst returns how late things may have been between from and to: twice what was measured, as most take several steps.
func (l *lag) worst(from, to time.Time) (by time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	from, to = from.Add(-around), to.Add(around)
	for _, one := range l.late {
		if one.at.After(from) && one.at.Before(to) {
			by = max(by, one.by)
		}
	}
	if now := time.Now(); !l.beat.IsZero() && now.Before(to) { // it may be late just now
		by = max(by, now.Sub(l.beat)-heartbeat)
	}
	return 2 * by
}
