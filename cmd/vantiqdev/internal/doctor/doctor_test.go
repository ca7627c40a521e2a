package doctor_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/vantiq-go/connectorsdk/cmd/vantiqdev/internal/doctor"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Whenever an examination is interrupted: it does not say that nothing is wrong, unless it was through.
func TestAnInterruptionIsAFailure(t *testing.T) {
	server := vantiqtest.NewServer()
	defer server.Close()
	server.Source("EchoSource", nil)
	file := filepath.Join(t.TempDir(), "server.config")
	if err := os.WriteFile(file, []byte("targetServer="+server.URL()+"\nauthToken=local-token\nsources=EchoSource\ntcpProbePort=0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	options := doctor.Options{File: file, Connect: true, Timeout: time.Minute}
	for after := 0; ; after++ {
		ctx, interrupt := context.WithCancel(t.Context())
		if after == 0 {
			interrupt()
		}
		seen, unreached := 0, 0
		var last doctor.Step // that was taken
		failed, _ := doctor.Examine(ctx, options, func(s doctor.Step) {
			switch {
			case s.Detail == "not reached":
				unreached++
			case s.Status == doctor.Failed:
				last = s
			}
			if seen++; seen == after {
				interrupt()
			}
		})
		interrupt()
		if after >= seen {
			if failed != 0 || unreached != 0 {
				t.Errorf("after all steps: %d failed, %d were not reached", failed, unreached)
			}
			return
		}
		if failed != 1 || last.Detail != "interrupted" {
			t.Errorf("interrupted after %d steps: %d failed, the last with %q", after, failed, last.Detail)
		}
	}
}
