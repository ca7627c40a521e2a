package connector_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// received decodes the n of each notification that has come.
func (b *bench) received() (numbers []int) {
	b.t.Helper()
	for _, event := range b.source.Notifications() {
		var message struct{ N int }
		b.must(event.Decode(&message))
		numbers = append(numbers, message.N)
	}
	return numbers
}

// inOrder reports whether numbers, without those that were there before, are 0 to n-1.
func inOrder(numbers []int, n int) error {
	next := 0
	for _, number := range numbers {
		switch {
		case number == next:
			next++
		case number > next:
			return fmt.Errorf("%d came where %d was due", number, next)
		}
	}
	if next != n {
		return fmt.Errorf("%d of %d came", next, n)
	}
	return nil
}

// dropEvery ends each of so many links when its n-th notification has come, of which the last tail+1 are not
// acknowledged.
func (b *bench) dropEvery(n, links, tail int, how vantiqtest.Drop) {
	var mu sync.Mutex
	var link uint64
	count, dropped := 0, 0
	b.server.Intercept(func(l *vantiqtest.Link, m protocol.Message) bool {
		mu.Lock()
		defer mu.Unlock()
		if _, ok := m.(*protocol.Notification); !ok || dropped == links {
			return false
		}
		if l.ID() != link { // the links of one source follow each other
			link, count = l.ID(), 0
			b.source.SetAcknowledgements(vantiqtest.Acknowledgements{})
		}
		if count++; count == max(1, n-tail) {
			b.source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
		}
		if count == n {
			l.Handle(m)
			l.Drop(how)
			if dropped++; dropped == links {
				b.source.SetAcknowledgements(vantiqtest.Acknowledgements{})
			}
		}
		return count >= n
	})
}

func TestNotificationsSurviveDropsInOrder(t *testing.T) {
	const drops, messages = 12, 300
	for _, every := range []int{1, 2, 3, 5, 17} {
		for _, tail := range []int{0, 4} {
			for _, how := range []vantiqtest.Drop{vantiqtest.FIN, vantiqtest.RST, vantiqtest.Vanish, 1000, 1001} {
				t.Run(fmt.Sprintf("every %d, the last %d unacknowledged, by %v", every, tail+1, how), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						b := setUp(t, nil, connector.Options{})
						b.dropEvery(every, drops, tail, how)
						b.connect(echo())
						for n := range messages {
							b.must(b.conn.SendNotification(b.soon(), object{"n": n}))
						}
						flushed, cancel := context.WithTimeout(context.Background(), time.Hour)
						defer cancel()
						b.must(b.conn.Flush(flushed))
						numbers := b.received()
						if err := inOrder(numbers, messages); err != nil {
							t.Error(err)
						}
						s := b.conn.Stats()
						if s.Accepted != messages || s.Acknowledged != messages || s.Queued != 0 || s.Reconnects != drops {
							t.Errorf("stats %+v", s)
						}
						if len(numbers) < messages+drops {
							t.Errorf("%d came: what was not acknowledged was not sent again", len(numbers))
						}
					})
				})
			}
		}
	}
}

// The same over TCP, where a reset also takes along what the other side has not yet read.
func TestNotificationsSurviveDropsOfASocket(t *testing.T) {
	for _, how := range []vantiqtest.Drop{vantiqtest.FIN, vantiqtest.RST, 1001} {
		t.Run(how.String(), func(t *testing.T) {
			t.Parallel() // what takes time is the pause before each connect
			const drops, messages = 2, 1000
			b := setUpOn(t, nil, connector.Options{Logger: quiet})
			b.dropEvery(100, drops, 4, how)
			b.connect(echo())
			for n := range messages {
				b.must(b.conn.SendNotification(b.soon(), object{"n": n}))
			}
			b.must(b.conn.Flush(b.soon()))
			if err := inOrder(b.received(), messages); err != nil {
				t.Error(err)
			}
			if s := b.conn.Stats(); s.Acknowledged != messages || s.Queued != 0 || s.Reconnects != drops {
				t.Errorf("stats %+v", s)
			}
		})
	}
}

func TestNotificationsAcceptedWhileDisconnectedAreSentLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{})
		b.must(b.conn.SendNotification(b.soon(), object{"n": 0})) // before Run
		b.connect(echo())
		b.server.Stop(vantiqtest.FIN)
		synctest.Wait()
		for n := 1; n < 100; n++ {
			b.must(b.conn.SendNotification(b.soon(), object{"n": n}))
		}
		pass(5 * time.Minute)
		b.server.Start()
		b.must(b.conn.Flush(b.soon()))
		if err := inOrder(b.received(), 100); err != nil {
			t.Error(err)
		}
	})
}

func TestTheWindowIsFiveAtFirstAndGrowsWithAcknowledgements(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{MaxOutstanding: 40})
		b.source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
		b.connect(echo())
		for n := range 400 {
			b.must(b.conn.SendNotification(b.soon(), object{"n": n}))
		}
		inFlight := func(want int) {
			t.Helper()
			synctest.Wait()
			if s := b.conn.Stats(); int(s.Sent-s.Acknowledged) != want {
				t.Errorf("%d in flight, want %d", s.Sent-s.Acknowledged, want)
			}
		}
		inFlight(5)
		b.source.ReleaseAcknowledgements(4)
		inFlight(5)
		b.source.ReleaseAcknowledgements(1)
		inFlight(10)
		b.source.ReleaseAcknowledgements(10)
		inFlight(20)
		b.source.ReleaseAcknowledgements(20)
		inFlight(40)
		b.source.ReleaseAcknowledgements(40)
		inFlight(40) // MaxOutstanding
		b.source.SetAcknowledgements(vantiqtest.Acknowledgements{})
		b.must(b.conn.Flush(b.soon()))
		if err := inOrder(b.received(), 400); err != nil {
			t.Error(err)
		}
	})
}

func TestAServerThatNeverAcknowledgesIsServedAnyway(t *testing.T) {
	for _, pings := range []time.Duration{0, -1} {
		synctest.Test(t, func(t *testing.T) {
			b := setUp(t, nil, connector.Options{PingInterval: pings})
			b.source.SetAcknowledgements(vantiqtest.Acknowledgements{None: true})
			b.connect(echo())
			began := time.Now()
			for n := range 100 {
				b.must(b.conn.SendNotification(b.soon(), object{"n": n}))
			}
			b.must(b.conn.Flush(b.soon()))
			due := 10 * time.Second
			if pings < 0 {
				due = 30 * time.Second
			}
			if took := time.Since(began); took < due || took > due+6*time.Second {
				t.Errorf("it took %v to stop waiting", took)
			}
			began = time.Now()
			for n := range 10_000 {
				b.must(b.conn.SendNotification(b.soon(), object{"n": 100 + n}))
			}
			b.must(b.conn.Flush(b.soon()))
			if time.Since(began) > 0 {
				t.Error("it still waits")
			}
			synctest.Wait()
			if err := inOrder(b.received(), 10_100); err != nil {
				t.Error(err)
			}
			if s := b.conn.Stats(); s.Reconnects != 0 {
				t.Errorf("reconnects: %s", s.LastError)
			}
		})
	}
}

func TestAServerThatStopsAcknowledgingLosesItsLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{}).connect(echo())
		b.must(b.conn.SendNotification(b.soon(), object{"n": 0}))
		b.must(b.conn.Flush(b.soon()))
		b.source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
		for n := 1; n < 50; n++ {
			b.must(b.conn.SendNotification(b.soon(), object{"n": n}))
		}
		began := time.Now()
		b.must(b.source.WaitSession(b.soon(), 2))
		if took := time.Since(began); took < 10*time.Second || took > 12*time.Second {
			t.Errorf("replaced after %v", took)
		}
		b.source.SetAcknowledgements(vantiqtest.Acknowledgements{})
		b.must(b.conn.Flush(b.soon()))
		if err := inOrder(b.received(), 50); err != nil {
			t.Error(err)
		}
	})
}

func TestDoubledAcknowledgementsNeverBlockNorOpenTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{MaxOutstanding: 10})
		b.source.SetAcknowledgements(vantiqtest.Acknowledgements{Twice: true})
		b.connect(echo())
		for n := range 500 {
			b.must(b.conn.SendNotification(b.soon(), object{"n": n}))
		}
		b.must(b.conn.Flush(b.soon()))
		synctest.Wait()
		b.source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
		for n := range 50 {
			b.must(b.conn.SendNotification(b.soon(), object{"n": 500 + n}))
		}
		synctest.Wait()
		if s := b.conn.Stats(); s.Sent-s.Acknowledged > 10 || s.Window > 10 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestARefusedNotificationIsToldAndNotSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var refused []string
		b := setUp(t, nil, connector.Options{Hooks: []connector.Hook{refusals(func(event json.RawMessage, err *connector.StatusError) {
			mu.Lock()
			defer mu.Unlock()
			refused = append(refused, string(event)+" "+err.Error())
		})}})
		b.source.Inject(vantiqtest.Fault{Op: protocol.OpNotification, Skip: 7, Answer: `{"status":400,"body":[{"code":"bad","message":"no good"}]}`})
		b.connect(echo())
		const messages = 40
		for n := range messages {
			b.must(b.conn.SendNotification(b.soon(), object{"n": n}))
		}
		err := b.conn.Flush(b.soon())
		var status *connector.StatusError
		if !errors.Is(err, connector.ErrRefused) || !errors.As(err, &status) || status.Status != 400 {
			t.Errorf("Flush returned %v", err)
		}
		mu.Lock()
		defer mu.Unlock()
		if fmt.Sprint(refused) != `[{"n":7} status 400: no good (bad)]` {
			t.Errorf("the hook was told %v", refused)
		}
		got := b.received()
		if len(got) != messages-1 {
			t.Errorf("%d arrived: %v", len(got), got)
		}
		if s := b.conn.Stats(); s.Refused != 1 || s.Acknowledged != messages-1 || s.Resent != 0 || s.Queued != 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

type refusals func(event json.RawMessage, err *connector.StatusError)

func (f refusals) OnRefused(_ string, event json.RawMessage, err *connector.StatusError) {
	f(event, err)
}

func TestAnErrorThatBelongsToNoNotificationRefusesNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{}).connect(echo())
		b.source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
		for n := range 5 {
			b.must(b.conn.SendNotification(b.soon(), object{"n": n}))
		}
		synctest.Wait()
		b.must(b.source.SendRaw(`{"status":500,"body":[{"code":"c","message":"m"}]}`))
		b.source.SetAcknowledgements(vantiqtest.Acknowledgements{})
		b.must(b.conn.Flush(b.soon()))
		if s := b.conn.Stats(); s.Refused != 0 || s.Acknowledged != 5 || s.LastError == "" {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestAcknowledgementsMissingBehindAnErrorAreMadeUpForByResending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{}).connect(echo())
		b.source.SetAcknowledgements(vantiqtest.Acknowledgements{None: true})
		for n := range 5 {
			b.must(b.conn.SendNotification(b.soon(), object{"n": n}))
		}
		synctest.Wait()
		b.source.SetAcknowledgements(vantiqtest.Acknowledgements{})
		b.must(b.source.SendRaw(`{"status":500}`))
		began := time.Now()
		b.must(b.conn.Flush(b.soon()))
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("it took %v", took)
		}
		if s := b.conn.Stats(); s.Refused != 0 || s.Resent != 5 || s.Acknowledged != 5 {
			t.Errorf("stats %+v", s)
		}
	})
}

// A server that acknowledges query responses too would credit notifications too early. A status that comes when nothing
// is in flight gives it away.
func TestAcknowledgedResponsesAreLearned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{MaxOutstanding: 5})
		b.source.SetAcknowledgements(vantiqtest.Acknowledgements{Responses: true})
		b.connect(echo())
		if _, err := b.source.Query(b.soon(), nil); err != nil { // its status finds nothing in flight
			t.Fatal(err)
		}
		synctest.Wait()
		b.source.SetAcknowledgements(vantiqtest.Acknowledgements{Responses: true, Withheld: true})
		for range 20 {
			if _, err := b.source.Query(b.soon(), nil); err != nil {
				t.Fatal(err)
			}
		}
		for n := range 30 {
			b.must(b.conn.SendNotification(b.soon(), object{"n": n}))
		}
		synctest.Wait()
		b.source.ReleaseAcknowledgements(20) // of the responses
		synctest.Wait()
		if s := b.conn.Stats(); s.Acknowledged != 0 || s.Sent != 5 {
			t.Errorf("the statuses of 20 responses: stats %+v", s)
		}
		b.source.SetAcknowledgements(vantiqtest.Acknowledgements{Responses: true})
		b.must(b.conn.Flush(b.soon()))
		if err := inOrder(b.received(), 30); err != nil {
			t.Error(err)
		}
	})
}

func TestSendNotificationRefusesWhatCannotBeSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{}).connect(echo())
		for name, c := range map[string]struct {
			message any
			want    error
		}{
			"nil":         {nil, connector.ErrNotObject},
			"a list":      {[]int{1}, connector.ErrNotObject},
			"a string":    {"x", connector.ErrNotObject},
			"raw list":    {json.RawMessage(` [1]`), connector.ErrNotObject},
			"nil map":     {object(nil), connector.ErrNotObject},
			"too large":   {object{"pad": strings.Repeat("x", 300<<10)}, connector.ErrTooLarge},
			"malformed":   {json.RawMessage(`{"a":}`), nil},
			"a channel":   {object{"c": make(chan int)}, nil},
			"empty bytes": {json.RawMessage{}, nil},
		} {
			err := b.conn.SendNotification(b.soon(), c.message)
			if err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), "EchoSource") {
				t.Errorf("%s: %v", name, err)
			}
		}
		b.must(b.conn.SendNotification(b.soon(), json.RawMessage(" {\"a\":\n1} ")))
		b.must(b.conn.SendNotification(b.soon(), struct{ A string }{"<&>"}))
		largest := strings.Repeat("x", 262144-len(`{"op":"notification","resourceName":"sources","resourceId":"EchoSource","object":{"pad":""}}`))
		b.must(b.conn.SendNotification(b.soon(), object{"pad": largest}))
		if err := b.conn.SendNotification(b.soon(), object{"pad": largest + "x"}); !errors.Is(err, connector.ErrTooLarge) {
			t.Errorf("a byte too many: %v", err)
		}
		b.must(b.conn.Flush(b.soon()))
		var got []string
		for _, event := range b.source.Notifications() {
			got = append(got, event.String()[:8])
		}
		expect(t, got, `{"a":`+"\n1}"[:3], `{"A":"<&`, `{"pad":"`)
	})
}

func TestAFullOutbox(t *testing.T) {
	fill := func(t *testing.T, full connector.Overflow) *bench {
		b := setUp(t, nil, connector.Options{OutboxMessages: 10, OutboxFull: full})
		for n := range 10 {
			b.must(b.conn.SendNotification(b.soon(), object{"n": n}))
		}
		return b
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	t.Run("blocks", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := fill(t, connector.Block)
			began := time.Now()
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			err := b.conn.SendNotification(ctx, object{"n": 10})
			if !errors.Is(err, connector.ErrOutboxFull) || !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Minute {
				t.Errorf("%v after %v", err, time.Since(began))
			}
			sent := make(chan error)
			go func() { sent <- b.conn.SendNotification(b.soon(), object{"n": 10}) }()
			synctest.Wait()
			b.connect(echo())
			b.must(<-sent)
			b.must(b.conn.Flush(b.soon()))
			if err := inOrder(b.received(), 11); err != nil {
				t.Error(err)
			}
			b.must(b.conn.SendNotification(ended, object{"n": 11})) // there is room: an ended context does not matter
		})
	})
	t.Run("fails", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := fill(t, connector.Fail)
			if err := b.conn.SendNotification(b.soon(), object{"n": 10}); !errors.Is(err, connector.ErrOutboxFull) {
				t.Error(err)
			}
			b.connect(echo())
			b.must(b.conn.Flush(b.soon()))
			if err := inOrder(b.received(), 10); err != nil {
				t.Error(err)
			}
		})
	})
	t.Run("drops the oldest", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := fill(t, connector.DropOldest)
			for n := range 5 {
				b.must(b.conn.SendNotification(b.soon(), object{"n": 10 + n}))
			}
			b.connect(echo())
			b.must(b.conn.Flush(b.soon()))
			if got := fmt.Sprint(b.received()); got != "[5 6 7 8 9 10 11 12 13 14]" {
				t.Error(got)
			}
			if s := b.conn.Stats(); s.Dropped != 5 || s.Acknowledged != 10 {
				t.Errorf("stats %+v", s)
			}
		})
	})
	t.Run("drops the oldest in flight", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := setUp(t, nil, connector.Options{OutboxMessages: 10, OutboxFull: connector.DropOldest})
			b.source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
			b.connect(echo())
			for n := range 30 {
				b.must(b.conn.SendNotification(b.soon(), object{"n": n}))
				synctest.Wait()
			}
			b.source.SetAcknowledgements(vantiqtest.Acknowledgements{})
			b.must(b.conn.Flush(b.soon()))
			if s := b.conn.Stats(); s.Dropped+s.Acknowledged != 30 || s.Queued != 0 {
				t.Errorf("stats %+v", s)
			}
		})
	})
}

func TestManySendersKeepTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{OutboxMessages: 7}).connect(echo())
		var all sync.WaitGroup
		for sender := range 20 {
			all.Go(func() {
				for n := range 50 {
					if err := b.conn.SendNotification(context.Background(), object{"sender": sender, "n": n}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		b.must(b.conn.Flush(b.soon()))
		next := map[int]int{}
		for _, event := range b.source.Notifications() {
			var message struct{ Sender, N int }
			b.must(event.Decode(&message))
			if next[message.Sender] != message.N {
				t.Fatalf("sender %d: %d came where %d was due", message.Sender, message.N, next[message.Sender])
			}
			next[message.Sender]++
		}
		if len(next) != 20 {
			t.Errorf("%d senders", len(next))
		}
	})
}
