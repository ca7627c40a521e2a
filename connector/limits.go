package connector

import "time"

// limits watches over the time that queries take: until their final answer, and then for as long as their handlers run on. All
// queries of a source have the same time, so that the first to come is the first whose time is up, but for what a lock takes,
// and one timer serves all. It is guarded by inbound.mu.
type limits struct {
	open     queryList // without a final answer
	answered queryList // with one, but their handlers still run
	timer    *time.Timer
	rings    time.Time // when it does; zero if it does not
}

// A limit is a query's place in one of the lists.
type limit struct {
	due        time.Time
	list       *queryList // nil if it is in none
	prev, next *Query
}

// A queryList holds queries in the order in which they are due.
type queryList struct{ first, last *Query }

// push adds a query that is due after all others.
func (l *queryList) push(q *Query) {
	q.limit.list, q.limit.prev, q.limit.next = l, l.last, nil
	if l.last == nil {
		l.first = q
	} else {
		l.last.limit.next = q
	}
	l.last = q
}

// free removes a query from its list, if it is in one.
func (q *Query) free() {
	l := q.limit.list
	if l == nil {
		return
	}
	if q.limit.prev == nil {
		l.first = q.limit.next
	} else {
		q.limit.prev.limit.next = q.limit.next
	}
	if q.limit.next == nil {
		l.last = q.limit.prev
	} else {
		q.limit.next.limit.prev = q.limit.prev
	}
	q.limit = limit{}
}

// limitTo gives a query time until due, in a list.
func (in *inbound) limitTo(due time.Time, l *queryList, q *Query) {
	l.push(q)
	q.limit.due = due
	in.ringAt(due)
}

// ringAt makes the timer ring no later than then.
func (in *inbound) ringAt(then time.Time) {
	if t := &in.limits; t.rings.IsZero() || then.Before(t.rings) {
		t.rings = then
		if t.timer == nil {
			t.timer = time.AfterFunc(time.Until(then), in.timesUp)
		} else {
			t.timer.Reset(time.Until(then))
		}
	}
}

// timesUp answers the queries whose time is up, and leaves the handlers behind whose time is.
func (in *inbound) timesUp() {
	now := time.Now()
	var late []*Query
	var lingering []*task
	in.mu.Lock()
	in.limits.rings = time.Time{}
	for q := in.limits.open.first; q != nil && !q.limit.due.After(now); q = in.limits.open.first {
		q.free()
		late = append(late, q)
	}
	for q := in.limits.answered.first; q != nil && !q.limit.due.After(now); q = in.limits.answered.first {
		q.free()
		lingering = append(lingering, q.task)
	}
	for _, l := range []*queryList{&in.limits.open, &in.limits.answered} {
		if l.first != nil {
			in.ringAt(l.first.limit.due)
		}
	}
	in.mu.Unlock()
	for _, q := range late {
		q.timeUp()
	}
	for _, t := range lingering {
		in.abandon(t)
	}
}
