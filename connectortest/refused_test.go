package connectortest_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/connectortest"
)

// A failing test takes note of why it fails.
type failing struct {
	testing.TB
	why string
}

func (f *failing) Fatalf(format string, args ...any) {
	f.why = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func TestARefusedConfigurationFailsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &failing{TB: t}
		began := time.Now()
		over := make(chan struct{})
		go func() {
			defer close(over)
			connectortest.Start(f, database, connectortest.WithSource("Orders", map[string]any{"hots": "db.example.com"}))
		}()
		<-over
		for _, want := range []string{"source Orders: the Connect handler refuses the configuration", "hots"} {
			if !strings.Contains(f.why, want) {
				t.Errorf("it fails with %q, without %q", f.why, want)
			}
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("it takes %s", took)
		}
	})
}

// What may be cured by trying again is tried again.
func TestAConnectHandlerMayFailAtFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failures := 3
		connectortest.Start(t, connector.Handlers{
			Connect: func(context.Context, *connector.SourceConnection, connector.Document) error {
				if failures--; failures >= 0 {
					return fmt.Errorf("the machine is warming up")
				}
				return nil
			},
		})
	})
}
