package doctor

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/vantiq-go/connectorsdk/internal/dial"
	"github.com/vantiq-go/connectorsdk/protocol"
)

// presentToken asks whether the token is accepted.
func (x *examination) presentToken(ctx context.Context, s *Step, l *link) {
	wait, cancel := x.patience(ctx)
	defer cancel()
	began := time.Now()
	refused, err := l.validate(wait, x.token)
	switch {
	case err == nil && refused == nil:
		s.ok("in " + short(time.Since(began)))
	case timedOut(err):
		s.fail("no answer to the token within "+x.Timeout.String(), "the WebSocket is open, but nobody answers on it: "+dial.NotVantiq)
	case err != nil:
		s.fail(x.lost(err), "a connector tries again; if it stays so: "+dial.NotVantiq)
	case ofTheMoment(refused.Status):
		s.fail("Vantiq answered with "+x.refusal(refused).Error(), "that is not about the token: try again later, a connector does")
	default:
		s.fail("Vantiq rejected the token: "+x.refusal(refused).Error(),
			"check authToken, or create a new access token in the source's namespace; one of another server is of no use here")
	}
}

// ofTheMoment reports whether a status in answer to the token says nothing about the token; a connector tries again then.
func ofTheMoment(status int) bool {
	return status < 400 || status >= 500 || status == http.StatusRequestTimeout || status == http.StatusTooManyRequests
}

// lost says how a link was lost.
func (x *examination) lost(err error) string {
	var alien *alienError
	switch text := x.farewell(err); {
	case text != "":
		return text
	case errors.As(err, &alien):
		return "the server says something that is not the protocol: " + x.foreign(alien.Error())
	}
	return "the link was lost: " + x.reason(err)
}

// connectSources tries each source on a link of its own, as a connector does, beginning with l.
func (x *examination) connectSources(ctx context.Context, l *link) {
	for i, source := range x.sources {
		if ctx.Err() != nil {
			x.say(Step{ID: Source, Source: source, Status: Skipped, Detail: "not reached"})
			continue
		}
		x.stepOf(ctx, Source, source, func(ctx context.Context, s *Step) {
			if i > 0 {
				var err error
				if l, err = x.linkAgain(ctx); err != nil { // l is nil
					s.fail("there was no link for it: "+x.reason(err), "try again; a connector opens one link for each source, too")
					return
				}
			}
			x.connectSource(ctx, s, l, source)
		})
		l.leave()
	}
}

// linkAgain takes all the steps to a link on which the token has been accepted.
func (x *examination) linkAgain(ctx context.Context) (*link, error) {
	wait, cancel := x.patience(ctx)
	defer cancel()
	c, err := x.dialer.Connect(wait, x.dialer.Address())
	if err != nil {
		return nil, err
	}
	_ = c.SetDeadline(time.Time{})
	if x.dialer.Target.Scheme == "wss" {
		if c, err = x.dialer.Secure(wait, c); err != nil {
			return nil, err
		}
	}
	l, _, err := x.upgrade(wait, c)
	if err != nil {
		return nil, err
	}
	refused, err := l.validate(wait, x.token)
	switch {
	case err == nil && refused == nil:
		return l, nil
	case err == nil:
		err = refused
	}
	l.leave()
	return nil, err
}

// connectSource claims a source, with a reconnect secret that nobody else has: with the configured one it would take the
// source from the connector that runs.
func (x *examination) connectSource(ctx context.Context, s *Step, l *link, source string) {
	secret := protocol.Secret(source + "_" + rand.Text())
	x.hide(secret)
	wait, cancel := x.patience(ctx)
	defer cancel()
	began, pause, refusals := time.Now(), 100*time.Millisecond, 0
	var last *protocol.StatusError
	for {
		config, refused, err := l.connect(wait, source, secret)
		switch {
		case err == nil && config != nil && !config.HasConfig:
			s.fail("Vantiq sent a configureExtension without a configuration", "save the source's configuration in Vantiq again")
		case err == nil && config != nil:
			s.ok(fmt.Sprintf("connects in %s; its configuration has %s", short(time.Since(began)), x.outline(config.Config)))
			if refusals > 0 {
				s.Detail += fmt.Sprintf("; refused %s before, while it was being redeployed", count(refusals, "time", "times"))
			}
		case err == nil && refused.Reactivating():
			refusals++
			last = refused
			if sleep(wait, pause) {
				pause = min(pause*3/2, time.Second)
				continue
			}
			fallthrough
		case timedOut(err) && last != nil:
			s.fail(fmt.Sprintf("still being redeployed after %s: %v", x.Timeout, x.refusal(last)), "Vantiq refuses it for a moment after each change of its "+
				"configuration, and a connector waits for that to end; if it does not end, save the source in Vantiq again")
		case timedOut(err):
			s.fail("neither a configuration nor a refusal within "+x.Timeout.String(), "a connector tries again; if it stays so, look at the source in Vantiq")
		case err != nil:
			s.fail(x.lost(err), "a connector tries again; if it stays so, look at the source in Vantiq")
		default:
			s.fail("Vantiq refused to connect it: "+x.refusal(refused).Error(), refusalAdvice(refused, x.config.ReconnectSecret != "")...)
		}
		return
	}
}

// sleep reports whether ctx has not ended meanwhile.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// outline says how large a configuration is and what its members are called; what they hold may be secret.
func (x *examination) outline(config protocol.Document) string {
	size := count(len(config.Raw()), "byte", "bytes")
	members, err := config.Map()
	if err != nil || len(members) == 0 {
		return size + " and no members"
	}
	return size + " with the members " + x.foreign(strings.Join(slices.Sorted(maps.Keys(members)), ", "))
}

// refusalAdvice guesses which refusal it is: the texts of real servers are not written down anywhere. HasSecret says whether a
// reconnect secret is configured.
func refusalAdvice(refused *protocol.StatusError, hasSecret bool) []string {
	text := strings.ToLower(refused.Error())
	says := func(parts ...string) bool {
		return slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(text, part) })
	}
	switch status := refused.Status; {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return []string{"the token may not use this source: create one in the source's namespace"}
	case status == http.StatusConflict, says("already", "another connector", "in use"):
		advice := []string{
			"another connector has it, and keeps it",
			"if no other connector runs, Vantiq has not noticed yet that the last one is gone: try again in a minute",
		}
		if hasSecret {
			advice[0] += ": doctor does not use the configured reconnectSecret, with which a connector takes over from one that has the same"
		}
		return advice
	case status == http.StatusNotFound, says("not found", "not exist", "no such", "unknown"):
		return []string{"create the source in the namespace of the token, with a type whose base is EXTENSION; if it is there, " +
			"compare the spelling in sources: upper and lower case count"}
	}
	return []string{"does it exist in the token's namespace, and is no other connector using it? A connector tries again for ever"}
}
