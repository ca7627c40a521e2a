package connector_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// An acknowledgement that comes late could not be told from the answer to connectExtension. So the link is used again only
// if all have come, within a second, which is waited for beside Close.
func TestReconnectRequiredWithNotificationsInFlight(t *testing.T) {
	const messages = 3
	for name, c := range map[string]struct {
		late     time.Duration // when the acknowledgements come; 0: never
		closing  time.Duration // how long Close takes
		due      time.Duration
		sameLink bool
	}{
		"they come in time":                    {late: 900 * time.Millisecond, due: 900 * time.Millisecond, sameLink: true},
		"they come in time, beside Close":      {late: 900 * time.Millisecond, closing: time.Second, due: time.Second, sameLink: true},
		"they come while Close runs on":        {late: 3 * time.Second, closing: 5 * time.Second, due: 5 * time.Second, sameLink: true},
		"they come too late":                   {late: 1100 * time.Millisecond, due: time.Second},
		"they never come":                      {due: time.Second},
		"they never come, and Close is slower": {closing: 5 * time.Second, due: 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &stopwatch{}
				b := setUp(t, nil, connector.Options{})
				b.source.SetAcknowledgements(vantiqtest.Acknowledgements{None: true})
				b.connect(w.watched(0, c.closing))
				pass(time.Minute)
				for n := range messages {
					b.must(b.conn.SendNotification(b.soon(), object{"n": n}))
				}
				synctest.Wait()
				first := b.source.Link()
				w.start()
				b.source.RequireReconnect()
				b.source.SetAcknowledgements(vantiqtest.Acknowledgements{}) // of the next session
				if c.late > 0 {
					time.AfterFunc(c.late, func() {
						for range messages {
							first.Send(`{"status":200}`)
						}
					})
				}
				b.session(2)
				took := b.source.Connects()[1].Time.Sub(w.began)
				if same := b.source.Link() == first; same != c.sameLink || took != c.due {
					t.Errorf("on the same link: %v, after %v", same, took)
				}
				b.must(b.conn.Flush(b.soon()))
				if err := inOrder(b.received(), messages); err != nil {
					t.Error(err)
				}
				if s := b.conn.Stats(); s.Acknowledged != messages || (s.Resent == 0) != c.sameLink {
					t.Errorf("stats %+v", s)
				}
			})
		})
	}
}

// A server that asks to reconnect, and then does not answer on that link, is tried on another.
func TestReconnectRequiredThatFailsOnItsLinkIsTriedOnAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{}).connect(echo())
		pass(time.Minute)
		began := time.Now()
		b.server.Inject(vantiqtest.Fault{Op: protocol.OpConnectExtension, Ignore: true})
		b.source.RequireReconnect()
		b.session(2)
		if took := time.Since(began); took < 30*time.Second || took > 45*time.Second || len(b.server.Dials()) != 2 {
			t.Errorf("%d links, after %v", len(b.server.Dials()), took)
		}
	})
}
