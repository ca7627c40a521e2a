package interop

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/gorilla/websocket"
)

// Limits of the SDK for Python.
const (
	pythonPing      = 20 * time.Second // with sendPings
	pythonBackoff   = 500 * time.Millisecond
	pythonStatuses  = 10      // before the configuration; with one more the connect has failed
	pythonMaxLength = 1 << 20 // of a message from Vantiq
	pythonAgent     = "Python/3.11 websockets/15.0.1"
)

// A Python is a connector on the official SDK for Python, with sendPings=true. It sends text messages and understands both
// kinds. Every session has a socket of its own, on which it authenticates again: also after a reconnectRequired. It ignores
// acknowledgements. Handlers run on the goroutine that reads.
type Python struct {
	Target

	behaviour Behaviour
	failures  int
}

// Run connects and serves, again and again, until ctx ends or the token is rejected. After a refused connect, a
// reconnectRequired and a close with 1000 or 1001 it comes back at once; after anything else it waits half a second for
// each failure since the last of those.
func (p *Python) Run(ctx context.Context) error {
	for {
		err := p.Attempt(ctx)
		var rejected *RejectedError
		switch {
		case errors.As(err, &rejected):
			return err
		case ctx.Err() != nil:
			return nil //nolint:nilerr // the socket has failed because it was to end
		case err == nil:
			p.failures = 0
		default:
			p.failures++
			pause(ctx, time.Duration(p.failures)*pythonBackoff)
		}
	}
}

// Attempt is the life of one socket. It returns nil where the SDK comes back at once.
func (p *Python) Attempt(ctx context.Context) error {
	s, err := p.dial(ctx, websocket.TextMessage, pythonAgent)
	if err != nil {
		return err
	}
	s.ws.SetReadLimit(pythonMaxLength)
	alive, end := context.WithCancel(ctx)
	kept := make(chan struct{})
	go func() {
		defer close(kept)
		s.keepAlive(alive, pythonPing, pythonPing)
	}()
	stop := context.AfterFunc(ctx, s.leave)
	defer func() {
		stop()
		s.leaveAnswered()
		end()
		<-kept
	}()
	config, err := p.handshake(s)
	if err != nil || config == "" {
		return err
	}
	defer p.behaviour.ended()
	for _, event := range p.behaviour.configured(config) {
		if err := s.send(pythonNotification(p.Source, event)); err != nil {
			return err
		}
	}
	return p.serve(s)
}

// handshake returns the configuration, or none after a refusal.
func (p *Python) handshake(s *socket) (config string, err error) {
	if err := s.send(pythonValidate(p.Token)); err != nil {
		return "", err
	}
	answer, err := p.receive(s)
	if err != nil {
		return "", err
	}
	if answer.Status != nil && *answer.Status != 200 {
		return "", rejected(answer)
	}
	if err := s.send(pythonConnect(p.Source, p.Secret)); err != nil {
		return "", err
	}
	for range pythonStatuses + 1 {
		answer, err := p.receive(s)
		if err != nil {
			return "", err
		}
		switch {
		case answer.refusal() != "":
			return "", nil
		case answer.is("configureExtension") && answer.config() != "":
			return answer.config(), nil
		case answer.Op != nil:
			return "", fmt.Errorf("interop: %s instead of a configuration", *answer.Op)
		}
	}
	return "", errors.New("interop: too many statuses before the configuration")
}

// rejected returns the error after which the SDK gives up. It needs a code and a message: an answer without them raises
// something else, and it tries again.
func rejected(answer *heard) error {
	var details []struct {
		Code    *string `json:"code"`
		Message *string `json:"message"`
	}
	if json.Unmarshal(answer.Body, &details) != nil || len(details) == 0 || details[0].Code == nil || details[0].Message == nil {
		return errors.New("interop: the token was rejected without a code and a message")
	}
	return &RejectedError{fmt.Sprintf("%d :: %s:%s", *answer.Status, *details[0].Code, *details[0].Message)}
}

func (p *Python) receive(s *socket) (*heard, error) {
	_, frame, err := s.ws.ReadMessage()
	if err != nil {
		return nil, err
	}
	message := new(heard)
	return message, json.Unmarshal(frame, message)
}

// serve does what Vantiq says until it wants a new session, which is no error, or the socket ends.
func (p *Python) serve(s *socket) error {
	for {
		message, err := p.receive(s)
		switch code := closedWith(err); {
		case code == websocket.CloseNormalClosure || code == websocket.CloseGoingAway:
			return nil
		case err != nil:
			return err
		case message.is("reconnectRequired"):
			return nil
		case message.is("publish"):
			err = s.send(pythonNotification(p.Source, p.behaviour.published(string(message.Object))))
		case message.is("query"):
			err = p.answer(s, message)
		}
		if err != nil {
			return err
		}
	}
}

// answer answers a query. One without a reply address raises in the SDK, and is forgotten.
func (p *Python) answer(s *socket, query *heard) error {
	answers, err := p.behaviour.answers(string(query.Object))
	if err != nil || query.MessageHeaders.ReplyAddress == nil {
		return nil //nolint:nilerr // the SDK logs what a handler raises, and goes on
	}
	for _, a := range answers {
		if err := s.send(pythonResponse(*query.MessageHeaders.ReplyAddress, a)); err != nil {
			return err
		}
	}
	return nil
}
