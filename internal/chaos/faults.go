package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// A fault is something that goes wrong at a source. Its number and duration, in milliseconds, are drawn from n and d.
type fault struct {
	name   string
	weight int
	n, d   bounds
	strike func(ctx context.Context, s *source, k strike) outcome
}

type bounds struct{ from, to int }

// An outcome says what became of a strike. An ambush counts when it is sprung.
type outcome int

const (
	missed outcome = iota // there was no session to strike
	struck
	laid
)

// faults are all that happen to one source. Restart happens to all of them, and child.go has what happens to a process.
func faults() []fault {
	list := []fault{
		{"drop: FIN", 3, bounds{}, bounds{}, drop(vantiqtest.FIN)},
		{"drop: RST", 3, bounds{}, bounds{}, drop(vantiqtest.RST)},
		{"drop: half open", 3, bounds{}, bounds{0, 1500}, halfOpen},

		{"stall: the server does not read", 4, bounds{}, bounds{100, 4000}, hold((*vantiqtest.Link).HoldReads, true)},
		{"stall: the server does not write", 4, bounds{}, bounds{100, 4000}, hold((*vantiqtest.Link).HoldWrites, false)},
		{"stall: no pongs", 4, bounds{}, bounds{500, 5000}, hold((*vantiqtest.Link).HoldPongs, false)},
		{"trickle", 6, bounds{1, 8}, bounds{200, 2000}, trickle},

		{"handshake: upgrade 502", 2, bounds{1, 2}, bounds{}, ambushed(ambush{point: atUpgrade, status: http.StatusBadGateway})},
		{"handshake: upgrade 404", 2, bounds{1, 2}, bounds{}, ambushed(ambush{point: atUpgrade, status: http.StatusNotFound})},
		{"handshake: upgrade slow", 2, bounds{}, bounds{100, 2500}, ambushed(ambush{point: atUpgrade})},
		{"handshake: upgrade silent", 1, bounds{}, bounds{3000, 5000}, ambushed(ambush{point: atUpgrade, silent: true})},
		{"handshake: validate slow", 2, bounds{}, bounds{100, 2500}, ambushed(ambush{point: atValidate})},
		{"handshake: validate silent", 1, bounds{}, bounds{}, ambushed(ambush{point: atValidate, silent: true})},
		{"handshake: validate 503", 1, bounds{}, bounds{}, ambushed(ambush{point: atValidate, answer: statusOf(503, "busy")})},
		{"handshake: configuration slow", 2, bounds{}, bounds{100, 2500}, ambushed(ambush{point: atConnect})},
		{"handshake: configuration never", 1, bounds{}, bounds{}, ambushed(ambush{point: atConnect, silent: true})},
		{"handshake: statuses first", 2, bounds{1, 12}, bounds{}, ambushed(ambush{point: atConnect})},
		{"handshake: cut", 1, bounds{}, bounds{}, ambushed(ambush{point: atConnect, drop: vantiqtest.FIN})},
		{"refused: reactivating", 3, bounds{1, 6}, bounds{}, ambushed(ambush{point: atConnect, answer: reactivating})},
		{"refused: already connected", 2, bounds{1, 2}, bounds{}, ambushed(ambush{point: atConnect, answer: statusOf(409, "the source has a connector already")})},
		{"refused: otherwise", 1, bounds{1, 2}, bounds{}, ambushed(ambush{point: atConnect, answer: statusOf(500, "out of order")})},

		{"session: reconnectRequired", 4, bounds{1, 1}, bounds{}, reconnectRequired},
		{"session: reconnectRequired burst", 2, bounds{2, 12}, bounds{}, reconnectRequired},
		{"session: reconfigured", 3, bounds{0, 3}, bounds{}, reconfigured},
		{"session: configuration inside", 3, bounds{}, bounds{}, sent(func(s *source, n int) string {
			return string(protocol.AppendConfigureExtension(nil, s.source, document(n)))
		})},
		{"session: configuration missing", 1, bounds{}, bounds{}, sent(func(s *source, _ int) string {
			return `{"op":"configureExtension","resourceName":"sources","resourceId":"` + s.source + `","object":{}}`
		})},
		{"session: usurped", 2, bounds{}, bounds{20, 1500}, usurped},

		{"acknowledgements: withheld", 3, bounds{}, bounds{200, 6000}, acknowledged(vantiqtest.Acknowledgements{Withheld: true})},
		{"acknowledgements: withheld for long", 1, bounds{}, bounds{10000, 12000}, acknowledged(vantiqtest.Acknowledgements{Withheld: true})},
		{"acknowledgements: late", 4, bounds{1, 20}, bounds{200, 4000}, late},
		{"acknowledgements: lost", 1, bounds{}, bounds{20, 1000}, lost},
		{"acknowledgements: doubled", 2, bounds{}, bounds{100, 2000}, doubled},
		{"acknowledgements: an error", 5, bounds{0, 12}, bounds{}, refuseNotification},
		{"acknowledgements: a stray error", 2, bounds{}, bounds{}, strayError},

		{"malformed message", 6, bounds{0, len(malformed) - 1}, bounds{}, sent(func(_ *source, n int) string { return malformed[n] })},
	}
	for _, code := range []int{1000, 1001, 1008, 1011, 1012} {
		list = append(list, fault{fmt.Sprintf("drop: close code %d", code), 2, bounds{}, bounds{}, drop(vantiqtest.Drop(code))})
	}
	return list
}

// malformed messages must be skipped. None is a status: that would be an acknowledgement.
var malformed = []string{
	``, `{`, `[]`, `"text"`, `null`, `{}`, `{"status":"200"}`, `{"op":null}`, `{"op":7}`, `{"op":"pubish","object":{}}`,
	`{"op":"query","object":{}}`, `{"status":{}}`, "\xff\xfe", `{"a":` + strings.Repeat("[", 5000), strings.Repeat(" ", 100000),
}

var reactivating = statusOf(404, "the source does not have an associated stream")

func statusOf(status int, message string) string {
	return string(protocol.AppendStatusError(nil, &protocol.StatusError{Status: status, Details: []protocol.Detail{{Code: "chaos", Message: message}}}))
}

func document(version int) protocol.Document {
	d, _ := protocol.NewDocument(map[string]any{"version": version}) // it always is one
	return d
}

// recovery is how long a link that was held up needs until nothing of that is left.
const recovery = 300 * time.Millisecond

func drop(how vantiqtest.Drop) func(context.Context, *source, strike) outcome {
	return func(ctx context.Context, s *source, _ strike) outcome {
		l := s.link(ctx)
		if l == nil {
			return missed
		}
		s.hurt()
		l.Drop(how)
		return struck
	}
}

func halfOpen(ctx context.Context, s *source, k strike) outcome {
	if s.link(ctx) == nil {
		return missed
	}
	s.hurt()
	s.cable.latest.Load().sever(k.d)
	return struck
}

// hold holds something for a while. What the connector sends meanwhile may get lost if that hurts.
func hold(hold func(*vantiqtest.Link, bool), hurts bool) func(context.Context, *source, strike) outcome {
	return func(ctx context.Context, s *source, k strike) outcome {
		l := s.link(ctx)
		if l == nil {
			return missed
		}
		if hurts {
			defer s.hurt()()
		}
		hold(l, true)
		_ = sleep(ctx, k.d)
		hold(l, false)
		_ = sleep(context.Background(), recovery)
		return struck
	}
}

func trickle(ctx context.Context, s *source, k strike) outcome {
	if s.link(ctx) == nil {
		return missed
	}
	defer s.hurt()()
	s.cable.drip.Store(&drip{bytes: k.n, in: k.coin || k.n > 4, out: !k.coin || k.n > 4})
	_ = sleep(ctx, k.d)
	s.cable.drip.Store(nil)
	_ = sleep(context.Background(), recovery)
	return struck
}

// ambushed lays an ambush at a handshake, and makes the connector come that way.
func ambushed(a ambush) func(context.Context, *source, strike) outcome {
	return func(_ context.Context, s *source, k strike) outcome {
		a := a
		a.fault, a.delay, a.times = k.fault.name, k.d, k.n
		if a.point == atConnect && a.answer == "" {
			a.before, a.times = k.n, 1
		}
		s.lay(a)
		switch l := s.at.Link(); {
		case l == nil: // it is on its way
		case a.point == atConnect && k.coin:
			s.at.RequireReconnect()
		default:
			s.hurt()
			l.Drop(vantiqtest.FIN)
		}
		return laid
	}
}

func reconnectRequired(ctx context.Context, s *source, k strike) outcome {
	l := s.link(ctx)
	if l == nil {
		return missed
	}
	s.at.RequireReconnect()
	for range k.n - 1 {
		l.Send(string(protocol.AppendReconnectRequired(nil, s.source)))
	}
	return struck
}

func reconfigured(ctx context.Context, s *source, k strike) outcome {
	if s.link(ctx) == nil {
		return missed
	}
	if k.n > 0 {
		s.lay(ambush{fault: "refused: reactivating", point: atConnect, answer: reactivating, times: k.n})
	}
	s.at.Reconfigure(document(k.n))
	return struck
}

// sent sends a text to the connector, whatever it says.
func sent(text func(s *source, n int) string) func(context.Context, *source, strike) outcome {
	return func(ctx context.Context, s *source, k strike) outcome {
		if s.link(ctx) == nil || s.at.SendRaw(text(s, k.n)) != nil {
			return missed
		}
		return struck
	}
}

// usurped lets somebody who knows the secret take the source for a moment.
func usurped(ctx context.Context, s *source, k strike) outcome {
	if s.link(ctx) == nil {
		return missed
	}
	ws, response, err := websocket.DefaultDialer.DialContext(ctx, "ws"+strings.TrimPrefix(s.chaos.server.URL(), "http")+"/api/v1/wsock/websocket", nil)
	if response != nil {
		_ = response.Body.Close()
	}
	if err != nil {
		return missed
	}
	defer func() { _ = ws.Close() }()
	s.hurt()
	for _, message := range [][]byte{
		protocol.AppendValidate(nil, protocol.Secret(s.chaos.server.Token())),
		protocol.AppendConnectExtension(nil, s.source, s.secret),
	} {
		if ws.WriteMessage(websocket.TextMessage, message) != nil {
			return missed
		}
	}
	_ = ws.SetReadDeadline(time.Now().Add(k.d))
	for err == nil && ctx.Err() == nil { // whatever comes is lost
		_, _, err = ws.ReadMessage()
	}
	return struck
}

func acknowledged(a vantiqtest.Acknowledgements) func(context.Context, *source, strike) outcome {
	return func(ctx context.Context, s *source, k strike) outcome {
		if s.link(ctx) == nil {
			return missed
		}
		s.at.SetAcknowledgements(a)
		_ = sleep(ctx, k.d)
		s.at.SetAcknowledgements(vantiqtest.Acknowledgements{})
		return struck
	}
}

func late(ctx context.Context, s *source, k strike) outcome {
	if s.link(ctx) == nil {
		return missed
	}
	s.at.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
	for end := time.Now().Add(k.d); time.Now().Before(end) && sleep(ctx, 50*time.Millisecond) == nil; {
		s.at.ReleaseAcknowledgements(k.n)
	}
	s.at.SetAcknowledgements(vantiqtest.Acknowledgements{})
	return struck
}

// lost acknowledgements make the connector count behind, so that an error would be taken for another's: the source
// recovers before anything else happens to it.
func lost(ctx context.Context, s *source, k strike) outcome {
	outcome := acknowledged(vantiqtest.Acknowledgements{None: true})(ctx, s, k)
	if outcome == struck {
		s.recount(ctx)
	}
	return outcome
}

// doubled acknowledgements make the connector count ahead: what is under way counts as acknowledged, and is lost if the
// link breaks meanwhile, which nobody can know. So nothing else happens to the source until it has recovered.
func doubled(ctx context.Context, s *source, k strike) outcome {
	s.chaos.fragile.RLock()
	defer s.chaos.fragile.RUnlock()
	s.setDoubling(true)
	defer s.setDoubling(false)
	outcome := acknowledged(vantiqtest.Acknowledgements{Twice: true})(ctx, s, k)
	if outcome == struck {
		s.recount(ctx)
	}
	return outcome
}

// recount lets nothing be sent until all is acknowledged, so that connector and server count alike again.
func (s *source) recount(ctx context.Context) {
	s.valve.shut()
	defer s.valve.open()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end) && s.chaos.running.Err() == nil; {
		if s.conn.Stats().Queued == 0 && s.delivered() == nil {
			break
		}
		_ = sleep(s.chaos.running, 20*time.Millisecond)
	}
	_ = sleep(ctx, recovery)
}

// settleTime is longer than the SDK waits after an error status, to know what it meant.
const settleTime = 2500 * time.Millisecond

func refuseNotification(ctx context.Context, s *source, k strike) outcome {
	if s.link(ctx) == nil {
		return missed
	}
	sprung := make(chan struct{})
	s.lay(ambush{fault: k.fault.name, point: atNotification, skip: k.n, answer: statusOf(400, "not this one"), sprung: sprung})
	timer := time.NewTimer(settleTime)
	defer timer.Stop()
	select {
	case <-sprung:
		_ = sleep(s.chaos.running, settleTime)
	case <-timer.C:
		s.disarm()
	case <-ctx.Done():
		s.disarm()
	}
	return laid
}

func strayError(ctx context.Context, s *source, k strike) outcome {
	outcome := sent(func(*source, int) string { return statusOf(500, "nobody knows what this belongs to") })(ctx, s, k)
	_ = sleep(s.chaos.running, settleTime)
	return outcome
}

// betweenOutages is the mean time between two restarts of the server.
const betweenOutages = 15 * time.Second

var outageKinds = []vantiqtest.Drop{1001, 1012, vantiqtest.FIN, vantiqtest.RST}

// unread is how long a server that will stop has read nothing: what the connectors send meanwhile is lost.
const unread = 200 * time.Millisecond

// restart stops the whole server for a moment.
func restart(ctx context.Context, server *source, k strike) outcome {
	c := server.chaos
	c.fragile.Lock()
	defer c.fragile.Unlock()
	for _, s := range c.sources {
		s.hurt()
		s.note("fault: the server stops: %v", outageKinds[k.n])
		if l := s.at.Link(); l != nil && k.coin {
			l.HoldReads(true)
		}
	}
	if k.coin {
		_ = sleep(ctx, unread)
	}
	c.server.Stop(outageKinds[k.n])
	_ = sleep(ctx, k.d)
	c.server.Start()
	return struck
}

// play lets the faults of a plan strike until the run has come to end, which ctx may cut short.
func (s *source) play(ctx context.Context, p *plan, began time.Time, from, end time.Duration) {
	defer s.disarm()
	for {
		k := p.peek()
		if k.at >= end || ctx.Err() != nil {
			return
		}
		p.take()
		due := began.Add(k.at - from)
		if sleep(ctx, time.Until(due)) != nil {
			return
		}
		if time.Since(due) > tooLate {
			s.chaos.faults.missed(k.fault.name)
			continue
		}
		s.note("fault: %s n=%d d=%v", k.fault.name, k.n, k.d)
		switch k.fault.strike(ctx, s, k) {
		case struck:
			s.chaos.faults.struck(k.fault.name)
		case missed:
			s.note("fault: missed")
			s.chaos.faults.missed(k.fault.name)
		case laid:
		}
	}
}

// tooLate is how far a strike may be behind its time, because the one before took long.
const tooLate = 10 * time.Second

// A tally counts faults by name.
type tally struct {
	mu     sync.Mutex
	counts map[string]int
	misses int
}

func (t *tally) struck(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.counts == nil {
		t.counts = map[string]int{}
	}
	t.counts[name]++
}

func (t *tally) missed(string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.misses++
}
