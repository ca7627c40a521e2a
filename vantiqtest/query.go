package vantiqtest

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/vantiq-go/connectorsdk/protocol"
)

// A query is a SELECT that waits for its final answer.
type query struct {
	sent     time.Time
	rows     []protocol.Document
	partials int
	err      error
	answered chan struct{} // closed by the final answer
}

// Query sends a query with the parameters, anything that marshals to a JSON object or nil for none, waits for the final
// answer, as SELECT does in VAIL, and returns the rows of all its responses. It fails
//
//   - with a [protocol.QueryError] if the connector answers with an error,
//   - as [Source.Publish] does, if nobody is connected,
//   - with an error that wraps that of ctx, if ctx ends first: neither VAIL nor the protocol has another way to learn
//     that a connector will not answer. An answer is taken from any later session as well.
func (s *Source) Query(ctx context.Context, parameters any) ([]protocol.Document, error) {
	document, err := optionalDocument(parameters)
	if err != nil {
		return nil, fmt.Errorf("vantiqtest: query of source %s: parameters: %w", s.name, err)
	}
	l := s.Link()
	if l == nil {
		return nil, s.notFound("query")
	}
	address := newReplyAddress()
	q := &query{sent: time.Now(), answered: make(chan struct{})}
	s.expect(address, q)
	defer s.forget(address)
	sent := func() {
		s.server.event(l.eventOf(Event{Kind: QuerySent, ReplyAddress: address, Body: document.Raw()}))
	}
	if err := l.writer.sendWithin(ctx, protocol.AppendQuery(nil, s.name, address, document), sent); err != nil {
		return nil, s.sent("query", err)
	}
	select {
	case <-q.answered:
		return q.rows, q.err
	case <-ctx.Done():
		err = ctx.Err()
	case <-s.server.closing:
		err = errServerClosed
	}
	return nil, s.abandon(address, q, err)
}

func optionalDocument(value any) (protocol.Document, error) {
	if value == nil {
		return protocol.Document{}, nil
	}
	return protocol.NewDocument(value)
}

func (s *Source) expect(address protocol.ReplyAddress, q *query) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queries[address] = q
}

func (s *Source) forget(address protocol.ReplyAddress) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.queries, address)
}

// abandon describes a query that was not answered in time.
func (s *Source) abandon(address protocol.ReplyAddress, q *query, cause error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.server.event(Event{Kind: QueryAbandoned, Source: s.name, ReplyAddress: address, Duration: time.Since(q.sent), Err: cause})
	took := time.Since(q.sent).Round(time.Millisecond)
	return fmt.Errorf("vantiqtest: query of source %s got no final answer within %s (partial responses: %d, rows in them: %d): %w",
		s.name, took, q.partials, len(q.rows), cause)
}

// A StrayResponse is a response for which no query waits: a second final answer, one that came after its query's
// context had ended, or one to an address that never was.
type StrayResponse struct {
	Time     time.Time
	Link     uint64
	Response protocol.Response
}

// Stray returns the last 4,096 responses for which no query waited, oldest first. If every query has returned rows or a
// [protocol.QueryError] and Stray is empty, then every query has had exactly one final answer.
func (s *Source) Stray() []StrayResponse {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stray.all()
}

// response takes a connector's response to a query.
func (l *Link) response(r *protocol.Response) {
	s := l.Source()
	if s == nil {
		l.unexpected(errors.New("a response came before the connect was accepted"))
		return
	}
	if r.Status == 0 {
		err := errors.New("a message has neither op nor status")
		l.malformed(Event{ReplyAddress: r.ReplyAddress, Err: err})
		return
	}
	s.answer(l, r)
	if s.acknowledgesResponses() {
		s.acknowledge(l)
	}
}

func (s *Source) answer(l *Link, r *protocol.Response) {
	s.mu.Lock()
	defer s.mu.Unlock()
	event := l.eventOf(Event{Kind: StrayReceived, ReplyAddress: r.ReplyAddress, Status: r.Status, Body: r.Body})
	q := s.queries[r.ReplyAddress]
	switch {
	case q == nil:
		event.Err = strayness(r.ReplyAddress)
		s.stray.add(StrayResponse{Time: time.Now(), Link: l.id, Response: *r})
	case r.Partial():
		event.Kind, event.Duration = PartialReceived, time.Since(q.sent)
		q.partials++
		q.take(r)
	default:
		event.Kind, event.Duration = FinalReceived, time.Since(q.sent)
		delete(s.queries, r.ReplyAddress)
		q.finish(r)
		event.Err = q.err
		close(q.answered)
	}
	s.server.event(event)
}

// strayness says why no query waits for a response.
func strayness(address protocol.ReplyAddress) error {
	if address == "" {
		return errors.New("it has no X-Reply-Address in its headers")
	}
	return fmt.Errorf("its X-Reply-Address %.100q is of no query that waits", string(address))
}

// finish completes the query. Whether Vantiq delivers rows that precede an error is not known: this server does not.
func (q *query) finish(r *protocol.Response) {
	if failed := r.Err(); failed != nil {
		q.rows, q.err = nil, failed
		if e, err := protocol.ParseQueryError(r.Body); err == nil && e.Code != "" {
			q.err = e
		}
		return
	}
	if r.Status != protocol.CodeEmpty {
		q.take(r)
	}
}

// take adds the rows of a response: its body is one row, or a list of them.
func (q *query) take(r *protocol.Response) {
	var rows []protocol.Document
	if json.Unmarshal(r.Body, &rows) == nil {
		q.rows = append(q.rows, rows...)
		return
	}
	var row protocol.Document
	if len(r.Body) > 0 && json.Unmarshal(r.Body, &row) == nil {
		q.rows = append(q.rows, row)
	}
}

// newReplyAddress returns a UUID, which is what Vantiq uses.
func newReplyAddress() protocol.ReplyAddress {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return protocol.ReplyAddress(fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]))
}
