package connectortest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/connectorset"
	"github.com/vantiq-go/connectorsdk/connectortest"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

// Everything that a connector says in a life full of trouble, at debug level, holds neither the auth token nor the
// reconnect secret, although the server repeats both in all its errors.
func TestNoSecretInAnyOutput(t *testing.T) {
	const token, secret = "hush-token", "hush-secret"
	said := fmt.Sprintf(`[{"code":"%s","message":"no: %s TestSource_%s"}]`, token, token, secret)
	synctest.Test(t, func(t *testing.T) {
		var logged logBuffer
		logger := slog.New(slog.NewJSONHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
		var output []any
		running := connectortest.Start(t, echo,
			connectortest.WithoutWaiting(),
			connectortest.WithServer(vantiqtest.WithToken(token)),
			connectortest.WithSet(connectorset.WithLogger(logger)),
			connectortest.WithConfig(func(c *connectorset.Config) {
				c.AuthToken, c.ReconnectSecret = token, secret
				output = append(output, *c, c)
			}),
		)
		source, c := running.Source("TestSource"), running.Connection("TestSource")
		note := func() { output = append(output, c, running.Set, c.Stats(), c.State()) }

		source.Refuse(2, &protocol.StatusError{Status: 409, Details: []protocol.Detail{{Code: token, Message: "not with TestSource_" + secret + " and " + token}}})
		if err := c.WaitConnected(t.Context()); err != nil {
			t.Fatal(err)
		}
		note()
		for _, frame := range []string{`{"status":500,"body":` + said + `}`, `{"op":"` + "odd" + `"}`, `{"a":`, `{"op":"query","object":{}}`} {
			if err := source.SendRaw(frame); err != nil {
				t.Fatal(err)
			}
		}
		if err := source.Publish(t.Context(), map[string]any{"text": "hello"}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		note()
		source.RequireReconnect()
		time.Sleep(time.Minute)
		source.Drop(vantiqtest.RST)
		time.Sleep(time.Minute)
		note()
		running.Server.Inject(vantiqtest.Fault{Op: protocol.OpValidate, Times: -1, Answer: `{"status":401,"body":` + said + `}`})
		source.Drop(1001)
		time.Sleep(time.Minute)
		err := running.Stop()
		var rejected *connector.StatusError
		if !errors.As(err, &rejected) {
			t.Errorf("Run returned %v", err)
		}
		note()
		output = append(output, err, c.Close(context.Background()))

		text := logged.text.String()
		for _, value := range output {
			text += fmt.Sprintf("%v %+v %#v %s\n", value, value, value, value)
		}
		if !strings.Contains(text, "[redacted]") || !strings.Contains(text, `"level":"DEBUG"`) && !strings.Contains(text, "odd") {
			t.Errorf("the test does not see what it should look through: %s", text)
		}
		for _, line := range strings.Split(text, "\n") {
			if strings.Contains(line, token) || strings.Contains(line, secret) {
				t.Errorf("a secret in: %s", line)
			}
		}
	})
}
