package connectorset

import (
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/health"
)

// A port that was taken for a moment at the start stayed closed until a source's state changed.
func TestDerivedHealthTriesATakenPortAgain(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	logged := make(chan struct{}, 100)
	probe := health.NewProbe(taken.Addr().String())
	defer probe.Close()
	d := newDerivedHealth(probe, slog.New(slog.NewTextHandler(writerFunc(func(p []byte) (int, error) {
		logged <- struct{}{}
		return len(p), nil
	}), nil)), options{}, 1)
	d.again = time.Millisecond
	defer d.stop()
	d.OnState("A", connector.Configuring, connector.Connected, nil)
	<-logged // that it cannot be declared healthy
	if status := probe.Status(); status != health.Undeclared {
		t.Errorf("%v while the port is taken", status)
	}
	_ = taken.Close()
	<-logged // that it is healthy
	if status := probe.Status(); status != health.Healthy || probe.Addr() == nil {
		t.Errorf("%v after the port was freed", status)
	}
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
