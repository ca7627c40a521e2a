package connector

// Held returns how many bytes the sources of g hold: notifications in memory, and messages and answers that wait.
func (g *Group) Held() (outgoing, incoming int64) {
	return g.outgoing.held.Load(), g.incoming.held.Load()
}

// LimitOutgoing changes how many bytes of notifications the sources of g may hold.
func (g *Group) LimitOutgoing(bytes int64) { g.outgoing.limit = bytes }

// LimitIncoming changes how many bytes of messages and answers the sources of g may hold.
func (g *Group) LimitIncoming(bytes int64) { g.incoming.limit = bytes }

// Limits returns how many bytes the sources of g may hold.
func (g *Group) Limits() (outgoing, incoming int64) { return g.outgoing.limit, g.incoming.limit }
