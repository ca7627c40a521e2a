// Package eventful runs a connector to which everything happens that a source connection counts. It is for tests of what
// shows that.
package eventful

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/connectorset"
	"github.com/vantiq-go/connectorsdk/connectortest"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// Source is the source to which everything has happened when Start returns.
const Source = "Orders"

type object map[string]any

// Start runs a connector set with the hooks, and returns when everything has happened to Source and nothing to the source
// Stock. It must be called in a bubble of testing/synctest, where what is counted and how long handlers took are always
// the same.
func Start(t *testing.T, hooks ...connector.Hook) *connectortest.Running {
	t.Helper()
	e := &events{t: t, goOn: make(chan struct{}), release: make(chan struct{})}
	e.Running = connectortest.Start(t, connector.Handlers{Publish: e.publish, Query: e.query},
		connectortest.WithSource(Source, nil), connectortest.WithSource("Stock", nil),
		connectortest.WithConfig(func(c *connectorset.Config) { c.OutboxMessages, c.OutboxFull = 10, connector.DropOldest }),
		connectortest.WithSet(connectorset.WithHooks(hooks...)))
	t.Cleanup(e.queries.Wait)
	e.source = e.Source(Source)
	e.happen()
	t.Cleanup(func() { e.source.SetAcknowledgements(vantiqtest.Acknowledgements{}) }) // lets the set end in peace
	return e.Running
}

type events struct {
	*connectortest.Running
	t      *testing.T
	source *vantiqtest.Source

	goOn    chan struct{} // closed when an answer goes on behind its first row
	release chan struct{} // closed when handlers end that ignore their contexts
	queries sync.WaitGroup
}

func (e *events) publish(ctx context.Context, c *connector.SourceConnection, message connector.Document) error {
	var m struct{ Fail bool }
	if err := message.Decode(&m); err != nil {
		return err
	}
	if m.Fail {
		return errors.New("no room on disk 17")
	}
	return c.SendNotification(ctx, message)
}

func (e *events) query(ctx context.Context, _ *connector.SourceConnection, q *connector.Query) error {
	var m struct{ Do string }
	if err := q.Decode(&m); err != nil {
		return err
	}
	switch m.Do {
	case "take 3 s":
		time.Sleep(3 * time.Second)
		return q.Complete(ctx, object{"n": 1})
	case "answer later":
		return connector.ErrAnswerLater
	case "heed the context":
		<-ctx.Done()
		return ctx.Err()
	case "ignore the context":
		<-e.release
		return nil
	case "lose the link":
		if err := q.Partial(ctx, object{"n": 1}); err != nil {
			return err
		}
		<-e.goOn
		return q.Complete(ctx, object{"n": 2})
	}
	return connector.QueryError{Code: "no.such.thing", Template: "unknown"}
}

func (e *events) happen() {
	e.publishMany(7, object{})
	e.publishMany(13, object{"fail": true})

	e.source.Inject(vantiqtest.Fault{Op: protocol.OpNotification, Answer: `{"status":400,"body":[{"code":"bad","message":"secret 4711"}]}`, Times: 3})
	e.publishMany(3, object{})
	time.Sleep(10 * time.Second) // after an error, what is not yet in flight waits for 2 s

	e.ask(3, "take 3 s")
	e.ask(1, "fail")
	time.Sleep(5 * time.Second)

	e.ask(1, "lose the link")
	e.ask(1, "heed the context")
	e.ask(11, "ignore the context")
	e.drop()
	close(e.goOn)
	time.Sleep(20 * time.Second)
	close(e.release)
	time.Sleep(20 * time.Second) // the next session is a good one

	for range 6 {
		e.source.RequireReconnect()
		time.Sleep(40 * time.Second)
	}

	e.source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
	e.publishMany(4, object{})
	e.drop()
	time.Sleep(2 * time.Second)
	e.publishMany(14, object{})
	e.ask(6, "answer later")

	e.Connection(Source).SetHandlers(connector.Handlers{})
	e.publishMany(12, object{})
}

func (e *events) publishMany(times int, message object) {
	e.t.Helper()
	for range times {
		if err := e.source.Publish(e.t.Context(), message); err != nil {
			e.t.Fatal(err)
		}
	}
	synctest.Wait()
}

// ask does not wait for the answers: some never come.
func (e *events) ask(times int, do string) {
	for range times {
		e.queries.Go(func() { _, _ = e.source.Query(e.t.Context(), object{"do": do}) })
	}
	synctest.Wait()
}

func (e *events) drop() {
	e.source.Drop(vantiqtest.RST)
	synctest.Wait()
}
