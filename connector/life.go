package connector

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/gorilla/websocket"

	"github.com/vantiq-go/connectorsdk/protocol"
)

// The life of a source connection, on Run's goroutine: live makes links, useLink makes the sessions of one link, attend
// watches over one session.

var (
	errHandshakeTimeout = errors.New("the server did not complete the handshake in time")
	errReplaceLink      = errors.New("notifications were still unacknowledged when Vantiq asked to reconnect: the link is replaced")
	errDialGone         = errors.New("DialContext or Proxy ended its goroutine (runtime.Goexit)")
	errNoConfig         = errors.New("the server sent a configureExtension without object.config")
)

// live returns when ctx has ended and all is drained, or with an error that is final.
func (c *SourceConnection) live(ctx context.Context) error {
	c.outage.Reset()
	for {
		err := c.useLink(ctx)
		if ctx.Err() != nil {
			return c.drainLast()
		}
		c.failed(err)
		if c.final(err) {
			_ = c.drainLast()
			return err
		}
		if errors.Is(err, errReplaceLink) {
			continue
		}
		c.setState(Waiting, err)
		if c.backOff(ctx, err) != nil {
			return c.drainLast()
		}
	}
}

// backOff waits before the next link.
func (c *SourceConnection) backOff(ctx context.Context, cause error) error {
	var rejected *rejectedError
	if errors.As(cause, &rejected) {
		c.causes.log(c.log, "the auth token was rejected; waiting for authTokenFile to change", cause)
		return c.awaitTokenChange(ctx)
	}
	wait := c.outage.NextBackOff()
	message := "not connected, trying again"
	if c.short >= 3 { // in the message, as the cause alone was logged before
		message += "; sessions end soon after they begin: does another connector use this source and the same reconnect secret?"
	}
	c.causes.log(c.log, message, cause, "wait", wait.Round(time.Millisecond))
	return sleep(ctx, wait)
}

// awaitTokenChange waits until the token file holds something else, but no longer than 30 seconds.
func (c *SourceConnection) awaitTokenChange(ctx context.Context) error {
	for range 30 {
		if err := sleep(ctx, time.Second); err != nil {
			return err
		}
		token, err := readToken(c.options.AuthTokenFile)
		if err == nil && sha256.Sum256([]byte(token)) != c.tokenHash {
			return nil
		}
	}
	return nil
}

// useLink opens a link and serves its sessions until the link is lost, ctx ends and all is drained, or an error is final.
func (c *SourceConnection) useLink(ctx context.Context) error {
	l, spent, err := c.establish(ctx)
	if err != nil {
		return err
	}
	defer l.close()
	for {
		config, err := c.claimInTurn(ctx, l, spent)
		if errors.Is(err, errReplaceLink) {
			return err
		}
		if err != nil {
			return c.leaveUnserved(ctx, l, err)
		}
		spent = 0
		for claimed := true; ; claimed = false {
			s := c.beginSession(ctx, l, config, claimed)
			end := c.attend(ctx, s)
			switch {
			case ctx.Err() != nil:
				c.drain(s)
				return nil
			case end.cause != nil:
				l.fail(end.cause) // if it still lives: nothing more is read that nobody would handle
				c.closeSession(s, end.cause)
				return end.cause
			}
			c.setState(Connecting, ErrReconnectRequired)
			c.closeSession(s, ErrReconnectRequired)
			if end.config == nil {
				break
			}
			config = *end.config
			if err := c.followInTurn(ctx, l); err != nil {
				return c.leaveUnserved(ctx, l, err)
			}
		}
		c.landFlights(ctx, l)
	}
}

// leaveUnserved closes a link politely on which there is no session, if it is this side that leaves.
func (c *SourceConnection) leaveUnserved(ctx context.Context, l *link, err error) error {
	if ctx.Err() != nil {
		soon, cancel := context.WithTimeout(c.cut.ctx, time.Second)
		defer cancel()
		l.say(soon)
	}
	return err
}

// landFlights gives acknowledgements a moment to come before the link begins anew: afterwards they could not be told
// from the answers to connectExtension.
func (c *SourceConnection) landFlights(ctx context.Context, l *link) {
	both, stop := l.within(ctx)
	defer stop()
	soon, cancel := context.WithTimeout(both, time.Second)
	defer cancel()
	_ = c.out.land(soon)
}

// awaitLast waits until the last session has ended, so that its Close has returned before the next Connect.
func (c *SourceConnection) awaitLast(ctx context.Context) error {
	if c.last == nil {
		return nil
	}
	select {
	case <-c.last.ended:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// establish opens a link and authenticates. It returns how much of the handshake's time that took.
func (c *SourceConnection) establish(ctx context.Context) (*link, time.Duration, error) {
	c.setState(Dialing, nil)
	first := !c.dialled
	c.dialled = true
	done, err := c.options.Group.startHandshake(ctx, first)
	if err != nil {
		return nil, 0, err
	}
	defer done()
	token, err := c.token() // before dialling: without one there is nothing to dial for
	if err != nil {
		return nil, 0, err
	}
	started := time.Now()
	handshake, cancel := context.WithTimeoutCause(ctx, c.options.HandshakeTimeout, errHandshakeTimeout)
	defer cancel()
	var ws *websocket.Conn
	var under *conn
	err = errDialGone // unless it returns
	c.options.Group.workers.do(func() { ws, under, err = newDialer(c.options, c.redact).dial(handshake) })
	if err != nil {
		c.options.Group.failed.Store(true)
		return nil, 0, err
	}
	c.links++
	if c.links > 1 {
		c.count.reconnects.Add(1)
	}
	l := &link{
		id:           c.links,
		ws:           ws,
		conn:         under,
		log:          c.log,
		owner:        c,
		workers:      &c.options.Group.workers,
		redact:       c.redact,
		maxInbound:   c.options.MaxInbound,
		pingInterval: c.options.PingInterval,
		pingTimeout:  c.options.PingTimeout,
	}
	l.start(ctx)
	c.setState(Authenticating, nil)
	if err := c.authenticate(handshake, l, token); err != nil {
		err = c.leaveUnserved(ctx, l, err)
		l.close()
		return nil, 0, err
	}
	return l, time.Since(started), nil
}

func (c *SourceConnection) authenticate(ctx context.Context, l *link, token protocol.Secret) error {
	l.request(protocol.AppendValidate(nil, token))
	for {
		e, err := l.await(ctx)
		if err != nil {
			return fmt.Errorf("authenticating: %w", err)
		}
		if e.kind != statusCame || 100 <= e.status && e.status < 200 {
			continue
		}
		if e.failed == nil {
			return nil
		}
		failed := e.failed.Redact(c.secrets()...)
		if rejectsToken(failed.Status) {
			return &rejectedError{failed}
		}
		return fmt.Errorf("authenticating: %w", failed)
	}
}

// claimInTurn claims the source when the last session has ended, unless ctx or the link ends first.
func (c *SourceConnection) claimInTurn(ctx context.Context, l *link, spent time.Duration) (Document, error) {
	both, stop := l.within(ctx)
	defer stop()
	if err := c.awaitLast(both); err != nil {
		return Document{}, err
	}
	if c.out.unacknowledged() > 0 && c.last != nil && c.last.link == l {
		return Document{}, errReplaceLink
	}
	return c.claim(both, l, spent)
}

// followInTurn begins a session that Vantiq has begun, when the last one has ended.
func (c *SourceConnection) followInTurn(ctx context.Context, l *link) error {
	both, stop := l.within(ctx)
	defer stop()
	if err := c.awaitLast(both); err != nil {
		return err
	}
	if err := c.pace(both, c.unasked); err != nil {
		return err
	}
	c.unasked = time.Now()
	return nil
}

// claim sends connectExtension, as often as it takes, until the configuration comes. A refusal leaves the link as it is,
// so that a refused source costs the server one message per attempt.
func (c *SourceConnection) claim(ctx context.Context, l *link, spent time.Duration) (Document, error) {
	if err := c.pace(ctx, c.claimed); err != nil {
		return Document{}, err
	}
	reactivation := newReactivation()
	for {
		c.setState(Connecting, nil)
		c.claimed = time.Now()
		l.request(protocol.AppendConnectExtension(nil, c.source, c.options.ReconnectSecret))
		config, refused, err := c.awaitConfig(ctx, l, c.options.HandshakeTimeout-spent)
		switch {
		case err != nil:
			return Document{}, err
		case config != nil:
			return *config, nil
		}
		spent = 0
		if refused == nil { // asked to reconnect while connecting
			err = c.pace(ctx, c.claimed)
		} else {
			err = c.refused(ctx, refused, reactivation)
		}
		if err != nil {
			return Document{}, err
		}
	}
}

// awaitConfig waits for the answer to a connectExtension: a configuration, a refusal, or, if both are nil, the request to
// connect again.
func (c *SourceConnection) awaitConfig(ctx context.Context, l *link, limit time.Duration) (*Document, *StatusError, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errHandshakeTimeout)
	defer cancel()
	for {
		e, err := l.await(ctx)
		if err != nil {
			return nil, nil, fmt.Errorf("connecting the source: %w", err)
		}
		switch e.kind {
		case configured:
			return &e.config, nil, nil
		case configMissing:
			return nil, nil, errNoConfig
		case reconnectAsked:
			return nil, nil, nil
		case statusCame:
			if e.failed != nil {
				return nil, e.failed.Redact(c.secrets()...), nil
			}
		}
	}
}

// refused waits until the source may be claimed again after a refusal, or returns an error if there is no point in it.
func (c *SourceConnection) refused(ctx context.Context, status *StatusError, reactivation backoff.BackOff) error {
	if status.Status == http.StatusUnauthorized { // it can only be the token, however many statuses came before
		return &rejectedError{status}
	}
	err := fmt.Errorf("Vantiq refused to connect the source: %w", status)
	c.failed(err)
	if status.Reactivating() {
		c.log.Debug("the source is being redeployed, connecting again", "error", status)
		return sleep(ctx, reactivation.NextBackOff())
	}
	if c.final(err) {
		return err
	}
	c.setState(Waiting, err)
	wait := c.outage.NextBackOff()
	c.causes.log(c.log, "the source cannot be connected, trying again: does it exist in the token's namespace, and is no other connector using it?", err, "wait", wait.Round(time.Millisecond))
	if err := sleep(ctx, wait); err != nil {
		return err
	}
	return c.pace(ctx, c.claimed)
}

// pace keeps the connectExtensions of this source apart, and the sessions that Vantiq begins without one, as long as no
// session has been good.
func (c *SourceConnection) pace(ctx context.Context, last time.Time) error {
	if last.IsZero() {
		return nil
	}
	return sleep(ctx, time.Until(last.Add(c.outage.gap())))
}

func (c *SourceConnection) beginSession(ctx context.Context, l *link, config Document, claimed bool) *session {
	s := newSession(ctx, c, l, config)
	c.last = s
	c.current.Store(s)
	c.count.sessions.Add(1)
	c.setState(Configuring, nil)
	c.out.attach(l, claimed)
	go s.connect() // ends with the session at the latest; s.end waits for it
	return s
}

// An ending says why a session is over: the link was lost, or, if cause is nil, Vantiq wants another session, and has sent
// its configuration already if config is not nil.
type ending struct {
	cause  error
	config *Document
}

// attend watches over a session until it is to end.
func (c *SourceConnection) attend(ctx context.Context, s *session) (end ending) {
	l, accepted, began := s.link, s.accepted, time.Time{}
	defer func() { c.judge(began) }()
	for {
		if end, over := c.endingOf(l); over {
			return end
		}
		select {
		case <-accepted:
			accepted, began = nil, time.Now()
			c.connected(s)
		case <-l.signal:
		case <-l.ctx.Done():
			return ending{cause: l.err()}
		case <-ctx.Done():
			return ending{}
		}
	}
}

// endingOf returns the ending that Vantiq has asked for, if it has.
func (c *SourceConnection) endingOf(l *link) (end ending, over bool) {
	for e, ok := l.next(); ok; e, ok = l.next() {
		switch e.kind {
		case reconnectAsked:
			c.log.Info("Vantiq asks to reconnect")
			return ending{}, true
		case configured:
			c.log.Info("Vantiq has sent a new configuration")
			return ending{config: &e.config}, true
		case configMissing:
			return ending{cause: errNoConfig}, true
		}
	}
	return ending{}, false
}

func (c *SourceConnection) connected(s *session) {
	c.in.admit(s)
	c.setState(Connected, nil)
	c.log.Info("connected", "link", s.link.id)
}

// judge learns from how long a session has lasted.
func (c *SourceConnection) judge(began time.Time) {
	switch {
	case began.IsZero(): // its Connect handler never accepted
	case time.Since(began) >= goodSession:
		c.outage.Reset()
		c.claimed, c.unasked = time.Time{}, time.Time{}
		c.short = 0
	default:
		c.short++
	}
}

// closeSession begins to end a session; awaitLast waits for that.
func (c *SourceConnection) closeSession(s *session, cause error) {
	c.out.pause()
	go s.end(cause) // ends when the Close handler has returned; the next session waits for s.ended
}

// --- draining

// drain ends a session for good, on its own link: handlers, Close, outbox, close frame, all before the drain's deadline.
func (c *SourceConnection) drain(s *session) {
	c.beginDrain()
	c.log.Info("draining")
	c.in.drain()      // before the session ends: messages that wait are still its own
	go s.end(nil)     // drainLast waits for it
	_ = c.drainLast() // live asks again
	c.in.finish()
	deadline, _ := c.drainDeadline()
	rest, cancel := context.WithDeadline(c.cut.ctx, deadline)
	defer cancel()
	flushing, stop := context.WithDeadline(rest, deadline.Add(-c.drainReserve(drainFarewell)))
	defer stop()
	defer context.AfterFunc(s.link.ctx, stop)()
	_ = c.out.flush(flushing) // what is left is counted when the outbox is closed
	s.link.say(rest)
}

// drainLast takes no more work and waits, until the drain's deadline, for the last session to end.
func (c *SourceConnection) drainLast() error {
	c.beginDrain()
	c.setState(Draining, nil)
	c.in.drain()
	if c.last == nil {
		return nil
	}
	deadline, _ := c.drainDeadline()
	rest, cancel := context.WithDeadline(c.cut.ctx, deadline)
	defer cancel()
	if c.awaitLast(rest) == nil {
		return nil
	}
	select {
	case <-c.last.ended:
		return nil
	default:
	}
	c.last.cancelWork(context.Cause(rest))
	return fmt.Errorf("source %s: handlers were still running at the end of DrainTime (%v)", c.source, c.options.DrainTime)
}
