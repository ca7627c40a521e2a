package interop_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// A local is the local Vantiq with one source, as a scenario steers it: in this process, or through the console of
// "vantiqdev serve".
type local interface {
	Publish(message string) error
	Query(parameters string) (rows []string, err error) // as Publish it fails with a *failure
	Notification() string                               // waits for the next one
	Reconfigure(config string)
	RequireReconnect()
	Drop(how vantiqtest.Drop)
	Refuse(times int)
	Reactivate(times int) // and have the connector connect again
	Outage()
	Sessions() int
	WaitSession(n int)
}

// A failure is what VAIL gets instead of rows.
type failure struct {
	Code       string `json:"code"`
	Message    string `json:"message"`
	Parameters []any  `json:"parameters"`
}

func (f *failure) Error() string { return fmt.Sprintf("%s: %s %v", f.Code, f.Message, f.Parameters) }

func failureOf(err error) error {
	var query protocol.QueryError
	var vantiq *protocol.StatusError
	switch {
	case errors.As(err, &query):
		return &failure{query.Code, query.Message(), query.Parameters}
	case errors.As(err, &vantiq):
		return &failure{Code: vantiq.Details[0].Code, Message: vantiq.Details[0].Message}
	}
	return err
}

// A direct is a local Vantiq in this process.
type direct struct {
	t      *testing.T
	server *vantiqtest.Server
	source *vantiqtest.Source
}

// newDirect starts a server, on TCP if network is nil. The test fails if the server does not understand something that a
// connector says, finds it odd, or has not asked for it.
func newDirect(t *testing.T, network *vantiqtest.Network, opts ...vantiqtest.Option) *direct {
	t.Helper()
	return observed(t, network, func(vantiqtest.Event) {}, opts...)
}

// observed is newDirect with somebody who sees what happens.
func observed(t *testing.T, network *vantiqtest.Network, observe func(vantiqtest.Event), opts ...vantiqtest.Option) *direct {
	t.Helper()
	server := vantiqtest.NewServer(append(opts, vantiqtest.WithNetwork(network), vantiqtest.WithObserver(func(e vantiqtest.Event) {
		switch e.Kind {
		case vantiqtest.MalformedReceived, vantiqtest.UnexpectedReceived, vantiqtest.OddReceived, vantiqtest.StrayReceived, vantiqtest.ConnectIgnored:
			t.Errorf("the local Vantiq saw an event %s: %v %s", e.Kind, e.Err, e.Body)
		}
		observe(e)
	}))...)
	t.Cleanup(server.Close)
	return &direct{t, server, server.Source(sourceName, json.RawMessage(firstConfig))}
}

// firstConfig is what the source is configured with at first. Its text is one that JSON encoders spell differently.
const firstConfig = `{"text":"<é☃😀&'\u007f\u001f\n\">"}`

func (d *direct) Publish(message string) error {
	return failureOf(d.source.Publish(within(d.t), json.RawMessage(message)))
}

func (d *direct) Query(parameters string) (rows []string, err error) {
	documents, err := d.source.Query(within(d.t), json.RawMessage(parameters))
	for _, document := range documents {
		rows = append(rows, document.String())
	}
	return rows, failureOf(err)
}

func (d *direct) Notification() string {
	d.t.Helper()
	event, err := d.source.Notification(within(d.t))
	if err != nil {
		d.t.Fatal(err)
	}
	return event.String()
}

func (d *direct) Reconfigure(config string) { d.source.Reconfigure(json.RawMessage(config)) }
func (d *direct) RequireReconnect()         { d.source.RequireReconnect() }
func (d *direct) Sessions() int             { return d.source.Sessions() }

func (d *direct) Reactivate(times int) {
	d.source.Reactivating(times)
	d.source.RequireReconnect()
}

func (d *direct) Drop(how vantiqtest.Drop) {
	d.t.Helper()
	if !d.source.Drop(how) {
		d.t.Fatal("there is no link to drop")
	}
}

// noSuchSource is a refusal that names no reactivation window.
var noSuchSource = &protocol.StatusError{Status: 404, Details: []protocol.Detail{{Code: "io.vantiq.test", Message: "not now"}}}

func (d *direct) Refuse(times int) { d.source.Refuse(times, noSuchSource) }

func (d *direct) Outage() {
	d.t.Helper()
	d.server.Stop(1001)
	if err := d.source.WaitDisconnected(within(d.t)); err != nil {
		d.t.Fatal(err)
	}
	d.server.Start()
}

func (d *direct) WaitSession(n int) {
	d.t.Helper()
	if err := d.source.WaitSession(within(d.t), n); err != nil {
		d.t.Fatal(err)
	}
}
