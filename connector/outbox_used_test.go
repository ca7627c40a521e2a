package connector_test

import (
	"math"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// Whichever limit would stop the next notification shows in Stats.
func TestHowFullTheOutboxIs(t *testing.T) {
	pad := object{"pad": strings.Repeat("x", 1000-len(`{"pad":""}`))} // 1,000 bytes
	for name, test := range map[string]struct {
		options  connector.Options
		group    int64 // bytes; 0: the default
		sent     int
		expected float64
	}{
		"nothing in it":       {connector.Options{OutboxMessages: 10}, 0, 0, 0},
		"by messages":         {connector.Options{OutboxMessages: 10, OutboxBytes: 1_000_000}, 0, 4, 0.4},
		"by bytes":            {connector.Options{OutboxMessages: 10, OutboxBytes: 5000}, 0, 4, 0.8},
		"by the group's room": {connector.Options{OutboxMessages: 10, OutboxBytes: 10_000}, 4000, 3, 0.75},
		"full":                {connector.Options{OutboxMessages: 4}, 0, 4, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				test.options.Group = connector.NewGroup(1)
				if test.group > 0 {
					test.options.Group.LimitOutgoing(test.group)
				}
				b := setUp(t, nil, test.options)
				b.source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
				b.connect(echo())
				for range test.sent {
					b.must(b.conn.SendNotification(b.soon(), pad))
				}
				synctest.Wait()
				if used := b.conn.Stats().OutboxUsed; math.Abs(used-test.expected) > 1e-9 {
					t.Errorf("%v with %d notifications of 1,000 bytes", used, test.sent)
				}
				b.source.SetAcknowledgements(vantiqtest.Acknowledgements{})
				b.must(b.conn.Flush(b.soon()))
				if used := b.conn.Stats().OutboxUsed; used != 0 {
					t.Errorf("%v when all are acknowledged", used)
				}
			})
		})
	}
}
