package connector_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	"github.com/lmittmann/tint"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// colourful returns a logger as programs use it where a person reads a terminal.
func (r *record) colourful() *slog.Logger {
	return slog.New(tint.NewTextHandler(r, &tint.Options{Level: slog.LevelDebug}))
}

// What others say ends up on terminals: it must not command them, nor look like lines of the log's own.
func TestWordsOfOthersDoNotCommandATerminal(t *testing.T) {
	const words = "harmless \x1b[2J \\x1b[2J\nFORGED"
	const asJSON = `harmless \u001b[2J \\x1b[2J\nFORGED`
	for name, strike := range map[string]func(b *bench){
		"rejecting the token": func(b *bench) {
			b.server.Inject(vantiqtest.Fault{Op: protocol.OpValidate, Answer: `{"status":401,"body":[{"code":"x","message":"` + asJSON + `"}]}`})
		},
		"refusing the source": func(b *bench) {
			b.server.Inject(vantiqtest.Fault{Op: protocol.OpConnectExtension, Answer: `{"status":404,"body":"` + asJSON + `"}`})
		},
		"in a session": func(b *bench) {
			go func() {
				_ = b.source.WaitConnected(b.soon())
				_ = b.source.SendRaw(`{"status":500,"body":{"code":"` + asJSON + `"}}`)
				_ = b.source.SendRaw(`{"op":"` + asJSON + `"}`)
			}()
		},
		"refusing the upgrade": func(b *bench) {
			b.upgradeOnce(func(w http.ResponseWriter, _ *http.Request) {
				c, _, err := w.(http.Hijacker).Hijack()
				if err != nil {
					b.t.Error(err)
				}
				_, _ = c.Write([]byte("HTTP/1.1 404 harmless\x1b[2J\r\n\r\n"))
				_ = c.Close()
			})
		},
		"speaking another protocol": func(b *bench) {
			b.upgradeOnce(func(w http.ResponseWriter, _ *http.Request) {
				c, _, err := w.(http.Hijacker).Hijack()
				if err != nil {
					b.t.Error(err)
				}
				_, _ = c.Write([]byte("HTTP/1.1 101 OK\r\nharmless\x1b[2J\r\n\r\n"))
				_ = c.Close()
			})
		},
		"closing": func(b *bench) {
			b.upgradeOnce(func(w http.ResponseWriter, r *http.Request) {
				ws, err := new(websocket.Upgrader).Upgrade(w, r, nil)
				if err != nil {
					b.t.Error(err)
				}
				defer ws.Close() //nolint:errcheck // on the way out
				_ = ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1008, words), time.Now().Add(time.Second))
				_, _, _ = ws.ReadMessage() // the token
				_, _, _ = ws.ReadMessage()
			})
		},
		"a handler that repeats them": func(*bench) {},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := &record{}
				b := setUp(t, nil, connector.Options{Logger: log.colourful()})
				strike(b)
				handlers := echo()
				if strings.Contains(name, "handler") {
					handlers.Connect = func(context.Context, *connector.SourceConnection, connector.Document) error { return errors.New(words) }
				}
				b.run(handlers)
				pass(patience)
				b.stop()
				err := b.endsWithin(drainTime)
				texts := map[string]string{"the log": log.String()}
				if !strings.Contains(name, "handler") { // whose error is its own
					texts["LastError"], texts["what Run returned"] = b.conn.Stats().LastError, fmt.Sprint(err)
				}
				for what, text := range texts {
					if strings.Contains(text, "\x1b[2J") || strings.Contains(text, "\nFORGED") {
						t.Errorf("%s has them as they are: %q", what, text)
					}
				}
				if !strings.Contains(log.String(), `harmless`) {
					t.Errorf("what was said is nowhere: %q", log.String())
				}
			})
		})
	}
}

// The name of an operation may have 16 MiB, and was kept and logged whole.
func TestUnknownOperationsAreRememberedAndLoggedInLittleSpace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &record{}
		b := setUp(t, nil, connector.Options{Logger: log.logger()}).connect(echo())
		for n := range 100 {
			b.must(b.source.SendRaw(fmt.Sprintf(`{"op":"%d%s"}`, n, strings.Repeat("x", 10_000))))
		}
		synctest.Wait()
		if n := strings.Count(log.String(), "unknown operation"); n < 1 || n > 16 {
			t.Errorf("%d unknown operations were logged", n)
		}
		if n := len(log.String()); n > 10_000 {
			t.Errorf("the log has %d bytes", n)
		}
	})
}

// The answer to the token holds the credentials of a session.
func TestTheLoginReplyIsNeverLogged(t *testing.T) {
	const user = `{"userInfo":{"accessToken":"hunter2","idToken":"hunter2"}}`
	for name, answer := range map[string]string{
		"as it should be": `{"status":200,"body":` + user + `}`,
		"malformed":       `{"status":200,"body":` + user,
		"too large":       `{"status":200,"body":` + user + `,"pad":"` + strings.Repeat("x", 2000) + `"}`,
		"as an operation": `{"op":"validate","object":` + user + `}`,
		"odd":             `{"status":"200","body":` + user + `}`,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := &record{}
				b := setUp(t, nil, connector.Options{Logger: log.logger(), MaxInbound: 1024})
				b.server.Inject(vantiqtest.Fault{Op: protocol.OpValidate, Answer: answer})
				b.run(echo())
				pass(patience)
				_ = b.source.SendRaw(answer) // and once more
				pass(time.Second)
				if text := log.String() + b.conn.Stats().LastError; strings.Contains(text, "hunter2") || !strings.Contains(text, "connected") {
					t.Error(text)
				}
			})
		})
	}
}

// Whoever knows the secret takes the source over.
func TestTheReconnectSecretIsNotShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &record{}
		b := setUp(t, nil, connector.Options{Logger: log.logger()}).connect(echo())
		secret := string(b.source.Connects()[0].Secret)
		b.must(b.source.SendRaw(`{"status":500,"body":"the secret is ` + secret + `"}`))
		synctest.Wait()
		if text := log.String(); strings.Contains(text, secret) || !strings.Contains(text, "the secret is [redacted]") {
			t.Error(text)
		}
	})
}
