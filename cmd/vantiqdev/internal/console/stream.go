package console

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// How a stream of what happens is rationed, so that neither the page nor this machine chokes on it.
const (
	streamPace   = 100 * time.Millisecond
	streamEvents = 250 // at most, each time
	firstEvents  = 500 // at most, at the beginning
	statePace    = 250 * time.Millisecond
	totalsPace   = time.Second
)

// A stream is what one page is told, as server-sent events.
type stream struct {
	console *Console
	w       http.ResponseWriter
	flusher *http.ResponseController
	err     error // of writing

	last    uint64                       // event that was sent
	second  int64                        // the last of which the rates were sent
	changes uint64                       // that the state last sent knows
	shown   []byte                       // the state last sent, without totals and configurations
	told    time.Time                    // when
	configs map[string]protocol.Document // that the page has, by source
}

func (c *Console) getStream(w http.ResponseWriter, r *http.Request) {
	s := &stream{console: c, w: w, flusher: http.NewResponseController(w)}
	after := r.Header.Get("Last-Event-ID")
	if after == "" {
		after = r.URL.Query().Get("after")
	}
	s.last, _ = strconv.ParseUint(after, 10, 64) // what is no number is none
	w.Header().Set("Content-Type", "text/event-stream")
	s.state(time.Now())
	s.begin()
	s.rates(time.Now())
	pace := time.NewTicker(streamPace)
	defer pace.Stop()
	for s.err == nil {
		select {
		case now := <-pace.C:
			s.state(now)
			s.traffic()
			s.rates(now)
		case <-r.Context().Done():
			return
		}
	}
}

// state sends the state if it has changed: at once what matters, and once a second the totals.
func (s *stream) state(now time.Time) {
	if now.Sub(s.told) < statePace {
		return
	}
	changes := s.console.traffic.changed()
	if changes == s.changes && s.shown != nil {
		return
	}
	state := s.console.state()
	configs, news := s.leaveOutConfigs(state.Sources)
	all := encode(state)
	for i := range state.Sources {
		state.Sources[i].Config, state.Sources[i].Totals = nil, nil
	}
	if shown := encode(state); news || !bytes.Equal(shown, s.shown) || now.Sub(s.told) >= totalsPace {
		s.send("state", "", all)
		s.shown, s.told, s.changes, s.configs = shown, now, changes, configs
	}
}

// leaveOutConfigs takes the configurations that the page has out of the sources, as they may be large. It returns all that
// there are, and whether the page has not got all of them.
func (s *stream) leaveOutConfigs(sources []sourceState) (configs map[string]protocol.Document, news bool) {
	configs = make(map[string]protocol.Document, len(sources))
	for i, source := range sources {
		configs[source.Name] = *source.Config
		// Byte for byte: the page shows a configuration as it was written.
		if has, ok := s.configs[source.Name]; ok && bytes.Equal(has.Raw(), source.Config.Raw()) {
			sources[i].Config = nil
		} else {
			news = true
		}
	}
	return configs, news
}

// begin sends what a page that has just been opened wants to see, or what one has missed that lost the stream.
func (s *stream) begin() {
	events, skipped, last := s.console.traffic.after(s.last, firstEvents)
	s.last = last
	s.sendTraffic(events, skipped)
}

func (s *stream) traffic() {
	events, skipped, last := s.console.traffic.after(s.last, streamEvents)
	if last != s.last {
		s.last = last
		s.sendTraffic(events, skipped)
	}
}

func (s *stream) sendTraffic(events []event, skipped uint64) {
	if events == nil {
		events = []event{}
	}
	s.send("traffic", strconv.FormatUint(s.last, 10), encode(struct {
		Events  []event `json:"events"`
		Skipped uint64  `json:"skipped"`
	}{events, skipped}))
}

func (s *stream) rates(now time.Time) {
	if now.Unix() == s.second {
		return
	}
	rates := s.console.traffic.ratesAfter(s.second, now)
	s.second = now.Unix()
	if rates == nil {
		rates = []rate{}
	}
	s.send("rates", "", encode(rates))
}

// send sends one server-sent event.
func (s *stream) send(name, id string, data []byte) {
	if s.err != nil {
		return
	}
	if id != "" {
		id = "id: " + id + "\n"
	}
	if _, s.err = fmt.Fprintf(s.w, "event: %s\n%sdata: %s\n\n", name, id, data); s.err == nil {
		s.err = s.flusher.Flush()
	}
}

// encode encodes what always can be.
func encode(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return text
}

func (c *Console) getEvent(w http.ResponseWriter, r *http.Request) {
	number, err := strconv.ParseUint(r.PathValue("number"), 10, 64)
	if err == nil {
		if e, ok := c.traffic.find(number); ok {
			answer(w, http.StatusOK, e)
			return
		}
	}
	fail(w, http.StatusNotFound, errors.New("this event is no longer kept"))
}

// getNotifications sends notifications as they come, one line each.
func (c *Console) getNotifications(w http.ResponseWriter, r *http.Request) {
	watch, over := c.traffic.watch(r.URL.Query()["source"])
	defer over()
	flusher := http.NewResponseController(w)
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.WriteHeader(http.StatusOK)
	for {
		if flusher.Flush() != nil {
			return
		}
		select {
		case <-watch.some:
		case <-r.Context().Done():
			return
		}
		events, skipped := watch.take()
		if !writeNotifications(w, events, skipped) {
			return
		}
	}
}

func writeNotifications(w http.ResponseWriter, events []vantiqtest.Event, skipped int) (ok bool) {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	for _, e := range events {
		if encoder.Encode(struct {
			Time         time.Time       `json:"time"`
			Source       string          `json:"source"`
			Notification json.RawMessage `json:"notification"`
		}{e.Time, e.Source, e.Body}) != nil {
			return false
		}
	}
	return skipped == 0 || encoder.Encode(map[string]int{"skipped": skipped}) == nil
}
