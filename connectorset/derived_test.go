package connectorset_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/connectorset"
	"github.com/vantiq-go/connectorsdk/connectortest"
	"github.com/vantiq-go/connectorsdk/health"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

const grace = time.Minute

// startDerived runs the sources A and B, and returns what expects a health once everything has come to rest.
func startDerived(t *testing.T, rule connectorset.Rule) (*connectortest.Running, func(want health.Status, when string)) {
	t.Helper()
	running := connectortest.Start(t, echo, connectortest.WithSource("A", nil), connectortest.WithSource("B", nil),
		connectortest.WithSet(connectorset.Derived(rule, grace)))
	return running, func(want health.Status, when string) {
		t.Helper()
		synctest.Wait()
		if got := running.Set.Health(); got != want {
			t.Errorf("%v %s, want %v", got, when, want)
		}
	}
}

// away takes a source from the connector until the returned function is called.
func away(source *vantiqtest.Source) (back func()) {
	source.Refuse(-1, &protocol.StatusError{Status: 404})
	source.Drop(vantiqtest.FIN)
	return func() { source.Refuse(0, nil) }
}

func TestDerivedFromAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		running, expect := startDerived(t, connectorset.All)
		expect(health.Healthy, "when all are connected")

		back := away(running.Source("A"))
		time.Sleep(grace - time.Second)
		expect(health.Healthy, "within the grace period")
		time.Sleep(2 * time.Second)
		expect(health.Unhealthy, "after the grace period")

		back()
		time.Sleep(5 * time.Minute)
		expect(health.Healthy, "when A is back")

		back = away(running.Source("A"))
		time.Sleep(30 * time.Second)
		back()
		if err := running.Connection("A").WaitConnected(t.Context()); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		back = away(running.Source("A"))
		time.Sleep(grace - time.Second)
		expect(health.Healthy, "within the grace period of a second loss")
		time.Sleep(2 * time.Second)
		expect(health.Unhealthy, "after the grace period of a second loss")
		back()
		time.Sleep(5 * time.Minute)

		before := running.Source("B").Sessions()
		running.Source("B").Drop(1001)
		time.Sleep(10 * grace)
		expect(health.Healthy, "after an ordinary reconnect")
		if got := running.Source("B").Sessions(); got != before+1 {
			t.Errorf("%d sessions of B, want %d", got, before+1)
		}
	})
}

func TestDerivedFromHavingBeenConnectedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mayConnect := make(chan struct{})
		handlers := connector.Handlers{Connect: func(_ context.Context, c *connector.SourceConnection, _ connector.Document) error {
			if c.Source() == "B" {
				<-mayConnect
			}
			return nil
		}}
		running := connectortest.Start(t, handlers, connectortest.WithoutWaiting(), connectortest.WithSource("A", nil),
			connectortest.WithSource("B", nil), connectortest.WithSet(connectorset.Derived(connectorset.Once, grace)))
		expect := func(want health.Status, when string) {
			t.Helper()
			synctest.Wait()
			if got := running.Set.Health(); got != want {
				t.Errorf("%v %s, want %v", got, when, want)
			}
		}
		time.Sleep(time.Hour)
		expect(health.Undeclared, "when B has never been connected")

		away(running.Source("A"))
		close(mayConnect)
		time.Sleep(5 * time.Minute)
		expect(health.Healthy, "when each has been connected, though not at the same time")

		running.Network.Partition()
		time.Sleep(time.Hour)
		expect(health.Healthy, "in a long outage")

		if err := running.Connection("B").Close(t.Context()); err != nil {
			t.Error(err)
		}
		time.Sleep(grace - time.Second)
		expect(health.Healthy, "within the grace period")
		time.Sleep(2 * time.Second)
		expect(health.Unhealthy, "when B has ended for good")
	})
}

func TestDerivedFromAny(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		running, expect := startDerived(t, connectorset.Any)
		backA := away(running.Source("A"))
		time.Sleep(10 * grace)
		expect(health.Healthy, "while B is connected")

		backB := away(running.Source("B"))
		time.Sleep(grace - time.Second)
		expect(health.Healthy, "within the grace period")
		time.Sleep(2 * time.Second)
		expect(health.Unhealthy, "when none is connected")

		backA()
		time.Sleep(5 * time.Minute)
		expect(health.Healthy, "when A is back")
		backB()
	})
}

func TestDerivedFromASourceThatNeverConnects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		running := connectortest.Start(t, echo, connectortest.WithoutWaiting(),
			connectortest.WithSource("Good", nil), connectortest.WithSource("Bad", nil),
			connectortest.WithSet(rejected("Bad"), connectorset.Derived(connectorset.All, grace)))
		time.Sleep(10 * grace)
		if got := running.Set.Health(); got != health.Undeclared {
			t.Errorf("%v, want undeclared", got)
		}
		if err := running.Stop(); err == nil {
			t.Error("Run returned nil")
		}
	})
}

func TestDerivedHealthCannotBeDeclared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		running, expect := startDerived(t, connectorset.All)
		if running.Set.DeclareUnhealthy() == nil || running.Set.DeclareHealthy() == nil {
			t.Error("a declaration is accepted")
		}
		expect(health.Healthy, "after the declarations")
		if err := running.Stop(); err != nil {
			t.Error(err)
		}
		time.Sleep(2 * grace)
		expect(health.Unhealthy, "after the end")
	})
}
