package connector

import (
	"fmt"
	"strconv"
	"time"
)

func (l *link) gotPong(payload string) error {
	n, err := strconv.ParseUint(payload, 10, 64)
	l.mu.Lock()
	if err != nil || n != l.pings { // unsolicited, or of a ping that no longer matters
		l.mu.Unlock()
		return nil
	}
	sent := l.pingedAt
	l.mu.Unlock()
	l.passOn()
	l.owner.ponged(l, sent)
	return nil
}

// requestPing sends a ping, unless pings are switched off or the last one is younger than a second.
func (l *link) requestPing() {
	l.mu.Lock()
	due := l.pingInterval > 0 && !l.ping && time.Since(l.pingedAt) >= time.Second
	l.ping = l.ping || due
	l.mu.Unlock()
	if due {
		l.wake()
	}
}

// tickBy makes sure that the time limits are looked at by then.
func (l *link) tickBy(then time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead || !then.Before(l.nextTick) {
		return
	}
	l.nextTick = then
	l.timer.Reset(time.Until(then))
}

// tick looks at all time limits of the link and of its owner, and sets the timer to the next.
func (l *link) tick() {
	now := time.Now()
	l.mu.Lock()
	l.nextTick = now.Add(24 * time.Hour) // tickBy may bring it forward meanwhile
	dead := l.dead
	l.mu.Unlock()
	if dead {
		return
	}
	next := l.owner.tick(l, now)
	due, err := l.keepAlive(now)
	if err != nil {
		l.fail(err)
		return
	}
	if next.IsZero() || due.Before(next) {
		next = due
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.dead {
		if next.Before(l.nextTick) {
			l.nextTick = next
		}
		l.timer.Reset(time.Until(l.nextTick))
	}
}

// keepAlive pings a silent link, gives up a dead one, and returns when to look again.
func (l *link) keepAlive(now time.Time) (time.Time, error) {
	if l.pingInterval <= 0 {
		return now.Add(time.Hour), nil
	}
	held := l.isHeld() // looked at first: when it ends, the silence begins anew
	silent := l.conn.silentFor(now)
	switch {
	case held:
		silent = 0
	case silent >= l.pingInterval+l.pingTimeout:
		return now, fmt.Errorf("%w for %v", errSilent, silent.Round(time.Second))
	case silent >= l.pingInterval:
		l.requestPing()
		return now.Add(min(l.pingInterval, l.pingInterval+l.pingTimeout-silent)), nil // the answer begins another silence
	}
	return now.Add(l.pingInterval - silent), nil
}
