package vantiqtest

import (
	"fmt"
	"time"

	"github.com/gorilla/websocket"
)

// A Drop is a way to end a link. A positive Drop is the code of a close frame, as in source.Drop(1001): what was sent
// before leaves first, and what arrives until the connector has answered the close frame, or a second has passed, still
// counts. With every other Drop nothing more of what arrives counts. The zero Drop leaves the link as it is.
type Drop int

const (
	// FIN closes the TCP connection without a close frame, after what was sent before.
	FIN Drop = -1 - iota
	// RST breaks the TCP connection at once. What was sent before may get lost.
	RST
	// Vanish leaves the link half open, as when a cable is pulled: what is sent disappears, nothing is read, nothing is
	// closed. Like Vantiq, the server does not know it: the source stays connected, and publishing to it succeeds, until
	// a connector with the same reconnect secret usurps the session, or another Drop tells the server.
	Vanish
)

// String returns how the link ends.
func (d Drop) String() string {
	switch d {
	case FIN:
		return "end of the TCP connection"
	case RST:
		return "reset of the TCP connection"
	case Vanish:
		return "half open link"
	}
	return fmt.Sprintf("close code %d", int(d))
}

const (
	closeUsurped   Drop = websocket.CloseNormalClosure // what Vantiq sends, if anything, is not known
	closeGoingAway Drop = websocket.CloseGoingAway
)

// closePatience is how long the server waits for the peer to end its side.
const closePatience = time.Second

// Drop ends the link. It does not wait until the connector has noticed. Dropping a link again is fine; after [FIN] or a
// close code only [RST] still makes a difference.
func (l *Link) Drop(how Drop) {
	switch how {
	case 0:
		return
	case Vanish:
		l.vanish()
		return
	}
	if how < 0 {
		l.cut.Store(true) // before what is held goes on
	}
	l.end()
	if s := l.Source(); s != nil {
		s.lost(l)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dropped = true
	switch {
	case l.vanished.Load(): // the peer must not notice: the connection is closed with the server
		_ = l.raw.SetDeadline(time.Now())
		l.writer.seal(nil, false)
	case how == RST || !l.upgraded:
		l.reset(how == RST)
	default:
		_ = l.raw.SetDeadline(time.Now().Add(closePatience))
		l.reads.shut(false)
		if how > 0 {
			l.writer.seal(websocket.FormatCloseMessage(int(how), ""), false)
		} else {
			l.writer.seal(nil, true)
		}
	}
}

// reset closes the connection at once, with RST if abort.
func (l *Link) reset(abort bool) {
	if c, ok := l.raw.(interface{ SetLinger(int) error }); ok && abort {
		_ = c.SetLinger(0)
	}
	_ = l.raw.Close()
}

func (l *Link) vanish() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dropped || !l.upgraded {
		return
	}
	l.vanished.Store(true)
	l.cut.Store(true)
	l.reads.shut(true)
	l.writer.vanish()
}
