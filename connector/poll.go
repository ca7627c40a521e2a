package connector

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// firstRetry is how long after its first failure a poll is called again, if its interval is not shorter.
const firstRetry = time.Second

// Poll calls poll at once and then every interval, for as long as the current session lasts: in the background, as work
// that was started with [SourceConnection.Go], with the same context. Interval counts from one call to the next, with a
// tenth of it more or less, so that many sources do not poll in step. There are never two calls at once: one that takes
// longer than interval delays the next.
//
// An error is logged, as a cause that repeats is: in full once, and then rarely. Poll is then called again after about a
// second, with waits that grow up to interval. [Permanent] ends the polling until the next session, and so does the end of
// ctx. Poll returns an error if interval is not positive, and [ErrNotConnected] when there is no session.
func (c *SourceConnection) Poll(interval time.Duration, poll func(ctx context.Context) error) error {
	if interval <= 0 {
		return fmt.Errorf("source %s: polling every %s: the interval must be positive", c.source, interval)
	}
	interval = min(interval, math.MaxInt64/2) // a tenth more of it is still a duration
	return c.Go(func(ctx context.Context) error {
		retries := backoff.NewExponentialBackOff(backoff.WithInitialInterval(min(firstRetry, interval)),
			backoff.WithMaxInterval(interval), backoff.WithRandomizationFactor(0.1), backoff.WithMaxElapsedTime(0))
		for {
			began := time.Now()
			err := c.call("poll", func() error { return poll(ctx) })
			wait := interval - interval/10 + upTo(1+interval/5) - time.Since(began)
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case IsPermanent(err):
				return fmt.Errorf("polling has ended until the next session: %w", err)
			case err == nil:
				retries.Reset()
			default:
				wait = min(retries.NextBackOff(), interval)
				if !isPanic(err) { // which has been logged
					c.causes.log(c.log, "a poll failed and will be tried again", err, "wait", wait.Round(time.Millisecond))
				}
			}
			if err := sleep(ctx, wait); err != nil {
				return err
			}
		}
	})
}
