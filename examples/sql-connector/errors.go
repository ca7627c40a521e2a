package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
)

// Codes of the errors that VAIL sees.
const (
	codeRefused     = "sql.error"       // the database refused the statement; parameters: its code (SQLSTATE), its message
	codeUnavailable = "sql.unavailable" // the database could not be reached, or went away; whether it did the work is not known
	codeTimeout     = "sql.timeout"     // a message or a poll took longer than the configured timeout; whether it was done is not known
	codeInterrupted = "sql.interrupted" // a message was cut short by the end of the session; whether it was done is not known
	codeBadRequest  = "sql.badRequest"  // a statement that the configuration does not know or allow, or wrong parameters
)

func refused(code, message string) error {
	return connector.QueryError{Code: codeRefused, Template: "{0}: {1}", Parameters: []any{code, message}}
}

// unavailable tells no more of a connection's error than its innermost cause: what is around it names host and user.
func unavailable(err error) error {
	return connector.QueryError{Code: codeUnavailable, Template: "the database is not available: {0}", Parameters: []any{innermost(err).Error()}}
}

func badRequest(format string, args ...any) error {
	return connector.QueryError{Code: codeBadRequest, Template: "{0}", Parameters: []any{fmt.Sprintf(format, args...)}}
}

// limited returns a context that ends after the timeout, with an error that says so as its cause.
func limited(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, timeout, connector.QueryError{
		Code: codeTimeout, Template: "the database took longer than {0}", Parameters: []any{timeout.String()}})
}

// innermost returns the error at the end of the chain, following the last of several.
func innermost(err error) error {
	for {
		if joined, ok := err.(interface{ Unwrap() []error }); ok && len(joined.Unwrap()) > 0 {
			err = joined.Unwrap()[len(joined.Unwrap())-1]
		} else if inner := errors.Unwrap(err); inner != nil {
			err = inner
		} else {
			return err
		}
	}
}

// A publishError is the notification of a published message that failed.
type publishError struct {
	PublishError struct {
		Code    string             `json:"code"`
		Text    string             `json:"text"`
		Message connector.Document `json:"message"`
	} `json:"publishError"`
}

func newPublishError(err error, message connector.Document) (p publishError) {
	e := connector.QueryError{Code: codeInterrupted, Template: "{0}", Parameters: []any{err.Error()}}
	_ = errors.As(err, &e)
	p.PublishError.Code, p.PublishError.Text, p.PublishError.Message = e.Code, e.Message(), message
	return p
}
