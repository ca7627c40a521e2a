package connector

import "sync/atomic"

// Stats is a snapshot of a source connection's counters. Unless noted, they count since New.
type Stats struct {
	Accepted     uint64 // notifications that SendNotification accepted
	Sent         uint64 // notifications handed to a link for the first time
	Resent       uint64 // notifications handed to a link again because their acknowledgement never came
	Acknowledged uint64 // notifications that Vantiq acknowledged
	Refused      uint64 // notifications that Vantiq answered with an error
	Dropped      uint64 // notifications dropped by DropOldest
	Queued       int    // notifications in the outbox now, in flight or not
	Window       int    // notifications that may be in flight now

	// OutboxUsed is how full the outbox is now, from 0 to 1: of OutboxMessages, of OutboxBytes, or of the memory that all
	// sources share, whichever is nearest to its limit. It may exceed 1: by what an earlier process left, by an event larger
	// than OutboxBytes that found the outbox empty, and while messages stand before the acknowledgements that would make room.
	OutboxUsed float64

	Publishes        uint64 // messages handed to the Publish handler
	PublishErrors    uint64 // of those, how many it returned an error for, or panicked at
	PublishesDropped uint64 // messages dropped: too many before the first Connect, no handler, or draining
	Queries          uint64 // queries received
	QueriesOpen      int    // queries without a final answer now

	AnswersInterrupted uint64 // answers with rows that ended as CodeInterrupted because of a lost link
	Abandoned          uint64 // handlers left behind because they ignored the end of their context

	Sessions   uint64 // configurations received
	Reconnects uint64 // links after the first
	LastError  string // what last ended a link, a connect or a handshake; never a secret
}

// counters are the parts of Stats that many goroutines count.
type counters struct {
	publishes, publishErrors, publishesDropped atomic.Uint64
	queries, abandoned                         atomic.Uint64
	sessions, reconnects                       atomic.Uint64
	lastError                                  atomic.Pointer[string]
}

func (n *counters) fill(s *Stats) {
	s.Publishes, s.PublishErrors, s.PublishesDropped = n.publishes.Load(), n.publishErrors.Load(), n.publishesDropped.Load()
	s.Queries, s.Abandoned = n.queries.Load(), n.abandoned.Load()
	s.Sessions, s.Reconnects = n.sessions.Load(), n.reconnects.Load()
	if text := n.lastError.Load(); text != nil {
		s.LastError = *text
	}
}
