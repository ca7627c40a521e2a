package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// A source is one source at the local Vantiq with what is behind it: its connection, its cable and its ledger. That of a
// child process has no connection here.
type source struct {
	*ledger
	chaos   *chaos
	index   int
	at      *vantiqtest.Source
	conn    *connector.SourceConnection
	cable   *cable
	dials   pace // guarded by chaos.dialMu, as is dialled
	dialled bool
	secret  protocol.Secret
	valve   valve // notifications pass through it

	ambushes sync.Mutex
	ambush   *ambush
}

// sourceHeader tells the server's side whose upgrade it sees.
const sourceHeader = "X-Chaos-Source"

// So that faults are noticed, and the next one can strike, sooner than in real life.
const (
	pingInterval     = time.Second
	pingTimeout      = 1500 * time.Millisecond
	handshakeTimeout = 3 * time.Second
	queryTimeout     = 4 * time.Second
	maxOutbound      = 4 << 10 // so that rows need several messages
)

func (c *chaos) newSource(index int, name string) *source {
	s := &source{
		ledger: newLedger(name, c.violated, &c.lag),
		chaos:  c,
		index:  index,
		at:     c.server.Source(name, map[string]any{"version": 0}),
		secret: protocol.Secret(fmt.Sprintf("%s_%d", name, c.seed)),
	}
	s.cable = &cable{dialled: func() { c.dialled(s) }}
	s.at.HandleNotifications(func(e protocol.Document) { s.arrived(e.Raw()) })
	return s
}

// connect makes the source's connection in this process.
func (s *source) connect(group *connector.Group) error {
	conn, err := connector.New(s.source, connector.Options{
		TargetServer:     s.chaos.server.URL(),
		AuthToken:        protocol.Secret(s.chaos.server.Token()),
		ReconnectSecret:  s.secret,
		Logger:           slog.New(journalist{s.ledger}),
		DialContext:      s.cable.dial,
		Header:           http.Header{sourceHeader: {s.source}},
		HandshakeTimeout: handshakeTimeout,
		PingInterval:     pingInterval,
		PingTimeout:      pingTimeout,
		QueryTimeout:     queryTimeout,
		MaxOutbound:      maxOutbound,
		Hooks:            []connector.Hook{s.ledger},
		Group:            group,
	})
	if err != nil {
		return err
	}
	conn.SetHandlers(s.handlers())
	s.conn = conn
	return nil
}

// link waits a little for a session and returns its link, or nil.
func (s *source) link(ctx context.Context) *vantiqtest.Link {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if s.at.WaitConnected(ctx) != nil {
		return nil
	}
	return s.at.Link()
}

// An ambush waits for what the connector does next at some point, and strikes there.
type ambush struct {
	fault string
	point point
	skip  int // so many pass first
	times int // so many are struck

	delay  time.Duration
	silent bool   // no answer
	status int    // of an upgrade
	answer string // instead of the usual one
	before int    // so many statuses first
	drop   vantiqtest.Drop
	sprung chan struct{} // closed at the first strike, if anybody waits for it
}

// A point is where an ambush can be laid.
type point string

const (
	atUpgrade      point = "upgrade"
	atValidate     point = protocol.OpValidate
	atConnect      point = protocol.OpConnectExtension
	atNotification point = protocol.OpNotification
)

func (s *source) lay(a ambush) {
	s.ambushes.Lock()
	defer s.ambushes.Unlock()
	a.times = max(1, a.times)
	s.ambush = &a
}

func (s *source) disarm() {
	s.ambushes.Lock()
	defer s.ambushes.Unlock()
	s.ambush = nil
}

// spring returns the ambush if it strikes now.
func (s *source) spring(at point) (a ambush, strikes bool) {
	s.ambushes.Lock()
	defer s.ambushes.Unlock()
	switch {
	case s.ambush == nil || s.ambush.point != at:
		return a, false
	case s.ambush.skip > 0:
		s.ambush.skip--
		return a, false
	}
	a = *s.ambush
	if s.ambush.times--; s.ambush.times == 0 {
		s.ambush = nil
	}
	if a.sprung != nil {
		close(a.sprung)
	}
	s.note("fault: %s", a.fault)
	s.chaos.faults.struck(a.fault)
	return a, true
}

// interceptUpgrade strikes at the HTTP request.
func (c *chaos) interceptUpgrade(w http.ResponseWriter, r *http.Request) (handled bool) {
	s := c.bySource[r.Header.Get(sourceHeader)]
	if s == nil {
		return false
	}
	// A link's Done channel is its request's, which tells later messages whose link it is.
	c.links.Store(r.Context().Done(), s)
	context.AfterFunc(r.Context(), func() { c.links.Delete(r.Context().Done()) })
	a, strikes := s.spring(atUpgrade)
	if !strikes {
		return false
	}
	_ = sleep(r.Context(), a.delay)
	if a.silent {
		return true
	}
	if a.status != 0 {
		http.Error(w, http.StatusText(a.status), a.status)
	}
	return a.status != 0
}

// intercept strikes at a message. It sees all of them.
func (c *chaos) intercept(l *vantiqtest.Link, m protocol.Message) (handled bool) {
	known, _ := c.links.Load(l.Done())
	s, ok := known.(*source)
	if !ok {
		return false
	}
	var a ambush
	var strikes bool
	switch m := m.(type) {
	case *protocol.Validate:
		a, strikes = s.spring(atValidate)
	case *protocol.ConnectExtension:
		a, strikes = s.spring(atConnect)
		s.claimed(a.answer == reactivating)
	case *protocol.Notification:
		if a, strikes = s.spring(atNotification); strikes {
			s.answeredWithError(m.Event.Raw())
		}
	}
	if !strikes {
		return false
	}
	if sleep(l, a.delay) != nil {
		return true
	}
	for range a.before {
		l.Send(`{"status":200}`)
	}
	switch {
	case a.answer != "":
		l.Send(a.answer)
	case a.silent:
	case a.drop != 0:
		l.Drop(a.drop)
	default:
		return false
	}
	return true
}

// A valve lets pass while nobody has shut it.
type valve struct {
	mu     sync.Mutex
	shuts  int
	opened chan struct{}
}

func (v *valve) shut() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.shuts++; v.shuts == 1 {
		v.opened = make(chan struct{})
	}
}

func (v *valve) open() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.shuts--; v.shuts == 0 {
		close(v.opened)
	}
}

func (v *valve) isOpen() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.shuts == 0
}

func (v *valve) pass(ctx context.Context) error {
	for {
		v.mu.Lock()
		shut, opened := v.shuts > 0, v.opened
		v.mu.Unlock()
		if !shut {
			return ctx.Err()
		}
		select {
		case <-opened:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// sleep waits for so long, or until done, which is a context or a link.
func sleep(ctx interface{ Done() <-chan struct{} }, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Canceled
	}
}
