package connector_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// A tap is a network connection that keeps what is written to it, call by call.
type tap struct {
	net.Conn
	mu    sync.Mutex
	calls [][]byte
}

func (c *tap) Write(p []byte) (int, error) {
	c.mu.Lock()
	c.calls = append(c.calls, bytes.Clone(p))
	c.mu.Unlock()
	return c.Conn.Write(p)
}

// written returns what was written since the last call of it.
func (c *tap) written() (calls [][]byte) {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	calls, c.calls = c.calls, nil
	return calls
}

// setUpTapped connects with a tap on the link.
func setUpTapped(t *testing.T, options connector.Options, more ...vantiqtest.Option) (*bench, *tap) {
	t.Helper()
	network, c := vantiqtest.NewNetwork(), &tap{}
	options.DialContext = func(ctx context.Context, family, address string) (_ net.Conn, err error) {
		c.Conn, err = network.DialContext(ctx, family, address)
		return c, err
	}
	return setUpOn(t, nil, options, append(more, vantiqtest.WithNetwork(network))...), c
}

// Messages that are ready together leave in one system call, with TLS as well, and nothing waits for more of them.
func TestMessagesThatAreReadyTogetherLeaveInOneWrite(t *testing.T) {
	for _, scheme := range []string{"http", "https"} {
		t.Run(scheme, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				certificates, more := x509.NewCertPool(), []vantiqtest.Option{}
				if scheme == "https" {
					more = append(more, vantiqtest.WithTLS(nil))
				}
				b, c := setUpTapped(t, connector.Options{TLS: &tls.Config{RootCAs: certificates}}, more...)
				if roots := b.server.RootCAs(); roots != nil {
					*certificates = *roots
				}
				b.connect(echo())
				b.widen(200)
				b.source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
				b.sendAll(0, 160) // as many as the window takes, and these fill it
				b.source.ReleaseAcknowledgements(1)
				synctest.Wait()
				b.sendAll(160, 200)
				_ = c.written()
				before := b.conn.Stats().Sent
				b.source.SetAcknowledgements(vantiqtest.Acknowledgements{})
				calls, sent := c.written(), b.conn.Stats().Sent-before
				if len(calls) == 0 || sent < 30 || len(calls) > 4 {
					t.Errorf("%d notifications left in %d writes", sent, len(calls))
				}
				b.sendAll(200, 201)
				if calls := c.written(); len(calls) != 1 {
					t.Errorf("one notification left in %d writes", len(calls))
				}
			})
		})
	}
}

// frames returns how many frames a client wrote, and how many of them are parts of a larger message.
func frames(t *testing.T, stream []byte) (all, parts int) {
	t.Helper()
	for len(stream) > 0 {
		const masked, maskSize = 0x80, 4
		final, op, size, head := stream[0]&0x80 != 0, stream[0]&0x0f, int(stream[1]&^masked), 2
		switch size {
		case 126:
			size, head = int(binary.BigEndian.Uint16(stream[2:])), 4
		case 127:
			size, head = int(binary.BigEndian.Uint64(stream[2:])), 10
		}
		if stream[1]&masked == 0 || head+maskSize+size > len(stream) {
			t.Fatalf("%d bytes are not whole frames of a client", len(stream))
		}
		all++
		if !final || op == 0 {
			parts++
		}
		stream = stream[head+maskSize+size:]
	}
	return all, parts
}

// Both other SDKs send each message as a single frame; nobody knows whether Vantiq would take another.
func TestMessagesAreSingleFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, c := setUpTapped(t, connector.Options{Logger: quiet})
		b.connect(onQuery(func(ctx context.Context, _ *connector.SourceConnection, q *connector.Query) error {
			return q.Complete(ctx, []object{{"pad": strings.Repeat("x", 200_000)}, {"pad": strings.Repeat("x", 200_000)}})
		}))
		_ = c.written() // the HTTP upgrade as well
		for _, size := range []int{20, 70_000, 200_000, 262_000} {
			b.must(b.conn.SendNotification(b.soon(), padded(size)))
			b.must(b.conn.Flush(b.soon()))
		}
		_, err := b.source.Query(b.soon(), nil)
		b.must(err)
		if all, parts := frames(t, bytes.Join(c.written(), nil)); all != 6 || parts != 0 {
			t.Errorf("6 messages left in %d frames, %d of them parts", all, parts)
		}
	})
}

// marshalled counts how often it is.
type marshalled struct{ times *atomic.Int64 }

func (m marshalled) MarshalJSON() ([]byte, error) {
	m.times.Add(1)
	return []byte(`{"n":0}`), nil
}

// A notification is what it was when it was accepted, however often it is sent.
func TestANotificationIsEncodedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := withholding(t, connector.Options{})
		var times atomic.Int64
		b.must(b.conn.SendNotification(b.soon(), marshalled{&times}))
		for n := range 3 {
			synctest.Wait()
			b.source.Drop(vantiqtest.FIN)
			b.session(n + 2)
		}
		if s := b.conn.Stats(); times.Load() != 1 || s.Resent != 3 {
			t.Errorf("encoded %d times, sent again %d times", times.Load(), s.Resent)
		}
		b.source.SetAcknowledgements(vantiqtest.Acknowledgements{})
		b.must(b.conn.Flush(b.soon()))
	})
}
