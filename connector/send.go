package connector

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/vantiq-go/connectorsdk/protocol"
)

// SendNotification sends an event to Vantiq: it encodes message, which must be marshalled as a JSON object, puts it into
// the outbox and returns. What another codec has encoded may be an [Encoded]. A nil error means accepted: it will be
// delivered at least once and in order, across any number of links, until the process ends; with a durable outbox, also
// after that. It may be called from any goroutine, in every handler, and before Run.
//
// If the outbox is full, SendNotification does what OutboxFull says; by default it waits, and ctx bounds that wait and
// nothing else; in a Publish handler it also ends, with ErrOutboxFull, when more messages stand before the acknowledgements
// than can be held. Errors: [ErrNotObject], [ErrTooLarge], [ErrOutboxFull], [ErrClosed], what encoding
// message returned, or what the outbox did, like a full disk.
//
// Vantiq acknowledges a notification by a status without an id. That acknowledgements are counted is therefore all that
// the guarantee rests on, and a duplicate is possible after each loss of a link.
func (c *SourceConnection) SendNotification(ctx context.Context, message any) error {
	event, err := c.encodeEvent(message)
	if err != nil {
		return err
	}
	return c.out.accept(ctx, event, nil)
}

func (c *SourceConnection) encodeEvent(message any) (json.RawMessage, error) {
	var event json.RawMessage
	switch m := message.(type) {
	case Document: // nobody writes to it, nor to the next: they need not be copied
		event = m.Raw()
	case Encoded:
		event = json.RawMessage(m)
	default:
		text, err := protocol.AppendJSON(nil, message)
		if err != nil {
			return nil, fmt.Errorf("source %s: encoding a notification of type %T: %w", c.source, message, err)
		}
		event = text
	}
	if trimmed := bytes.TrimLeft(event, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '{' {
		return nil, fmt.Errorf("source %s: a notification of type %T: %w; send a struct or a map", c.source, message, ErrNotObject)
	}
	if size := len(c.out.prefix) + len(event) + 1; size > c.options.MaxOutbound {
		return nil, fmt.Errorf("source %s: a notification of %d bytes: %w of %d bytes; send it in parts, or raise MaxOutbound if the server's limit was raised", c.source, size, ErrTooLarge, c.options.MaxOutbound)
	}
	return event, nil
}

// Flush waits until Vantiq has acknowledged every notification accepted before the call, for as long as ctx lasts. It
// returns [ErrRefused], wrapping a [StatusError], if one of them was answered with an error. What DropOldest dropped
// counts as done. In a Publish handler it fails when more messages stand before the acknowledgements than can be held.
func (c *SourceConnection) Flush(ctx context.Context) error { return c.out.flush(ctx) }

// SendQueryResponse answers the open query with that reply address, as [Query.Partial] (code 100), [Query.Complete] (200)
// and [Query.Empty] (204) do. It returns [ErrQueryAnswered] if there is no such query, which is so after its final answer.
func (c *SourceConnection) SendQueryResponse(ctx context.Context, address protocol.ReplyAddress, code int, body any) error {
	q := c.in.find(address)
	if q == nil {
		return (&Query{c: c}).twice()
	}
	switch code {
	case protocol.CodePartial:
		return q.Partial(ctx, body)
	case protocol.CodeComplete:
		return q.Complete(ctx, body)
	case protocol.CodeEmpty:
		return q.Empty(ctx)
	}
	return fmt.Errorf("source %s: a query response with code %d: use 100 (partial), 200 (complete) or 204 (empty), and SendQueryError for an error", c.source, code)
}

// SendQueryError fails the open query with that reply address, as [Query.Fail] does. It returns [ErrQueryAnswered] if
// there is no such query.
func (c *SourceConnection) SendQueryError(ctx context.Context, address protocol.ReplyAddress, e QueryError) error {
	q := c.in.find(address)
	if q == nil {
		return (&Query{c: c}).twice()
	}
	return q.Fail(ctx, e)
}
