package doctor

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/vantiq-go/connectorsdk/protocol"
)

// ID names a step.
type ID string

// The steps, in their order.
const (
	File     ID = "file"     // the configuration file is found
	Keys     ID = "keys"     // its properties are known
	Values   ID = "values"   // and have values that are accepted
	Token    ID = "token"    // there is an auth token
	Sources  ID = "sources"  // sources are named
	Proxy    ID = "proxy"    // there is none, or it connects to the server
	Name     ID = "name"     // the server's name resolves
	TCP      ID = "tcp"      // the server's port is open
	TLS      ID = "tls"      // its certificate is trusted
	Upgrade  ID = "upgrade"  // it opens a WebSocket
	Accepted ID = "accepted" // it accepts the token
	Source   ID = "source"   // a source connects; once for each
	Probe    ID = "probe"    // the health port is free
)

var (
	network = []ID{Proxy, Name, TCP, TLS, Upgrade, Accepted, Source}
	all     = append(append([]ID{Keys, Values, Token, Sources}, network...), Probe)
)

// Status is what became of a step.
type Status string

// What may become of a step.
const (
	OK      Status = "ok"
	Warning Status = "warning" // it is right, and probably not meant
	Failed  Status = "failed"
	Skipped Status = "skipped" // there was nothing to do, or an earlier step has failed; Detail says which
)

// A Step is one thing that was looked at. It holds no secret.
type Step struct {
	ID       ID
	Source   string // of ID Source, if one was tried
	Status   Status
	Detail   string   // what was seen, on one line
	Advice   []string // what is wrong or doubtful, or what to do about it; a line each
	Duration time.Duration
}

// MarshalJSON returns the step as an object; the duration is in milliseconds.
func (s Step) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		ID     ID       `json:"step"`
		Source string   `json:"source,omitempty"`
		Status Status   `json:"status"`
		Detail string   `json:"detail"`
		Advice []string `json:"advice,omitempty"`
		Ms     float64  `json:"ms"`
	}{s.ID, s.Source, s.Status, s.Detail, s.Advice, float64(s.Duration.Microseconds()) / 1000})
}

func (s *Step) ok(detail string) { s.Status, s.Detail = OK, detail }

func (s *Step) skip(detail string) { s.Status, s.Detail = Skipped, detail }

func (s *Step) fail(detail string, advice ...string) {
	s.Status, s.Detail = Failed, detail
	s.advise(advice...)
}

// doubt makes a step a warning that is right otherwise.
func (s *Step) doubt(advice ...string) {
	before := len(s.Advice)
	s.advise(advice...)
	if s.Status == OK && len(s.Advice) > before {
		s.Status = Warning
	}
}

func (s *Step) advise(advice ...string) {
	for _, line := range advice {
		if line != "" {
			s.Advice = append(s.Advice, line)
		}
	}
}

// step takes a step and reports whether it has not failed.
func (x *examination) step(ctx context.Context, id ID, examine func(context.Context, *Step)) bool {
	return x.stepOf(ctx, id, "", examine)
}

func (x *examination) stepOf(ctx context.Context, id ID, source string, examine func(context.Context, *Step)) bool {
	s := Step{ID: id, Source: source}
	if ctx.Err() != nil {
		x.interrupt(s)
		return false
	}
	began := time.Now()
	examine(ctx, &s)
	s.Duration = time.Since(began)
	if ctx.Err() != nil && s.Status == Failed {
		x.interrupt(s)
		return false
	}
	x.say(s)
	return s.Status != Failed
}

// interrupt lets a step fail because the examination is to end, unless another has.
func (x *examination) interrupt(s Step) {
	if x.interrupted {
		return
	}
	x.interrupted = true
	s.fail("interrupted")
	s.Advice = nil
	x.say(s)
}

// notReached reports those of the steps that were not taken.
func (x *examination) notReached(why string, steps ...ID) {
	if why == "" {
		why = "not reached"
	}
	for _, id := range steps {
		if !x.done[id] {
			x.say(Step{ID: id, Status: Skipped, Detail: why})
		}
	}
}

func (x *examination) say(s Step) {
	x.done[s.ID] = true
	s.Source, s.Detail = showable(s.Source), showable(s.Detail)
	for i, line := range s.Advice {
		s.Advice[i] = showable(line)
	}
	x.report(s)
}

// showable returns a text that a terminal can show.
func showable(text string) string {
	const limit = 1000
	if len(text) > limit {
		text = strings.ToValidUTF8(text[:limit], "") + "…"
	}
	return protocol.Printable(text)
}
