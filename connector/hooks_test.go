package connector_test

import (
	"errors"
	"testing"

	"github.com/vantiq-go/connectorsdk/connector"
)

type onConnection func(c *connector.SourceConnection)

func (f onConnection) OnConnection(c *connector.SourceConnection) { f(c) }

func TestAHookIsToldTheConnectionThatNewReturns(t *testing.T) {
	var told []*connector.SourceConnection
	options := connector.Options{
		TargetServer: "http://localhost", AuthToken: "t",
		Hooks: []connector.Hook{onConnection(func(c *connector.SourceConnection) {
			if c.Source() != "A" || c.State() != connector.Idle || c.Stats() != (connector.Stats{Window: 5}) {
				t.Errorf("told %v with %+v", c, c.Stats())
			}
			told = append(told, c)
		})},
	}
	c, err := connector.New("A", options)
	if err != nil {
		t.Fatal(err)
	}
	if len(told) != 1 || told[0] != c {
		t.Errorf("told %v", told)
	}
	if err := c.Close(t.Context()); err != nil {
		t.Error(err)
	}

	options.Outbox = noOutbox{}
	if _, err := connector.New("A", options); err == nil || len(told) != 1 {
		t.Errorf("error %v, told %v", err, told)
	}
}

// noOutbox cannot be opened.
type noOutbox struct{}

func (noOutbox) Open(string) (connector.OutboxQueue, error) { return nil, errors.New("no disk") }
