package connector_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/vantiq-go/connectorsdk/connector"
)

// A writer may find the link closed before the reader has told what the server said.
func TestWhatTheServerSaidWhenItClosedIsToldToWhoeverWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil, connector.Options{Logger: quiet, OutboxFull: connector.DropOldest}).connect(echo())
		for n := range 100 {
			var all sync.WaitGroup
			for range 4 {
				all.Go(func() {
					for range 200 {
						_ = b.conn.SendNotification(context.Background(), object{})
					}
				})
			}
			b.source.Drop(1012)
			all.Wait()
			b.session(n + 2)
			if said := b.conn.Stats().LastError; !strings.Contains(said, "1012") {
				t.Fatalf("the server closed with 1012, and %q is told", said)
			}
		}
	})
}
