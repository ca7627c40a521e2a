package interop

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// Limits of the SDK for Java, and of the connectors on it.
const (
	javaWait        = 5 * time.Second
	javaPermits     = 5  // notifications that may wait for their acknowledgement
	javaReactivated = 10 // connects on one socket in a reactivation window
	javaAgent       = "okhttp/3.13.1"
)

// A Java is a connector on the official SDK for Java, with sendPings=true and autoReconnect, in the loop that every connector
// brings along. It sends binary messages and hears no others. After a reconnectRequired, and in the reactivation window, it
// connects again on the same socket. It neither answers a close frame nor notices it: a ping that fails ends the socket.
//
// At most five notifications wait for a status, and every status counts as an acknowledgement, whatever it says; what was
// outstanding when a socket ended is never given back. Publishes become notifications on a thread of the connector's own, as
// the SDK needs it.
type Java struct {
	Target
	Wait time.Duration // between two pings, for a pong, and before each connector's own loop dials again: with the SDK 5 s

	behaviour Behaviour

	mu      sync.Mutex
	permits int
	waiting []string // notifications
	socket  *socket  // nil while not connected
	work    chan struct{}
}

// NewJava returns a connector that has not connected yet.
func NewJava(target Target) *Java {
	return &Java{Target: target, Wait: javaWait, permits: javaPermits, work: make(chan struct{}, 1)}
}

// Run connects and serves, again and again, until ctx ends or the token is rejected.
func (j *Java) Run(ctx context.Context) error {
	sending, stop := context.WithCancel(ctx)
	var sender sync.WaitGroup
	sender.Go(func() { j.sendAll(sending) })
	defer sender.Wait()
	defer stop()
	for {
		err := j.attempt(ctx)
		var rejected *RejectedError
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.As(err, &rejected):
			return err
		}
		pause(ctx, j.Wait)
	}
}

// attempt is the life of one socket.
func (j *Java) attempt(ctx context.Context) error {
	s, err := j.dial(ctx, websocket.BinaryMessage, javaAgent)
	if err != nil {
		return err
	}
	s.ws.SetCloseHandler(func(int, string) error { return nil })
	stop := context.AfterFunc(ctx, s.leave)
	defer stop()
	var keeper sync.WaitGroup
	alive, end := context.WithCancel(ctx)
	keeper.Go(func() { s.keepAlive(alive, j.Wait, j.Wait) })
	err = j.serve(s)
	if closedWith(err) != 0 {
		keeper.Wait() // nobody reads, so no pong is seen
	}
	j.disconnected()
	end()
	_ = s.ws.Close()
	keeper.Wait()
	return err
}

// serve authenticates, connects and does what Vantiq says until the socket ends.
func (j *Java) serve(s *socket) error {
	if err := s.send(javaValidate(j.Token)); err != nil {
		return err
	}
	answer, err := j.receive(s)
	if err != nil {
		return err
	}
	if answer.Status == nil || *answer.Status != 200 {
		return &RejectedError{string(answer.Body)}
	}
	for {
		if err := j.connect(s); err != nil {
			return err
		}
		if err := j.session(s); err != nil {
			return err
		}
	}
}

// connect asks for the source until it is configured, on the same socket for as long as the source is being reactivated.
func (j *Java) connect(s *socket) error {
	for attempt := 1; ; attempt++ {
		if err := s.send(javaConnect(j.Source, j.Secret)); err != nil {
			return err
		}
		answer, err := j.receive(s)
		for err == nil && answer.Op == nil && answer.refusal() == "" {
			j.acknowledged() // also a status that acknowledges nothing
			answer, err = j.receive(s)
		}
		switch {
		case err != nil:
			return err
		case answer.is("configureExtension"):
			j.connected(s, answer.config())
			return nil
		case attempt == javaReactivated || !strings.Contains(answer.refusal(), "does not have an associated stream"):
			return fmt.Errorf("interop: the connect was refused: %s", answer.refusal())
		}
	}
}

// session does what Vantiq says. It returns nil for a reconnectRequired.
func (j *Java) session(s *socket) error {
	for {
		message, err := j.receive(s)
		switch {
		case err != nil:
			return err
		case message.is("reconnectRequired"):
			j.disconnected()
			return nil
		case message.is("publish"):
			j.notify(j.behaviour.published(string(message.Object)))
		case message.is("query"):
			err = j.answer(s, message)
		case message.Op == nil:
			j.acknowledged()
		}
		if err != nil {
			return err
		}
	}
}

// receive returns the next binary message. Text is not heard.
func (j *Java) receive(s *socket) (*heard, error) {
	for {
		kind, frame, err := s.ws.ReadMessage()
		if err != nil {
			return nil, err
		}
		if kind != websocket.BinaryMessage {
			continue
		}
		message := new(heard)
		return message, json.Unmarshal(frame, message)
	}
}

func (j *Java) answer(s *socket, query *heard) error {
	answers, err := j.behaviour.answers(string(query.Object))
	if err != nil || query.MessageHeaders.ReplyAddress == nil {
		return nil //nolint:nilerr // the SDK logs what a handler throws, and goes on
	}
	for _, a := range answers {
		if err := s.send(javaAnswer(*query.MessageHeaders.ReplyAddress, a)); err != nil {
			return err
		}
	}
	return nil
}

func (j *Java) connected(s *socket, config string) {
	j.mu.Lock()
	j.socket = s
	j.waiting = append(j.behaviour.configured(config), j.waiting...)
	j.mu.Unlock()
	j.wake()
}

// disconnected ends the session, if there is one.
func (j *Java) disconnected() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.socket != nil {
		j.behaviour.ended()
	}
	j.socket = nil
}

func (j *Java) notify(event string) {
	j.mu.Lock()
	j.waiting = append(j.waiting, event)
	j.mu.Unlock()
	j.wake()
}

func (j *Java) acknowledged() {
	j.mu.Lock()
	j.permits++
	j.mu.Unlock()
	j.wake()
}

func (j *Java) wake() {
	select {
	case j.work <- struct{}{}:
	default:
	}
}

// sendAll sends notifications while there are permits, until ctx ends.
func (j *Java) sendAll(ctx context.Context) {
	for {
		select {
		case <-j.work:
		case <-ctx.Done():
			return
		}
		for {
			s, event := j.next()
			if s == nil {
				break
			}
			_ = s.send(javaNotification(j.Source, event)) // what cannot be sent is lost
		}
	}
}

// next takes a notification and a permit, or returns nil.
func (j *Java) next() (*socket, string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.socket == nil || j.permits == 0 || len(j.waiting) == 0 {
		return nil, ""
	}
	event := j.waiting[0]
	j.waiting = j.waiting[1:]
	j.permits--
	return j.socket, event
}
