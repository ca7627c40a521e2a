package interop_test

import (
	"testing"
	"testing/synctest"

	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

func TestPeersInEveryScenario(t *testing.T) {
	for name, newPeer := range peers {
		t.Run(name, func(t *testing.T) {
			play(t, func(t *testing.T, scenario string, play func(*testing.T, local)) {
				t.Run(scenario, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						network := vantiqtest.NewNetwork()
						vantiq := newDirect(t, network)
						run(t, newPeer(target(t, vantiq.server, network)))
						play(t, vantiq)
					})
				})
			})
		})
	}
}
