package console

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// A state is what the page shows beside the traffic.
type state struct {
	Server  serverState   `json:"server"`
	Sources []sourceState `json:"sources"`
}

type serverState struct {
	URL     string    `json:"url"`
	Started time.Time `json:"started"` // tells one vantiqdev from the next
	Stopped bool      `json:"stopped"`
	Problem string    `json:"problem,omitempty"`
	Samples Samples   `json:"samples"`
}

// Samples are what the page's forms begin with. Empty ones leave them to the page.
type Samples struct {
	Publish json.RawMessage `json:"publish,omitempty"`
	Query   json.RawMessage `json:"query,omitempty"`
}

// Suggest changes what the page's forms begin with.
func (c *Console) Suggest(samples Samples) {
	c.samples.Store(&samples)
	c.touch()
}

type sourceState struct {
	Name      string             `json:"name"`
	Connected bool               `json:"connected"`
	Since     *time.Time         `json:"since"`
	Peer      string             `json:"peer"`
	SDK       string             `json:"sdk"`
	Agent     string             `json:"agent"`
	Sessions  int                `json:"sessions"`
	Config    *protocol.Document `json:"config,omitempty"` // in a stream: nil if it is the one that was sent last
	Faults    faultState         `json:"faults"`
	Totals    *totals            `json:"totals,omitempty"`
}

func (c *Console) state() state {
	s := state{Server: serverState{URL: c.vantiq.URL(), Started: c.started}, Sources: []sourceState{}}
	s.Server.Stopped, s.Server.Problem = c.faults.outage.state()
	if samples := c.samples.Load(); samples != nil {
		s.Server.Samples = *samples
	}
	for _, source := range c.vantiq.Sources() {
		s.Sources = append(s.Sources, c.sourceState(source))
	}
	return s
}

func (c *Console) sourceState(source *vantiqtest.Source) sourceState {
	counted := c.traffic.account(source.Name())
	config := source.Config()
	s := sourceState{
		Name:     source.Name(),
		Sessions: source.Sessions(),
		Config:   &config,
		Faults:   c.faults.state(source),
		Totals:   &counted.totals,
	}
	if l := source.Link(); l != nil {
		s.Connected = true
		s.Peer, s.Agent = l.RemoteAddr().String(), l.UserAgent()
		s.SDK = sdkOf(s.Agent)
		if !counted.since.IsZero() { // the traffic may not have heard of it yet
			s.Since = &counted.since
		}
	}
	return s
}

// sdkOf tells from a User-Agent which SDK a connector is made with, if it can be told: the other SDKs leave it to their
// WebSocket libraries.
func sdkOf(agent string) string {
	switch {
	case strings.HasPrefix(agent, "vantiq-connectorsdk-go"):
		return "Go"
	case strings.Contains(agent, "websockets/"):
		return "Python"
	case strings.HasPrefix(agent, "okhttp/"):
		return "Java"
	}
	return ""
}

func (c *Console) getState(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, c.state())
}
