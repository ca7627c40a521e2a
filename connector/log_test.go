package connector_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
)

// One cause that repeats is logged in full once, and then every ten minutes.
func TestACauseThatRepeatsIsLoggedRarely(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &record{}
		b := setUp(t, nil, connector.Options{Logger: log.logger()})
		b.source.Refuse(-1, &connector.StatusError{Status: 404})
		b.run(echo())
		pass(2 * time.Hour)
		if n := strings.Count(log.String(), "level=WARN"); n < 10 || n > 12 {
			t.Errorf("%d warnings in two hours", n)
		}
	})
}

// Sessions that end young, again and again, are what another connector with the same secret looks like. Whoever reads the
// log must be told, though the same cause was logged before.
func TestThreeShortSessionsInARowMakeTheLogGuess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &record{}
		b := setUp(t, nil, connector.Options{Logger: log.logger()}).connect(echo())
		guesses := func() int {
			n := 0
			for line := range strings.Lines(log.String()) {
				if strings.Contains(line, "level=WARN") && strings.Contains(line, "another connector") {
					n++
				}
			}
			return n
		}
		session := 1
		live := func(life time.Duration) {
			pass(life)
			b.source.Drop(1000)
			session++
			b.session(session)
		}
		live(5 * time.Second)
		live(5 * time.Second)
		live(time.Minute)
		live(5 * time.Second)
		live(5 * time.Second)
		if n := guesses(); n != 0 {
			t.Errorf("%d guesses though no three short sessions came in a row", n)
		}
		live(5 * time.Second)
		if n := guesses(); n != 1 {
			t.Errorf("%d guesses after three short sessions in a row", n)
		}
		live(5 * time.Second)
		if n := guesses(); n != 1 {
			t.Errorf("%d guesses after four", n)
		}
	})
}
