package connector_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// --- a link that is dead, but nobody says so

// A halfOpening is a way in which a link dies without a word, with the connector's default settings.
type halfOpening struct {
	name     string
	options  connector.Options
	handlers func(b *bench) connector.Handlers
	before   func(b *bench)
	strike   func(b *bench, network *vantiqtest.Network)
	longest  time.Duration
}

func halfOpenings() []halfOpening {
	vanish := func(b *bench, _ *vantiqtest.Network) { b.source.Drop(vantiqtest.Vanish) }
	hang := func(b *bench, _ *vantiqtest.Network) { b.source.Link().HoldReads(true) }
	busy := func(*bench) connector.Handlers { // until its context ends, soon after the link was lost
		return connector.Handlers{
			Publish: func(ctx context.Context, _ *connector.SourceConnection, _ connector.Document) error {
				<-ctx.Done()
				return nil
			},
			Query: func(ctx context.Context, _ *connector.SourceConnection, _ *connector.Query) error {
				<-ctx.Done()
				return nil
			},
		}
	}
	send := func(b *bench, each time.Duration, size int) {
		b.must(b.conn.Go(func(ctx context.Context) error {
			for sleepFor(ctx, each) == nil {
				if err := b.conn.SendNotification(ctx, payload(size)); err != nil {
					return err
				}
			}
			return ctx.Err()
		}))
	}
	sends := func(b *bench) { send(b, time.Second, 100) }
	flood := func(b *bench, _ *vantiqtest.Network) {
		b.source.Link().HoldReads(true)
		send(b, time.Millisecond, 50_000)
	}
	acknowledged := func(b *bench) {
		b.must(b.conn.SendNotification(b.soon(), object{}))
		b.must(b.conn.Flush(b.soon()))
	}
	unacknowledged := func(b *bench) { // long enough that nothing is awaited any more
		b.source.SetAcknowledgements(vantiqtest.Acknowledgements{None: true})
		b.must(b.conn.SendNotification(b.soon(), object{}))
	}
	var release chan struct{}
	return []halfOpening{
		{name: "nothing is sent", strike: vanish, longest: 28 * time.Second},
		{name: "nothing is sent, the cable is pulled", strike: func(_ *bench, n *vantiqtest.Network) { n.Partition() }, longest: 28 * time.Second},
		{name: "nothing is sent, the server hangs", strike: hang, longest: 28 * time.Second},
		{name: "a notification each second", before: sends, strike: vanish, longest: 12 * time.Second},
		{name: "a notification each second, never acknowledged", before: func(b *bench) {
			unacknowledged(b)
			sends(b)
		}, strike: vanish, longest: 28 * time.Second},
		{name: "a Publish handler runs", handlers: busy, before: func(b *bench) { b.must(b.source.Publish(b.soon(), object{})) }, strike: vanish, longest: 28 * time.Second},
		{name: "64 Query handlers run", handlers: busy, before: func(b *bench) {
			for range 64 {
				go func() { _, _ = b.source.Query(b.soon(), nil) }()
			}
		}, strike: vanish, longest: 28 * time.Second},
		{name: "the Connect handler runs", handlers: func(*bench) connector.Handlers {
			return connector.Handlers{Connect: func(ctx context.Context, _ *connector.SourceConnection, _ connector.Document) error {
				<-ctx.Done()
				return ctx.Err()
			}}
		}, strike: vanish, longest: 28 * time.Second},
		{name: "the TCP window fills", before: acknowledged, strike: flood, longest: 12 * time.Second},
		{name: "the TCP window fills, nothing was ever acknowledged", before: unacknowledged, strike: flood, longest: 30 * time.Second},
		{name: "the TCP window fills, and publishes still come", before: func(b *bench) {
			unacknowledged(b)
			go func() {
				for b.source.Publish(b.t.Context(), object{}) == nil && sleepFor(b.t.Context(), time.Second) == nil {
				}
			}()
		}, strike: flood, longest: 30 * time.Second},
		{name: "the reader waits for room, counted from when there is some", options: connector.Options{PublishQueue: 4}, handlers: func(*bench) connector.Handlers {
			return connector.Handlers{Publish: func(context.Context, *connector.SourceConnection, connector.Document) error {
				<-release
				return nil
			}}
		}, before: func(b *bench) {
			release = make(chan struct{})
			for range 20 {
				b.must(b.source.Publish(b.soon(), object{}))
			}
		}, strike: func(b *bench, _ *vantiqtest.Network) {
			b.source.Drop(vantiqtest.Vanish)
			pass(10 * time.Minute)
			close(release)
		}, longest: 28 * time.Second},
	}
}

// A link that died without a word is noticed in thirty seconds, whatever the connector is doing.
func TestFiguresOfHalfOpenLinks(t *testing.T) {
	figure(t, "| A link dies without a word while | %s |", spreadColumns)
	figure(t, "| --- | --- | --- | --- | --- |")
	moments := measured(60, 4) // at which it dies: 30 s in all, as long as pings take at most
	for _, h := range halfOpenings() {
		t.Run(h.name, func(t *testing.T) {
			var took spread
			for n := range moments {
				synctest.Test(t, func(t *testing.T) {
					took = append(took, h.notice(t, time.Minute+time.Duration(n)*30*time.Second/time.Duration(moments)))
				})
			}
			figure(t, "| %s | %s |", h.name, took.cells())
			if longest := took.within(1); longest > h.longest {
				t.Errorf("noticed after %v, %v is right", longest, h.longest)
			}
		})
	}
}

// notice returns how long it takes to notice that the link died at that time of its life.
func (h halfOpening) notice(t *testing.T, age time.Duration) time.Duration {
	network := vantiqtest.NewNetwork()
	noticed := make(waitingHook, 1)
	h.options.Logger, h.options.Hooks = quiet, []connector.Hook{noticed}
	b := setUpIn(t, network, nil, h.options)
	b.source.HandleNotifications(func(protocol.Document) {})
	handlers := connector.Handlers{}
	if h.handlers != nil {
		handlers = h.handlers(b)
	}
	b.run(handlers)
	b.must(b.source.WaitConnected(b.soon()))
	synctest.Wait()
	if h.before != nil {
		h.before(b)
	}
	pass(age)
	h.strike(b, network)
	select {
	case cause := <-noticed:
		t.Errorf("lost before: %s", cause)
	default:
	}
	began := time.Now()
	select {
	case <-noticed:
	case <-time.After(time.Hour):
		t.Error("it was never noticed")
	}
	took := time.Since(began)
	network.Heal()
	if link := b.source.Link(); link != nil {
		link.Drop(vantiqtest.RST) // so that nothing waits for it at the end
	}
	return took
}

// A waitingHook is told why a link was lost.
type waitingHook chan string

func (h waitingHook) OnState(_ string, _, to connector.State, cause error) {
	if to == connector.Waiting {
		select {
		case h <- cause.Error():
		default:
		}
	}
}

// sleepFor waits for so long, or until ctx ends.
func sleepFor(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// --- a link that is lost

// A source whose link was healthy is back in session within a second.
func TestFiguresOfComingBack(t *testing.T) {
	figure(t, "| A healthy link ends with | %s |", spreadColumns)
	figure(t, "| --- | --- | --- | --- | --- |")
	for _, how := range []vantiqtest.Drop{1000, 1001, 1012, 4000, vantiqtest.FIN, vantiqtest.RST} {
		t.Run(how.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := setUp(t, nil, connector.Options{Logger: quiet}).connect(echo())
				var took spread
				for n := range measured(200, 50) {
					pass(time.Minute)
					began := time.Now()
					b.source.Drop(how)
					b.session(n + 2)
					took = append(took, time.Since(began))
				}
				figure(t, "| %v | %s |", how, took.cells())
				if longest := took.within(1); longest > time.Second {
					t.Errorf("back after %v", longest)
				}
			})
		})
	}
}

// --- a link that the server closes

// A server's close frame is answered at once, on real sockets.
func TestFiguresOfClosing(t *testing.T) {
	figure(t, "| The server closes while | %s |", spreadColumns)
	figure(t, "| --- | --- | --- | --- | --- |")
	for _, c := range []struct {
		name   string
		tls    bool
		before func(t *testing.T, source *vantiqtest.Source, conn *connector.SourceConnection)
	}{
		{name: "nothing else happens"},
		{name: "nothing else happens, TLS", tls: true},
		{name: "notifications are sent as fast as they are taken", before: func(t *testing.T, source *vantiqtest.Source, conn *connector.SourceConnection) {
			var received atomic.Int64
			enough := make(chan struct{})
			source.HandleNotifications(func(protocol.Document) {
				if received.Add(1) == 1000 {
					close(enough)
				}
			})
			if err := conn.Go(func(ctx context.Context) error {
				for ctx.Err() == nil {
					_ = conn.SendNotification(ctx, object{"n": 1})
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			<-enough
		}},
		{name: "a Publish handler and 64 Query handlers run", before: func(t *testing.T, source *vantiqtest.Source, conn *connector.SourceConnection) {
			if err := source.Publish(t.Context(), object{}); err != nil {
				t.Fatal(err)
			}
			for range 64 {
				go func() { _, _ = source.Query(t.Context(), nil) }()
			}
			for s := conn.Stats(); s.Publishes < 1 || s.QueriesOpen < 64; s = conn.Stats() {
				time.Sleep(time.Millisecond)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			closed := make(chan vantiqtest.Event, 1024)
			options := []vantiqtest.Option{vantiqtest.WithObserver(func(e vantiqtest.Event) {
				if e.Kind == vantiqtest.LinkClosed {
					closed <- e
				}
			})}
			if c.tls {
				options = append(options, vantiqtest.WithTLS(nil))
			}
			server := vantiqtest.NewServer(options...)
			t.Cleanup(server.Close)
			var took spread
			for n := range measured(300, 20) {
				took = append(took, answerToClose(t, server, fmt.Sprint("Source", n), c.before, closed))
			}
			figure(t, "| %s | %s |", c.name, took.cells())
			if median := took.within(0.5); median > 100*time.Millisecond { // 10 ms on a machine that does nothing else
				t.Errorf("answered after %v", median)
			}
		})
	}
}

// answerToClose returns how long a connector takes to answer the server's close frame.
func answerToClose(t *testing.T, server *vantiqtest.Server, name string,
	before func(*testing.T, *vantiqtest.Source, *connector.SourceConnection), closed <-chan vantiqtest.Event,
) time.Duration {
	source := server.Source(name, nil)
	options := connector.Options{TargetServer: server.URL(), AuthToken: "local-token", DrainTime: time.Millisecond}
	if roots := server.RootCAs(); roots != nil {
		options.TLS = &tls.Config{RootCAs: roots}
	}
	conn, err := connector.New(name, options)
	if err != nil {
		t.Fatal(err)
	}
	over, done := make(chan struct{}), make(chan struct{})
	wait := func() error { <-over; return nil }
	conn.SetHandlers(connector.Handlers{
		Publish: func(context.Context, *connector.SourceConnection, connector.Document) error { return wait() },
		Query:   func(context.Context, *connector.SourceConnection, *connector.Query) error { return wait() },
	})
	go func() {
		defer close(done)
		_ = conn.Run(t.Context())
	}()
	defer func() {
		close(over)
		_ = conn.Close(context.Background())
		<-done
	}()
	if err := conn.WaitConnected(t.Context()); err != nil {
		t.Fatal(err)
	}
	if before != nil {
		before(t, source, conn)
	}
	link := source.Link()
	began := time.Now()
	link.Drop(websocket.CloseServiceRestart)
	for e := range closed {
		if e.Link != link.ID() {
			continue
		}
		var answer *websocket.CloseError
		if !errors.As(e.Err, &answer) || answer.Code != websocket.CloseServiceRestart {
			t.Errorf("the close frame was not answered: %v", e.Err)
		}
		return e.Time.Sub(began)
	}
	return 0
}
