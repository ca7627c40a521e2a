package connector

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// A task is a handler, or work started with Go, that runs in a session.
type task struct {
	s         *session
	name      string
	query     *Query // nil unless it is a Query handler
	started   time.Time
	abandoned bool // nobody waits for it any more
	place     int  // in the session's tasks; -1 when it has ended
}

// begin counts a task of s. The inbound's mutex guards all tasks.
func (s *session) begin(name string) *task {
	return s.add(&task{s: s, name: name, started: time.Now()})
}

func (s *session) add(t *task) *task {
	t.place = len(s.tasks)
	s.tasks = append(s.tasks, t)
	return t
}

// beginQuery counts a task that handles q, and gives q its context.
func (s *session) beginQuery(q *Query) *task {
	q.ctx, q.cancel = context.WithCancelCause(s.workCtx)
	q.handler = task{s: s, name: "query", query: q, started: time.Now()}
	q.task = s.add(&q.handler)
	return q.task
}

// end ends a task that was not abandoned.
func (t *task) end() {
	if t.abandoned {
		return
	}
	s, last := t.s, len(t.s.tasks)-1
	s.tasks[t.place], s.tasks[last].place = s.tasks[last], t.place
	s.tasks[last] = nil
	s.tasks, t.place = s.tasks[:last], -1
	if last == 0 && s.idle != nil {
		close(s.idle)
		s.idle = nil
	}
}

// idle returns a channel that is closed when no task of s runs, which may be at once.
func (in *inbound) idle(s *session) <-chan struct{} {
	in.mu.Lock()
	defer in.mu.Unlock()
	idle := make(chan struct{})
	if len(s.tasks) == 0 {
		close(idle)
	} else {
		s.idle = idle
	}
	return idle
}

// abandon gives up a task that ignores the end of its context: what it holds is given to others, what it owes is
// answered, and its goroutine ends whenever its handler returns.
func (in *inbound) abandon(t *task) {
	in.mu.Lock()
	if t.place < 0 {
		in.mu.Unlock()
		return
	}
	t.end()
	t.abandoned = true
	if t == in.publishing {
		in.publishing = nil
		in.startPublishing()
	}
	if t.query != nil {
		t.query.free()
		in.running--
		in.startWaiting()
	}
	in.mu.Unlock()
	in.c.count.abandoned.Add(1)
	in.log.Error(fmt.Sprintf("the %s handler is left behind: it ignores the end of its context", t.name), "running", time.Since(t.started).Round(time.Millisecond))
	if t.query != nil {
		_ = t.query.fail(interrupted())
	}
}

func (in *inbound) abandonAll(s *session) {
	in.mu.Lock()
	all := slices.Clone(s.tasks)
	in.mu.Unlock()
	for _, t := range all {
		in.abandon(t)
	}
}
