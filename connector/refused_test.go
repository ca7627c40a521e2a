package connector_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// A source that Vantiq refuses, for whatever reason, is claimed again on the same link, rarely and for ever; a person is
// told once, then rarely.
func TestARefusedSourceIsClaimedRarelyForEverAndSaidOnce(t *testing.T) {
	refusal := func(status int, details ...protocol.Detail) *protocol.StatusError {
		return &protocol.StatusError{Status: status, Details: details}
	}
	for name, reason := range map[string]*protocol.StatusError{
		"does not exist":                 refusal(404, protocol.Detail{Code: "io.vantiq.resource.not.found", Message: "EchoSource does not exist"}),
		"another connector is connected": refusal(409, protocol.Detail{Code: "already.connected", Message: "EchoSource has a connector already"}),
		"not allowed":                    refusal(403, protocol.Detail{Code: "not.allowed", Message: "this token may not connect EchoSource"}),
		"an error of the server":         refusal(500, protocol.Detail{Code: "io.vantiq.server.error", Message: "NullPointerException"}),
		"without a reason":               refusal(400),
		"a redirection":                  refusal(300),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := &record{}
				b := setUp(t, nil, connector.Options{Logger: log.logger()})
				b.source.Refuse(-1, reason)
				began := time.Now()
				b.run(echo())

				pass(10*time.Minute - time.Millisecond)
				said := warnings(t, log)
				if len(said) != 1 || !strings.Contains(said[0], "source=EchoSource") || !strings.Contains(said[0], reason.Error()) ||
					!strings.Contains(said[0], "does it exist in the token's namespace, and is no other connector using it?") {
					t.Errorf("in ten minutes it warned:\n%s", strings.Join(said, ""))
				}
				if s := b.conn.Stats(); !strings.Contains(s.LastError, reason.Error()) {
					t.Errorf("LastError is %q", s.LastError)
				}

				pass(50 * time.Minute)
				var connects []time.Time
				for _, c := range b.source.Connects() {
					connects = append(connects, c.Time)
				}
				perMinute := rates(began, connects)
				for minute, n := range perMinute {
					if n == 0 || minute >= 3 && n > 9 {
						t.Errorf("%d connects in minute %d", n, minute)
					}
				}
				if len(perMinute) != 60 || perMinute[0] > 30 {
					t.Errorf("connects per minute: %v", perMinute)
				}
				if n := len(warnings(t, log)); n > 6 {
					t.Errorf("%d warnings in an hour", n)
				}
				if dials := len(b.server.Dials()); dials != 1 {
					t.Errorf("%d links", dials)
				}

				b.source.Refuse(0, nil)
				b.must(b.conn.WaitConnected(b.soon()))
			})
		})
	}
}

// warnings returns the lines of a log that a person would see; none may be an error.
func warnings(t tester, log *record) (lines []string) {
	t.Helper()
	for line := range strings.Lines(log.String()) {
		switch {
		case strings.Contains(line, "level=WARN"):
			lines = append(lines, line)
		case strings.Contains(line, "level=ERROR"):
			t.Errorf("an error: %s", line)
		}
	}
	return lines
}

// A 401 to a connectExtension can only mean the token, however many statuses came before it.
func TestA401ToConnectExtensionIsFinal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{})
		b.source.Refuse(-1, &protocol.StatusError{Status: 401})
		b.run(echo())
		var status *connector.StatusError
		if err := b.endsWithin(time.Second); !errors.As(err, &status) || status.Status != 401 {
			t.Errorf("Run returned %v", err)
		}
	})
}

// A standby with another secret is refused until the first one has gone.
func TestAnotherConnectorIsRefusedUntilTheSourceIsFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := vantiqtest.NewNetwork()
		b := setUpIn(t, network, nil, connector.Options{}).connect(echo())
		standby, err := connector.New("EchoSource", connector.Options{TargetServer: b.server.URL(), AuthToken: "local-token", DialContext: network.DialContext})
		b.must(err)
		ended := make(chan error, 1)
		go func() { ended <- standby.Run(context.Background()) }()
		pass(10 * time.Minute)
		if standby.State() == connector.Connected || len(b.server.Dials()) != 2 {
			t.Errorf("the standby is %v after %d links", standby.State(), len(b.server.Dials()))
		}
		b.must(b.end())
		b.must(standby.WaitConnected(b.soon()))
		b.must(standby.Close(b.soon()))
		b.must(<-ended)
	})
}
