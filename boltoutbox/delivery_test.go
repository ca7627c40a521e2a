package boltoutbox_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
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

// Whether Vantiq acknowledges answers to queries as well is never certain, so what follows one may be kept a little longer:
// but no more of it than there are answers, and nothing beyond the end of Run.
func TestLittleIsKeptForTheSakeOfAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "outbox.db")
		outbox := open(t, path, boltoutbox.Options{})
		network := vantiqtest.NewNetwork()
		server := vantiqtest.NewServer(vantiqtest.WithNetwork(network))
		defer server.Close()
		source := server.Source("Orders", nil)
		c, err := connector.New("Orders", connector.Options{
			TargetServer: server.URL(), AuthToken: "local-token", Outbox: outbox, DialContext: network.DialContext,
		})
		if err != nil {
			t.Fatal(err)
		}
		c.SetHandlers(connector.Handlers{Query: func(ctx context.Context, _ *connector.SourceConnection, q *connector.Query) error {
			return q.Empty(ctx)
		}})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- c.Run(ctx) }()
		if err := c.WaitConnected(ctx); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := source.Query(ctx, nil); err != nil {
				t.Fatal(err)
			}
		}
		for n := range 100 {
			if err := c.SendNotification(ctx, map[string]int{"n": n}); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.Flush(ctx); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if n := kept(t, path); n > 2 {
			t.Errorf("%d notifications would be sent again after kill -9", n)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := outbox.Close(); err != nil {
			t.Fatal(err)
		}
		if n := kept(t, path); n > 0 {
			t.Errorf("%d notifications would be sent again after the end of Run", n)
		}
	})
}

// kept returns how many notifications a process would find if it were started now.
func kept(t *testing.T, path string) int {
	t.Helper()
	copied := filepath.Join(t.TempDir(), "copy.db")
	write(t, copied, read(t, path))
	return len(contents(t, openQueue(t, open(t, copied, boltoutbox.Options{}), "Orders")))
}
