package main

import "github.com/vantiq-go/connectorsdk/connector"

// A statsRow is what the query "stats" answers with.
type statsRow struct {
	Accepted     uint64 `json:"accepted"`
	Sent         uint64 `json:"sent"`
	Acknowledged uint64 `json:"acknowledged"`
	Refused      uint64 `json:"refused"`
	Dropped      uint64 `json:"dropped"`
	Queued       int    `json:"queued"` // now
	Resent       uint64 `json:"resent"`
	Publishes    uint64 `json:"publishes"`
	Queries      uint64 `json:"queries"`
	QueriesOpen  int    `json:"queriesOpen"` // now, this one included
	Abandoned    uint64 `json:"abandoned"`
	Reconnects   uint64 `json:"reconnects"`
	Window       int    `json:"window"` // now
	LastError    string `json:"lastError"`
}

func statsOf(c *connector.SourceConnection) statsRow {
	s := c.Stats()
	return statsRow{
		Accepted:     s.Accepted,
		Sent:         s.Sent,
		Acknowledged: s.Acknowledged,
		Refused:      s.Refused,
		Dropped:      s.Dropped,
		Queued:       s.Queued,
		Resent:       s.Resent,
		Publishes:    s.Publishes,
		Queries:      s.Queries,
		QueriesOpen:  s.QueriesOpen,
		Abandoned:    s.Abandoned,
		Reconnects:   s.Reconnects,
		Window:       s.Window,
		LastError:    s.LastError,
	}
}
