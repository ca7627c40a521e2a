package console_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/vantiq-go/connectorsdk/cmd/vantiqdev/internal/console"
)

// configsIn returns the configurations that a state tells, by source; "" where it leaves one out.
func (d *desk) configsIn(state string) map[string]string {
	d.t.Helper()
	var s struct {
		Sources []struct {
			Name   string
			Config json.RawMessage
		}
	}
	d.must(json.Unmarshal([]byte(state), &s))
	configs := map[string]string{}
	for _, source := range s.Sources {
		configs[source.Name] = strings.ReplaceAll(string(source.Config), `\u003e`, ">") // the page does so, too
	}
	return configs
}

// Configurations may be large, and a state is told again and again while anything happens.
func TestAConfigurationIsToldWhenItHasChanged(t *testing.T) {
	d := newDesk(t)
	other := d.vantiq.Source("Other", json.RawMessage(`{"other":1.0}`))
	d.connect()
	stream := d.stream("")
	told := func(text, echo, others string) {
		t.Helper()
		state, _ := stream.until("state", text)
		if got := d.configsIn(state); got["EchoSource"] != echo || got["Other"] != others {
			t.Errorf("with %s it told %v, want %s and %s", text, got, echo, others)
		}
	}
	told(`"name":"Other"`, `{"prefix":"> "}`, `{"other":1.0}`)
	d.must(d.source.Publish(context.Background(), json.RawMessage(`{}`)))
	told(`"publishes":1`, "", "")

	// By the console.
	d.expect("PUT", "/api/sources/EchoSource/config", `{"prefix":"# "}`, 204, "")
	told("config", `{"prefix":"# "}`, "")
	d.must(d.source.WaitSession(d.soon(), 2))
	d.must(d.source.Publish(context.Background(), json.RawMessage(`{}`)))
	told(`"publishes":2`, "", "")

	// By a file, as vantiqdev does it. A page shows how a number is written.
	other.Reconfigure(json.RawMessage(`{"other":1.00}`))
	d.console.Suggest(console.Samples{Query: json.RawMessage(`{"n":1}`)})
	told(`{"n":1}`, "", `{"other":1.00}`)

	// A source that was away is a new one to a page.
	d.vantiq.Remove("Other")
	d.console.Suggest(console.Samples{Query: json.RawMessage(`{"n":2}`)})
	told(`{"n":2}`, "", "")
	d.vantiq.Source("Other", json.RawMessage(`{"other":1.00}`))
	d.console.Suggest(console.Samples{Query: json.RawMessage(`{"n":3}`)})
	told(`{"n":3}`, "", `{"other":1.00}`)
}

// A page that was away may have missed a change: it is told all configurations, however it comes back.
func TestEachStreamBeginsWithAllConfigurations(t *testing.T) {
	d := newDesk(t)
	d.connect()
	d.vantiq.Source("Other", json.RawMessage(`{"n":1}`))
	_, id := d.stream("").until("traffic", "connect accepted")
	for name, stream := range map[string]reader{
		"anew":                 d.stream(""),
		"with ?after":          d.stream("?after=" + id),
		"with a Last-Event-ID": d.stream("", "Last-Event-ID", id),
	} {
		state, _ := stream.next("state")
		if got := d.configsIn(state); got["EchoSource"] != `{"prefix":"> "}` || got["Other"] != `{"n":1}` {
			t.Errorf("%s: it told %s", name, state)
		}
	}
}
