package connector_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// A record is a log that can be read while it is written.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// logger returns what writes to r all that is logged.
func (r *record) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(r, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// notable returns what writes to r what is logged by default: all but the level Debug.
func (r *record) notable() *slog.Logger { return slog.New(slog.NewTextHandler(r, nil)) }

// Servers and proxies repeat what they were sent. Only a token from Options was kept out of what they said, and not in
// the reason of a close frame.
func TestATokenThatTheServerRepeatsIsNotShown(t *testing.T) {
	const token = "local-token"
	for name, strike := range map[string]func(b *bench){
		"rejecting the token": func(b *bench) {
			b.server.Inject(vantiqtest.Fault{Op: protocol.OpValidate, Answer: `{"status":401,"body":[{"code":"x","message":"token local-token is bad"}]}`})
		},
		"validating": func(b *bench) {
			b.server.Inject(vantiqtest.Fault{Op: protocol.OpValidate, Answer: `{"status":503,"body":"no time for local-token"}`})
		},
		"connecting": func(b *bench) {
			b.server.Inject(vantiqtest.Fault{Op: protocol.OpConnectExtension, Answer: `{"status":500,"body":[{"code":"x","message":"session of token local-token is bad"}]}`})
		},
		"in a session": func(b *bench) {
			go func() {
				_ = b.source.WaitConnected(b.soon())
				_ = b.source.SendRaw(`{"status":500,"body":{"code":"local-token","message":"m"}}`)
				_ = b.source.SendRaw(`{"op":"local-token"}`)
			}()
		},
		"refusing the upgrade": func(b *bench) {
			b.upgradeOnce(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "https://local-token.example.com/")
				http.Error(w, "go away, local-token", http.StatusMovedPermanently)
			})
		},
		"closing": func(b *bench) {
			var upgrader websocket.Upgrader
			b.upgradeOnce(func(w http.ResponseWriter, r *http.Request) {
				ws, err := upgrader.Upgrade(w, r, nil)
				if err != nil {
					b.t.Error(err)
					return
				}
				defer ws.Close()           //nolint:errcheck // on the way out
				_, _, _ = ws.ReadMessage() // the token
				_ = ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1008, "token local-token has expired"), time.Now().Add(time.Second))
				_, _, _ = ws.ReadMessage()
			})
		},
	} {
		for _, from := range []string{"the options", "a file"} {
			t.Run(name+" with a token from "+from, func(t *testing.T) {
				log := &record{}
				synctest.Test(t, func(t *testing.T) {
					options := connector.Options{Logger: log.logger(), AuthToken: token}
					if from == "a file" {
						options.AuthToken, options.AuthTokenFile = "", filepath.Join(t.TempDir(), "token")
						if err := os.WriteFile(options.AuthTokenFile, []byte(token+"\n"), 0o600); err != nil {
							t.Fatal(err)
						}
					}
					b := setUp(t, nil, options)
					strike(b)
					b.run(echo())
					pass(patience)
					b.stop()
					err := b.endsWithin(drainTime)
					s := b.conn.Stats()
					for what, text := range map[string]string{"the log": log.String(), "LastError": s.LastError, "what Run returned": fmt.Sprint(err)} {
						if strings.Contains(text, token) {
							t.Errorf("the token is in %s:\n%s", what, text)
						}
					}
					if !strings.Contains(s.LastError+log.String(), "[redacted]") {
						t.Error("what the server said is nowhere")
					}
				})
			})
		}
	}
}

// Neither the query of the target nor the header is shown, even when the server repeats it, or one secret is a part of another.
func TestWhatOpensTheWebSocketIsNotShown(t *testing.T) {
	for name, strike := range map[string]func(b *bench, words string){
		"in the upgrade": func(b *bench, words string) {
			b.upgradeOnce(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "https://"+strings.ReplaceAll(words, " ", ".")+".example.com/")
				w.WriteHeader(http.StatusFound)
			})
		},
		"in the handshake": func(b *bench, words string) {
			b.server.Inject(vantiqtest.Fault{Op: protocol.OpValidate, Answer: `{"status":503,"body":"nothing for ` + words + `"}`})
		},
		"in a session": func(b *bench, words string) {
			go func() {
				_ = b.source.WaitConnected(b.soon())
				_ = b.source.SendRaw(`{"status":500,"body":"nothing for ` + words + `"}`)
			}()
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log, causes := &record{}, &journal{}
				b := setUp(t, nil, connector.Options{
					TargetServer: "/?token=hunter2&key=hunter2-long",
					Header:       http.Header{"X-Password": {"hunter4"}, "Authorization": {"Bearer hunter5"}},
					Logger:       log.logger(),
					Hooks:        []connector.Hook{onState(func(_, _ connector.State, cause error) { causes.add(fmt.Sprint(cause)) })},
				})
				strike(b, "hunter2-long hunter2 hunter4 hunter5")
				b.run(echo())
				pass(patience)
				b.stop()
				err := b.endsWithin(drainTime)
				all := log.String() + b.conn.Stats().LastError + fmt.Sprint(err) + fmt.Sprint(causes.all())
				if strings.Contains(all, "hunter") || strings.Contains(all, "-long") || !strings.Contains(all, "[redacted]") {
					t.Errorf("it shows:\n%s", all)
				}
			})
		})
	}
}

// upgradeOnce hands the first request for a link to handle.
func (b *bench) upgradeOnce(handle http.HandlerFunc) {
	var once sync.Once
	b.server.InterceptUpgrade(func(w http.ResponseWriter, r *http.Request) (handled bool) {
		once.Do(func() {
			handle(w, r)
			handled = true
		})
		return handled
	})
}

// resetConn ends as a TCP connection does that was reset: with an error that names the port of this side.
type resetConn struct {
	net.Conn
	port int
}

func (c resetConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil {
		err = reset("read", c.port)
	}
	return n, err
}

func reset(op string, port int) error {
	return &net.OpError{Op: op, Net: "tcp", Source: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}, Err: syscall.ECONNRESET}
}

// The port of this side is in the text of each error, so that one cause that repeats was logged in full every time.
func TestACauseThatRepeatsIsLoggedOnce(t *testing.T) {
	warnings := func(log *record) int {
		return strings.Count(log.String(), "level=WARN msg=\"not connected, trying again\"")
	}
	t.Run("dialling", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			log, port := &record{}, 40_000
			b := setUpOn(t, nil, connector.Options{Logger: log.logger(), DialContext: func(context.Context, string, string) (net.Conn, error) {
				port++
				return nil, reset("dial", port)
			}}, vantiqtest.WithNetwork(vantiqtest.NewNetwork()))
			b.run(echo())
			pass(5 * time.Minute)
			b.must(b.end())
			if n := warnings(log); n != 1 || port < 40_010 {
				t.Errorf("%d attempts, %d warnings", port-40_000, n)
			}
		})
	})
	t.Run("waiting for the upgrade", func(t *testing.T) { // its deadline is the connection's as well: either may be first
		synctest.Test(t, func(t *testing.T) {
			log := &record{}
			b := setUp(t, nil, connector.Options{Logger: log.logger()})
			b.server.InterceptUpgrade(func(_ http.ResponseWriter, r *http.Request) bool {
				<-r.Context().Done()
				return true
			})
			b.run(echo())
			pass(9 * time.Minute)
			b.must(b.end())
			if n, attempts := warnings(log), len(b.server.Dials()); n != 1 || attempts < 10 {
				t.Errorf("%d attempts, %d warnings:\n%s", attempts, n, log)
			}
		})
	})
	t.Run("reading", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			log, port := &record{}, 40_000
			network := vantiqtest.NewNetwork()
			b := setUpOn(t, nil, connector.Options{Logger: log.logger(), DialContext: func(ctx context.Context, family, address string) (net.Conn, error) {
				conn, err := network.DialContext(ctx, family, address)
				if err != nil {
					return nil, err
				}
				port++
				return resetConn{conn, port}, nil
			}}, vantiqtest.WithNetwork(network))
			b.connect(echo())
			for n := range 10 {
				b.source.Drop(vantiqtest.RST)
				b.session(n + 2)
			}
			b.must(b.end())
			if n := warnings(log); n != 1 {
				t.Errorf("%d warnings:\n%s", n, log)
			}
		})
	})
}
