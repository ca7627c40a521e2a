package interop_test

import (
	"context"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/vantiq-go/connectorsdk/internal/interop"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait; in a synctest bubble it is virtual. A connector on the SDK for Python needs 50 seconds to notice
// a pulled cable.
const patience = 2 * time.Minute

func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

const sourceName = "EchoSource"

// required reports whether no test may be skipped.
func required() bool { return os.Getenv("INTEROP") == "required" }

// python returns the interpreter that has the official SDK for Python, and skips the test if none is named.
func python(t *testing.T) string {
	t.Helper()
	interpreter := os.Getenv("INTEROP_PYTHON")
	if interpreter == "" {
		const missing = "INTEROP_PYTHON names no interpreter that has the official SDK for Python; \"go run ./bench python-setup\" makes one"
		if required() {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	return interpreter
}

// A peer is one of ours.
type peer interface {
	Run(ctx context.Context) error
}

// peers are ours, by the SDK that they stand for.
var peers = map[string]func(interop.Target) peer{
	"Python": func(target interop.Target) peer { return &interop.Python{Target: target} },
	"Java":   func(target interop.Target) peer { return interop.NewJava(target) },
}

// target returns where a peer finds the server; network is nil for TCP.
func target(t *testing.T, server *vantiqtest.Server, network *vantiqtest.Network) interop.Target {
	t.Helper()
	url, err := protocol.TargetURL(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	to := interop.Target{URL: url, Token: server.Token(), Source: sourceName, Secret: sourceName + "_5f0c"}
	if network != nil {
		to.DialContext = network.DialContext
	}
	return to
}

// run runs a peer until the test ends, or end is called. It returns what Run returned.
func run(t *testing.T, p peer) (end func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	end = func() error {
		cancel()
		err := <-ended
		ended <- err
		return err
	}
	t.Cleanup(func() { _ = end() })
	return end
}
