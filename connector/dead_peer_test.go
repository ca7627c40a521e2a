package connector_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// A deadPeer is a server that is gone without a word.
type deadPeer struct {
	strike func(b *bench)
	reads  bool // it is not quite dead: what is sent is read
}

var deadPeers = map[string]deadPeer{
	"stops reading": {strike: func(b *bench) { b.source.Link().HoldReads(true) }}, // the TCP window fills
	"stops answering pings": {strike: func(b *bench) {
		b.source.Link().HoldPongs(true)
		b.source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true}) // a status would prove that it lives
	}, reads: true},
	"is half open": {strike: func(b *bench) { b.source.Drop(vantiqtest.Vanish) }},
}

// lost is a hook that tells when the source ceases to be connected.
type lost chan time.Time

func (l lost) OnState(_ string, from, _ connector.State, _ error) {
	if from == connector.Connected {
		select {
		case l <- time.Now():
		default:
		}
	}
}

// The time in which a dead link is noticed, with the default settings: virtual time, and a network in memory.
func TestADeadPeerIsNoticedWithinThirtySeconds(t *testing.T) {
	run := func(name string, peer func(network *vantiqtest.Network) (p deadPeer, mend func())) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network, noticed := vantiqtest.NewNetwork(), make(lost, 1)
				p, mend := peer(network)
				b := setUpIn(t, network, nil, connector.Options{OutboxMessages: 10, Hooks: []connector.Hook{noticed}})
				b.outlives(p, noticed, 30*time.Second, mend)
			})
		})
	}
	for name, p := range deadPeers {
		run(name, func(*vantiqtest.Network) (deadPeer, func()) { return p, func() {} })
	}
	run("has its cable pulled", func(network *vantiqtest.Network) (deadPeer, func()) {
		return deadPeer{strike: func(*bench) { network.Partition() }}, network.Heal
	})
}

// The same where the kernel has buffers, windows and time-outs of its own.
func TestADeadPeerOfASocketIsNoticed(t *testing.T) {
	run := func(name string, p deadPeer, pings, limit time.Duration) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			noticed := make(lost, 1)
			b := setUpOn(t, nil, connector.Options{OutboxMessages: 10, Hooks: []connector.Hook{noticed}, PingInterval: pings, PingTimeout: pings})
			b.outlives(p, noticed, limit, func() {})
		})
	}
	if !testing.Short() {
		run("stops reading, default settings", deadPeers["stops reading"], 0, 30*time.Second)
	}
	for name, p := range deadPeers {
		run(name, p, 500*time.Millisecond, 10*time.Second)
	}
}

// outlives lets a peer die, and checks that whoever sends meanwhile obeys his context, that the death is noticed within
// limit, and that nothing is lost when the peer is back.
func (b *bench) outlives(p deadPeer, noticed lost, limit time.Duration, mend func()) {
	const patient = 200 * time.Millisecond
	// obeys checks that a sender was held up until its ctx ended.
	obeys := func(what string, began time.Time, err, kind error) {
		b.t.Helper()
		if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, kind) || took < patient || took > 20*patient {
			b.t.Errorf("%s returned %v after %v", what, err, took)
		}
	}
	asked, struck, streamed := make(chan struct{}), make(chan struct{}), make(chan struct{})
	b.connect(onQuery(func(_ context.Context, _ *connector.SourceConnection, q *connector.Query) error {
		defer close(streamed)
		close(asked)
		<-struck
		var err error
		began, row := time.Now(), object{"pad": strings.Repeat("x", 200_000)}
		parts := 100 // more than any kernel buffers
		if p.reads {
			parts = 5
		}
		for n := 0; err == nil && n < parts; n++ {
			began = time.Now()
			ctx, cancel := context.WithTimeout(context.Background(), patient)
			err = q.Partial(ctx, row)
			cancel()
		}
		if !p.reads {
			obeys("Partial", began, err, context.DeadlineExceeded)
		}
		began = time.Now()
		err = q.Complete(context.Background(), row)
		if took := time.Since(began); err != nil || took > patient {
			b.t.Errorf("Complete returned %v after %v", err, took)
		}
		return nil
	}))
	answered := make(chan error, 1)
	go func() {
		_, err := b.source.Query(b.soon(), nil)
		answered <- err
	}()
	<-asked
	p.strike(b)
	began := time.Now()
	close(struck)

	sent := 0
	ctx, cancel := context.WithTimeout(context.Background(), patient)
	defer cancel()
	for ; sent < 10; sent++ {
		b.must(b.conn.SendNotification(ctx, object{"n": sent}))
	}
	obeys("SendNotification", began, b.conn.SendNotification(ctx, object{"n": sent}), connector.ErrOutboxFull)
	flushed := time.Now()
	flushing, cancel := context.WithTimeout(context.Background(), patient)
	defer cancel()
	obeys("Flush", flushed, b.conn.Flush(flushing), context.DeadlineExceeded)
	<-streamed
	if p.reads {
		b.must(<-answered)
	}

	select {
	case at := <-noticed:
		if took := at.Sub(began); took > limit {
			b.t.Errorf("noticed after %v", took)
		}
	case <-b.soon().Done():
		b.t.Fatalf("not noticed: %+v", b.conn.Stats())
	}
	mend()
	b.source.SetAcknowledgements(vantiqtest.Acknowledgements{})
	b.must(b.source.WaitSession(b.soon(), 2))
	b.must(b.conn.Flush(b.soon()))
	if err := inOrder(b.received(), sent); err != nil {
		b.t.Error(err)
	}
	if p.reads {
		return
	}
	if err := <-answered; codeOf(err) != connector.CodeInterrupted {
		b.t.Errorf("the query whose rows were under way got %v", err)
	}
}
