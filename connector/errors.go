package connector

import (
	"errors"
	"fmt"

	"github.com/vantiq-go/connectorsdk/protocol"
)

// Errors to be compared with [errors.Is].
var (
	// ErrClosed is returned by senders, WaitConnected and Run after the source connection has closed.
	ErrClosed = errors.New("the source connection is closed")

	// ErrNotConnected is returned by Go when there is no session, and by Query.Partial when the link was lost between two
	// parts of an answer.
	ErrNotConnected = errors.New("the source is not connected")

	// ErrOutboxFull is returned by SendNotification when there was no room in the outbox: at once with OutboxFull Fail,
	// else when the wait for room ended. If it was ctx that ended it, the error also wraps ctx.Err(). A Receipt returns it
	// when its notification was dropped to make room.
	ErrOutboxFull = errors.New("the outbox is full: Vantiq acknowledges notifications more slowly than they are sent")

	// ErrQueryAnswered is returned by everything that would answer a query a second time.
	ErrQueryAnswered = errors.New("the query has had its final answer")

	// ErrTooLarge is returned for a notification, or a single row, that does not fit into one message of MaxOutbound bytes.
	ErrTooLarge = errors.New("too large for one message")

	// ErrNotObject is returned for a notification or a row that is not a JSON object.
	ErrNotObject = errors.New("not a JSON object")

	// ErrRefused is returned by Flush and by a Receipt when Vantiq answered a notification with an error. It is not sent
	// again.
	ErrRefused = errors.New("Vantiq refused a notification")

	// ErrUndelivered is returned by Run when the connection ended with notifications that Vantiq had not acknowledged, and
	// by a Receipt when its notification was among them.
	ErrUndelivered = errors.New("notifications were not delivered")

	// ErrReconnectRequired is the cause with which Close is called when Vantiq asked for a new session.
	ErrReconnectRequired = errors.New("Vantiq asked to reconnect")

	// ErrAnswerLater is returned by a Query handler to say that the query will be answered from elsewhere. It frees the
	// handler's slot; the query's time limit stays.
	ErrAnswerLater = errors.New("the query will be answered later")
)

// Codes of the query errors that the SDK itself answers with. VAIL code may depend on them.
const (
	CodeHandlerError  = "connector.handlerError"  // the Query handler returned an error that is no QueryError
	CodePanic         = "connector.panic"         // the Query handler panicked
	CodeTimeout       = "connector.timeout"       // the query had no final answer within QueryTimeout
	CodeBusy          = "connector.busy"          // too many queries were waiting
	CodeNotConfigured = "connector.notConfigured" // the Connect handler has not accepted the source configuration, and returned no QueryError
	CodeNoHandler     = "connector.noHandler"     // there is no Query handler
	CodeInterrupted   = "connector.interrupted"   // the link was lost in the middle of the answer
	CodeShutdown      = "connector.shutdown"      // the connector is shutting down
	CodeTooLarge      = "connector.tooLarge"      // the query, or a row of its answer, is larger than a message may be
)

// QueryError is the error that a SELECT fails with: a code, a template with {0}, {1}, …, and its parameters.
type QueryError = protocol.QueryError

// StatusError is an error that Vantiq reported.
type StatusError = protocol.StatusError

// Permanent wraps an error of a Connect handler that trying again cannot cure, like a wrong source configuration. The
// handler is then not called again until Vantiq sends a new configuration. Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

// IsPermanent reports whether err, or what it wraps, is one of [Permanent]: of [DecodeConfig], say.
func IsPermanent(err error) bool {
	var permanent *permanentError
	return errors.As(err, &permanent)
}

// undelivered reports n notifications that a memory outbox still held when the process stopped caring.
func undelivered(source string, n int) error {
	return fmt.Errorf("source %s: %w: %d were still unacknowledged in the memory outbox and are lost; a longer DrainTime or a durable outbox keeps them",
		source, ErrUndelivered, n)
}
