package connector_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// What is cut short is cut behind the token, not within it.
func TestNoPartOfATokenIsShown(t *testing.T) {
	token := "tok." + strings.Repeat("0123456789", 10) // as long as many are
	for name, strike := range map[string]func(b *bench){
		"a long status": func(b *bench) {
			b.server.Inject(vantiqtest.Fault{Op: protocol.OpConnectExtension, Answer: fmt.Sprintf(`{"status":500,"body":[{"code":"x","message":"%s%s is bad"}]}`, strings.Repeat("y", 2000), token)})
		},
		"an unknown operation": func(b *bench) {
			go func() {
				_ = b.source.WaitConnected(b.soon())
				_ = b.source.SendRaw(fmt.Sprintf(`{"op":%q}`, token))
			}()
		},
	} {
		t.Run(name, func(t *testing.T) {
			log := &record{}
			synctest.Test(t, func(t *testing.T) {
				b := setUp(t, nil, connector.Options{Logger: log.notable(), AuthToken: protocol.Secret(token)}, vantiqtest.WithToken(token))
				strike(b)
				b.run(echo())
				pass(patience)
				b.stop()
				_ = b.endsWithin(drainTime)
				if text := log.String() + b.conn.Stats().LastError; strings.Contains(text, token[:16]) {
					i := strings.Index(text, token[:16])
					t.Errorf("a part of the token is shown: %.80s", text[i:])
				}
			})
		})
	}
}
