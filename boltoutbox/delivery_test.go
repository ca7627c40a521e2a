package boltoutbox_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vantiq-go/connectorsdk/boltoutbox"
	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// A process is what a test starts one after the other with the same outbox: a connection of one source.
type process struct {
	*connector.SourceConnection
	log   strings.Builder // to be read after end
	stop  context.CancelFunc
	ended chan error
}

func start(t *testing.T, server *vantiqtest.Server, outbox connector.Outbox) *process {
	t.Helper()
	p := &process{ended: make(chan error, 1)}
	c, err := connector.New("Orders", connector.Options{
		TargetServer: server.URL(),
		AuthToken:    "local-token",
		Outbox:       outbox,
		Logger:       slog.New(slog.NewTextHandler(&p.log, nil)),
		DrainTime:    time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	p.SourceConnection, p.stop = c, stop
	go func() { p.ended <- c.Run(ctx) }()
	return p
}

// end ends the process in peace.
func (p *process) end(t *testing.T) {
	t.Helper()
	p.stop()
	if err := <-p.ended; err != nil {
		t.Errorf("Run: %v", err)
	}
}

func TestTheNextProcessDeliversWhatIsLeft(t *testing.T) {
	path := filepath.Join(t.TempDir(), "outbox.db")
	server := vantiqtest.NewServer()
	defer server.Close()
	source := server.Source("Orders", nil)
	source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})

	outbox := open(t, path, boltoutbox.Options{})
	first := start(t, server, outbox)
	for n := range 20 {
		if err := first.SendNotification(t.Context(), map[string]int{"n": n}); err != nil {
			t.Fatal(err)
		}
	}
	if err := source.WaitConnected(t.Context()); err != nil {
		t.Fatal(err)
	}
	first.end(t) // nothing is lost, so this is no error
	if !strings.Contains(first.log.String(), "the next process") || !strings.Contains(first.log.String(), "notifications=20") {
		t.Errorf("log:\n%s", first.log.String())
	}
	if err := outbox.Close(); err != nil {
		t.Fatal(err)
	}

	source.SetAcknowledgements(vantiqtest.Acknowledgements{})
	outbox = open(t, path, boltoutbox.Options{})
	second := start(t, server, outbox)
	if queued := second.Stats().Queued; queued != 20 {
		t.Errorf("%d notifications are queued", queued)
	}
	if err := second.SendNotification(t.Context(), map[string]int{"n": 20}); err != nil {
		t.Fatal(err)
	}
	if err := second.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, event := range source.Notifications() {
		all = append(all, string(event.Raw()))
	}
	text, want := strings.Join(all, " "), ""
	for n := range 21 {
		want += fmt.Sprintf(` {"n":%d}`, n)
	}
	if !strings.HasSuffix(" "+text, want) {
		t.Errorf("Vantiq has received %s", text)
	}
	second.end(t)
	if err := outbox.Close(); err != nil {
		t.Fatal(err)
	}

	expect(t, openQueue(t, open(t, path, boltoutbox.Options{}), "Orders"), 1, 0)
}

// Flush and a drain include what an earlier process left, though this one has sent nothing itself.
func TestFlushWaitsForWhatIsLeft(t *testing.T) {
	outbox := open(t, filepath.Join(t.TempDir(), "outbox.db"), boltoutbox.Options{})
	q := openQueue(t, outbox, "Orders")
	fill(t, q, 1, 50)
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	server := vantiqtest.NewServer()
	defer server.Close()
	source := server.Source("Orders", nil)
	p := start(t, server, outbox)
	if err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(source.Notifications()); n != 50 {
		t.Errorf("%d notifications have arrived", n)
	}
	p.end(t)
}
