package vantiqtest

import (
	"context"
	"errors"

	"github.com/vantiq-go/connectorsdk/protocol"
)

// Notification waits for the next notification that nobody has taken yet, and takes it.
func (s *Source) Notification(ctx context.Context) (event protocol.Document, err error) {
	err = s.await(ctx, "a notification", func() bool {
		if len(s.inbox) == 0 {
			return false
		}
		event = s.inbox[0]
		s.inbox[0] = protocol.Document{}
		s.inbox = s.inbox[1:]
		return true
	})
	return event, err
}

// Notifications takes all notifications that are there, in the order in which they came. It does not wait. What nobody
// takes is kept: a long run that does not want them discards them by HandleNotifications.
func (s *Source) Notifications() []protocol.Document {
	s.mu.Lock()
	defer s.mu.Unlock()
	events := s.inbox
	s.inbox = nil
	return events
}

// HandleNotifications hands each notification from now on to handle, instead of keeping it for [Source.Notification];
// nil ends that. Handle runs on the goroutine that reads the link, before the notification is acknowledged.
func (s *Source) HandleNotifications(handle func(event protocol.Document)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deliver = handle
}

// notification takes a notification, and acknowledges it.
func (l *Link) notification(m *protocol.Notification) {
	s := l.Source()
	if s == nil {
		l.unexpected(errors.New("a notification came before the connect was accepted"))
		return
	}
	if l.server.observed() {
		l.server.event(l.eventOf(Event{Kind: NotificationReceived, Body: m.Event.Raw()}))
	}
	deliver, kept := s.keep(l, m.Event)
	if !kept {
		return // and not acknowledged, or it would not come again
	}
	if deliver != nil {
		deliver(m.Event)
	}
	s.acknowledge(l) // to a link that has ended nothing is sent
}

// keep puts a notification into the inbox, or returns the function that is to have it. What still arrives from a link
// that has ended is forgotten once the next session has begun: it will come again, and between the notifications of the
// new session it would seem to be out of order.
func (s *Source) keep(l *Link, event protocol.Document) (deliver func(protocol.Document), kept bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.latest != l && l.ctx.Err() != nil {
		return nil, false
	}
	if s.deliver == nil {
		s.inbox = append(s.inbox, event)
		s.changes.wake()
	}
	return s.deliver, true
}
