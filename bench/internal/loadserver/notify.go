package loadserver

import (
	"bytes"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/vantiq-go/connectorsdk/bench/internal/job"
)

// Notifications are counted and acknowledged.
type notifications struct {
	*mark
	count  atomic.Int64
	counts atomic.Bool
	since  period
}

func (n *notifications) start(*link) error { return nil }

func (n *notifications) message(l *link, message []byte) error {
	if !bytes.Contains(message, []byte(`"notification"`)) {
		return fmt.Errorf("not a notification: %.200s", message)
	}
	l.answer(acknowledged)
	n.count.Add(1)
	if n.counts.Load() {
		n.reach()
	}
	return nil
}

func (n *notifications) begin() {
	n.since = period{time.Now(), n.count.Load()}
	n.counts.Store(true)
}

func (n *notifications) end() job.Result { return n.since.rate(n.count.Load()) }
