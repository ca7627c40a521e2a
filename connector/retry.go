package connector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/vantiq-go/connectorsdk/internal/jsonscan"
)

// final reports whether an error ends the source connection. It is the one place that decides so:
//
//   - a rejected token is final: trying again with it can only lock the account. Statuses that speak of the moment and
//     not of the token (408, 429, 5xx) are not, nor is any HTTP status of the upgrade, which may come from a proxy.
//     With AuthTokenFile nothing is final: somebody renews that file.
//   - with FailOnConnectionError, every failure before the first session is.
//
// Everything else is tried again for ever: a name that does not resolve, a refused connection, TLS, a time-out, a source
// that does not exist or is taken. Somebody may mend it, and nobody may be there to start the connector again.
func (c *SourceConnection) final(err error) bool {
	var rejected *rejectedError
	if errors.As(err, &rejected) && c.options.AuthToken != "" {
		return true
	}
	return c.options.FailOnConnectionError && c.count.sessions.Load() == 0
}

// rejectedError says that Vantiq does not accept the auth token.
type rejectedError struct{ status *StatusError }

func (e *rejectedError) Error() string {
	return "Vantiq rejected the auth token: " + e.status.Error() + "; check authToken, or create a new access token in the source's namespace"
}

func (e *rejectedError) Unwrap() error { return e.status }

// rejectsToken reports whether a status in answer to validate means that the token is wrong.
func rejectsToken(status int) bool {
	return status >= 400 && status < 500 && status != http.StatusRequestTimeout && status != http.StatusTooManyRequests
}

// goodSession is how long a session must have lasted to prove that all is well.
const goodSession = 30 * time.Second

// An outage is the waiting policy: waits are uniform in (0, age/6), where age is the time since the last good session.
// They are short after a blip, long in a long outage, and never in step with those of other sources.
type outage struct{ since time.Time }

var _ backoff.BackOff = (*outage)(nil)

// NextBackOff returns the wait before the next link.
func (o *outage) NextBackOff() time.Duration {
	return upTo(o.clamp(500*time.Millisecond, 30*time.Second))
}

// Reset ends the outage.
func (o *outage) Reset() { o.since = time.Now() }

func (o *outage) clamp(low, high time.Duration) time.Duration {
	return min(max(time.Since(o.since)/6, low), high)
}

// gap is how far apart the connectExtensions of a source are at least while its sessions stay short.
func (o *outage) gap() time.Duration {
	longest := o.clamp(time.Second, 30*time.Second)
	return max(time.Second, longest/2+upTo(longest/2))
}

// upTo returns a random duration in (0, d].
func upTo(d time.Duration) time.Duration { return 1 + rand.N(d) }

// newReactivation returns the waits while the source is in its reactivation window: quick, as it lasts only for a
// moment, and growing from 0.1 to 1 second.
func newReactivation() backoff.BackOff {
	return backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(100*time.Millisecond), backoff.WithMaxInterval(time.Second),
		backoff.WithRandomizationFactor(0), backoff.WithMaxElapsedTime(0))
}

// causes logs a cause that repeats in full once, and then rarely. A few causes may take turns; of very many, as a hostile
// server can make them up, most are not logged. What is not logged is logged at Debug.
type causes struct {
	mu    sync.Mutex
	known map[string]*repeated
	lines int       // that were logged of late
	until time.Time // when they are forgotten
}

type repeated struct {
	count int
	next  time.Time // when it is worth a line again
}

const (
	repeatAfter = 10 * time.Minute
	maxCauses   = 16
	maxLines    = 64 // in that time
)

func (c *causes) log(log *slog.Logger, message string, cause error, attributes ...any) {
	c.logAt(slog.LevelWarn, log, message, cause, attributes...)
}

func (c *causes) logAt(level slog.Level, log *slog.Logger, message string, cause error, attributes ...any) {
	c.mu.Lock()
	key, now := message+"|"+essence(cause), time.Now()
	r := c.known[key]
	if r == nil {
		if c.known == nil || len(c.known) >= maxCauses {
			c.known = map[string]*repeated{}
		}
		r = &repeated{}
		c.known[key] = r
	}
	r.count++
	count, worth := r.count, !now.Before(r.next) && c.mayLog(now)
	if worth {
		r.next = now.Add(repeatAfter)
	}
	last := worth && c.lines == maxLines
	c.mu.Unlock()
	attributes = append(attributes, "error", cause)
	if count > 1 {
		attributes = append(attributes, "times", count)
	}
	if last {
		attributes = append(attributes, "hint", "many different ones have come; more are logged at Debug")
	}
	if !worth {
		level = slog.LevelDebug
	}
	log.Log(context.Background(), level, message, attributes...)
}

// mayLog reports whether there is a line left, and takes it.
func (c *causes) mayLog(now time.Time) bool {
	if now.After(c.until) {
		c.lines, c.until = 0, now.Add(repeatAfter)
	}
	if c.lines == maxLines {
		return false
	}
	c.lines++
	return true
}

// essence returns what is the same each time an error repeats: not the port of this side, not the place in a message.
func essence(err error) (text string) {
	text = err.Error()
	defer func() { _ = recover() }() // a nil pointer may be wrapped in err
	for inner := err; inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	if syntax, ok := err.(*jsonscan.SyntaxError); ok { //nolint:errorlint // err is the innermost already
		return fmt.Sprintf("%T", syntax)
	}
	return err.Error()
}
