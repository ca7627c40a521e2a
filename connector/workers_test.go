package connector_test

import (
	"context"
	"net"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
)

// No worker is left when the last source of a group has ended, and none lingers beside one that is idle.
func TestWorkersEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		group := connector.NewGroup(2)
		one := setUp(t, nil, connector.Options{Logger: quiet, Group: group})
		other := setUp(t, nil, connector.Options{Logger: quiet, Group: group})
		slow := onQuery(func(ctx context.Context, _ *connector.SourceConnection, q *connector.Query) error {
			pass(time.Second)
			return q.Empty(ctx)
		})
		one.connect(slow)
		other.connect(slow)
		one.ask(64, 0, patience)
		if err := one.end(); err != nil {
			t.Error(err)
		}
		other.ask(64, 0, patience)
		pass(3 * time.Second) // before the first ping
		synctest.Wait()
		if n := goroutinesOfSDK(); n != 2 {
			t.Errorf("%d goroutines", n)
		}
		other.ask(64, 0, patience)
		if err := other.end(); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if n := goroutinesOfSDK(); n != 0 {
			t.Errorf("%d goroutines after the end", n)
		}
	})
}

// A dial function that ends its goroutine, as t.Fatal does, is a dial that failed.
func TestADialThatEndsItsGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := new(record)
		conn, err := connector.New("EchoSource", connector.Options{
			TargetServer: "http://vantiq.test", AuthToken: "local-token", Logger: log.notable(), FailOnConnectionError: true,
			DialContext: func(context.Context, string, string) (net.Conn, error) {
				runtime.Goexit()
				return nil, nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "DialContext or Proxy ended its goroutine") {
			t.Errorf("Run returned %v", err)
		}
	})
}
