package connector_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

func TestTheReconnectSecretStays(t *testing.T) {
	for name, fixed := range map[string]protocol.Secret{"made up": "", "fixed": "of my choice"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := setUp(t, nil, connector.Options{ReconnectSecret: fixed}).connect(echo())
				ways := []vantiqtest.Drop{vantiqtest.FIN, vantiqtest.RST, 1001, vantiqtest.Vanish}
				for n := range 10 {
					b.source.Drop(ways[n%len(ways)])
					b.session(n + 2)
				}
				b.source.RequireReconnect()
				b.session(12)
				connects := b.source.Connects()
				for i, c := range connects {
					if c.Secret == "" || c.Secret != connects[0].Secret || fixed != "" && c.Secret != fixed {
						t.Errorf("connect %d came with another secret, of %d characters", i, len(c.Secret))
					}
					if c.Refused != nil {
						t.Errorf("connect %d was refused: %v", i, c.Refused)
					}
				}
				if len(connects) != 12 {
					t.Errorf("%d connects", len(connects))
				}
			})
		})
	}
}

// Whoever guesses a secret can take the source over. In a bubble the clock stands still, and starts at the same time in
// each: all that is made of it would be alike.
func TestAReconnectSecretThatIsMadeUpCannotBeGuessed(t *testing.T) {
	const sources = 64
	var made []string
	collect := func(t *testing.T) {
		began := time.Now()
		network := vantiqtest.NewNetwork()
		server := vantiqtest.NewServer(vantiqtest.WithNetwork(network))
		defer server.Close()
		for n := range sources / 2 {
			name := fmt.Sprintf("Source%02d", n)
			source := server.Source(name, nil)
			b := &bench{t: t, server: server, source: source, ended: make(chan error, 1)}
			conn, err := connector.New(name, connector.Options{TargetServer: server.URL(), AuthToken: "local-token", DialContext: network.DialContext})
			b.must(err)
			b.conn = conn
			b.connect(echo())
			b.must(b.end())
			secret, ok := strings.CutPrefix(string(source.Connects()[0].Secret), name+"_")
			if !ok {
				t.Errorf("the secret of %s does not begin with its name", name)
			}
			made = append(made, secret)
		}
		if time.Since(began) > 0 {
			t.Error("time has passed: the test proves nothing")
		}
	}
	synctest.Test(t, collect)
	synctest.Test(t, collect)

	for i, secret := range made {
		if len(secret) < 26 { // 130 bits in base 32
			t.Errorf("a secret of %d characters", len(secret))
		}
		for _, other := range made[:i] {
			if secret[:8] == other[:8] || secret[len(secret)-8:] == other[len(other)-8:] {
				t.Error("two secrets share a part")
			}
		}
	}
	for place := range made[0] {
		seen := map[byte]bool{}
		for _, secret := range made {
			seen[secret[place]] = true
		}
		if len(seen) < 8 { // of 32, in 64 tries
			t.Errorf("only %d characters appear at place %d", len(seen), place)
		}
	}
}
