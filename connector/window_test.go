package connector_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// inFlight returns how many notifications are sent and not acknowledged.
func (b *bench) inFlight() int {
	synctest.Wait()
	s := b.conn.Stats()
	return int(s.Sent - s.Acknowledged - s.Refused)
}

// sendAll accepts notifications with an n from first up to, not including, end.
func (b *bench) sendAll(first, end int) {
	b.t.Helper()
	for n := first; n < end; n++ {
		b.must(b.conn.SendNotification(b.soon(), object{"n": n}))
	}
}

// withholding connects to a server that acknowledges when the test says so.
func withholding(t *testing.T, options connector.Options) *bench {
	t.Helper()
	b := setUp(t, nil, options)
	b.source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
	return b.connect(echo())
}

// widen acknowledges so many notifications, so that the window opens.
func (b *bench) widen(notifications int) {
	b.t.Helper()
	b.sendAll(0, notifications)
	b.source.SetAcknowledgements(vantiqtest.Acknowledgements{})
	b.must(b.conn.Flush(b.soon()))
	b.source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
}

func TestTheWindowIsNoWiderThan1024(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := withholding(t, connector.Options{Logger: quiet})
		b.widen(4000)
		b.sendAll(4000, 8000)
		if n := b.inFlight(); n != 1024 {
			t.Errorf("%d notifications are in flight", n)
		}
		b.source.SetAcknowledgements(vantiqtest.Acknowledgements{})
		b.must(b.conn.Flush(b.soon()))
		if err := inOrder(b.received(), 8000); err != nil {
			t.Error(err)
		}
	})
}

func TestAtMostOneMebibyteIsInFlight(t *testing.T) {
	const size = 100_000
	synctest.Test(t, func(t *testing.T) {
		b := withholding(t, connector.Options{Logger: quiet})
		b.widen(1000)
		for range 30 {
			b.must(b.conn.SendNotification(b.soon(), padded(size)))
		}
		if n := b.inFlight(); n != 1<<20/size {
			t.Errorf("%d notifications of %d bytes are in flight", n, size)
		}
		b.source.SetAcknowledgements(vantiqtest.Acknowledgements{})
		b.must(b.conn.Flush(b.soon()))
	})
}

// A wide window was earned on a link that is gone; half of it is a fair bet on the next.
func TestTheWindowIsHalvedByAReconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := withholding(t, connector.Options{Logger: quiet, MaxOutstanding: 80})
		b.widen(1000)
		for session, want := range []int{80, 40, 20, 10, 5, 5} {
			b.sendAll(1000, 1100)
			if n, s := b.inFlight(), b.conn.Stats(); s.Window != want || session == 0 && n != want {
				t.Errorf("in session %d the window is %d wide and %d are in flight", session+1, s.Window, n)
			}
			b.source.Drop(vantiqtest.FIN)
			b.session(session + 2)
		}
	})
}

// Something went wrong while much was in flight: the next bet is the one that is proven.
func TestAnErrorStatusClosesTheWindowToFive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := withholding(t, connector.Options{Logger: quiet, MaxOutstanding: 80})
		b.widen(1000)
		b.must(b.source.SendRaw(`{"status":500}`)) // nothing is in flight
		synctest.Wait()
		b.sendAll(1000, 1100)
		if n := b.inFlight(); n != 5 || b.conn.Stats().Window != 5 {
			t.Errorf("%d are in flight, the window is %d wide", n, b.conn.Stats().Window)
		}
		b.source.ReleaseAcknowledgements(5)
		if n := b.inFlight(); n != 10 {
			t.Errorf("%d are in flight after five acknowledgements", n)
		}
		b.source.SetAcknowledgements(vantiqtest.Acknowledgements{})
		b.must(b.conn.Flush(b.soon()))
	})
}

// Behind an error status nothing new is sent until it is clear what the error meant: the statuses of all in flight have
// come, or two seconds have passed without one.
func TestNothingNewIsSentBehindAnErrorStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := withholding(t, connector.Options{Logger: quiet, MaxOutstanding: 80})
		b.widen(1000)
		b.sendAll(1000, 1003)
		synctest.Wait()
		b.must(b.source.SendRaw(`{"status":500}`)) // belongs to none of them
		synctest.Wait()
		b.sendAll(1003, 1006)
		pass(1900 * time.Millisecond)
		b.source.ReleaseAcknowledgements(1) // two more are missing, and the silence begins anew
		pass(1900 * time.Millisecond)
		if s := b.conn.Stats(); s.Sent != 1003 || s.Resent != 0 {
			t.Errorf("something was sent: %+v", s)
		}
		b.source.ReleaseAcknowledgements(2)
		synctest.Wait()
		if s := b.conn.Stats(); s.Sent != 1006 || s.Refused != 0 || s.Resent != 0 || s.Acknowledged != 1003 {
			t.Errorf("when all had come: %+v", s)
		}
		b.must(b.source.SendRaw(`{"status":500}`))
		pass(1999 * time.Millisecond)
		if s := b.conn.Stats(); s.Resent != 0 {
			t.Errorf("before two seconds of silence: %+v", s)
		}
		pass(time.Millisecond)
		synctest.Wait()
		if s := b.conn.Stats(); s.Resent != 3 || s.Refused != 0 {
			t.Errorf("after two seconds of silence: %+v", s)
		}
	})
}

// What is refused is told where it is read.
func TestARefusalIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &record{}
		b := setUp(t, nil, connector.Options{Logger: log.logger()}).connect(echo())
		b.source.SetAcknowledgements(vantiqtest.Acknowledgements{None: true})
		b.sendAll(0, 1)
		synctest.Wait()
		b.must(b.source.SendRaw(`{"status":400,"body":[{"code":"bad","message":"no good"}]}`))
		pass(2 * time.Second) // in which no other status comes
		synctest.Wait()
		if text := log.String(); !strings.Contains(text, `level=ERROR msg="Vantiq refused a notification`) || !strings.Contains(text, "no good") {
			t.Errorf("the log says\n%s", text)
		}
	})
}

// That responses are acknowledged is learned once for the life of the connection.
func TestWhatWasLearnedAboutResponsesOutlivesTheLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{Logger: quiet})
		b.source.SetAcknowledgements(vantiqtest.Acknowledgements{Responses: true})
		b.connect(echo())
		ask := func() {
			_, err := b.source.Query(b.soon(), nil)
			b.must(err)
			synctest.Wait()
		}
		ask() // its status finds nothing in flight
		b.source.Drop(vantiqtest.FIN)
		b.session(2)
		b.source.SetAcknowledgements(vantiqtest.Acknowledgements{Responses: true, Withheld: true})
		ask()
		b.sendAll(0, 1)
		synctest.Wait()
		b.source.ReleaseAcknowledgements(1) // of the response
		if n := b.inFlight(); n != 1 {
			t.Error("the status of a response counts as a notification's")
		}
		b.source.ReleaseAcknowledgements(1)
		if n := b.inFlight(); n != 0 {
			t.Errorf("%d are in flight", n)
		}
	})
}

// Nothing proves that a server does not acknowledge but the answer to a ping that was sent behind the notification.
func TestWithoutAPongMissingAcknowledgementsProveNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &record{}
		b := setUp(t, nil, connector.Options{Logger: log.logger()}).connect(echo())
		b.source.SetAcknowledgements(vantiqtest.Acknowledgements{None: true})
		b.source.Link().HoldPongs(true)
		b.sendAll(0, 3)
		for range 10 {
			pass(5 * time.Second)
			if b.source.Sessions() == 1 {
				b.must(b.source.SendRaw(`{"status":100}`)) // the link lives
			}
		}
		if s := b.conn.Stats(); s.Acknowledged != 0 || s.Queued != 3 || s.Reconnects != 0 {
			t.Errorf("stats %+v", s)
		}
		b.source.Link().HoldPongs(false)
		began := time.Now()
		b.must(b.conn.Flush(b.soon()))
		if took := time.Since(began); took > 12*time.Second {
			t.Errorf("it took %v to see that the server does not acknowledge", took)
		}
		b.source.Drop(vantiqtest.FIN)
		b.session(2)
		b.sendAll(3, 100)
		b.must(b.conn.Flush(b.soon()))
		if n := strings.Count(log.String(), "this server does not acknowledge"); n != 1 {
			t.Errorf("the log says so %d times", n)
		}
	})
}

// Flush waits for what was accepted before it, and for nothing that comes later.
func TestFlushWaitsForWhatWasAcceptedBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := withholding(t, connector.Options{})
		b.sendAll(0, 3)
		flushed := make(chan error, 1)
		go func() { flushed <- b.conn.Flush(b.soon()) }()
		synctest.Wait()
		b.sendAll(3, 5)
		synctest.Wait()
		b.source.ReleaseAcknowledgements(2)
		synctest.Wait()
		select {
		case err := <-flushed:
			t.Errorf("Flush returned %v, one acknowledgement too early", err)
		default:
		}
		b.source.ReleaseAcknowledgements(1)
		b.must(<-flushed)
		if s := b.conn.Stats(); s.Queued != 2 {
			t.Errorf("stats %+v", s)
		}
		b.source.SetAcknowledgements(vantiqtest.Acknowledgements{})
	})
}

// What was dropped while it was in flight had opened the window, and hidden that the server had stopped acknowledging.
func TestDropOldestKeepsTheWindowAndTheWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{Logger: quiet, OutboxMessages: 10, OutboxFull: connector.DropOldest}).connect(echo())
		b.must(b.conn.SendNotification(b.soon(), object{"n": -1}))
		b.must(b.conn.Flush(b.soon()))
		b.source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
		for n := range 600 {
			b.must(b.conn.SendNotification(b.soon(), object{"n": n}))
			pass(100 * time.Millisecond)
		}
		s := b.conn.Stats()
		if s.Reconnects < 3 {
			t.Errorf("a server that is silent for a minute was left only %d times", s.Reconnects)
		}
		if most := 5 * (s.Reconnects + 2); s.Sent+s.Resent > most {
			t.Errorf("%d were sent without an acknowledgement over %d links with a window of 5", s.Sent+s.Resent, s.Reconnects+1)
		}
		b.source.SetAcknowledgements(vantiqtest.Acknowledgements{})
		b.must(b.conn.Flush(b.soon()))
		if s := b.conn.Stats(); s.Queued != 0 || s.Acknowledged+s.Dropped != s.Accepted {
			t.Errorf("stats %+v", s)
		}
	})
}
