package loadserver

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/gobwas/ws"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A fakeConn reads from one side, and keeps each write.
type fakeConn struct {
	net.Conn
	io.Reader
	writes []string
}

func (f *fakeConn) Read(p []byte) (int, error) { return f.Reader.Read(p) }

func (f *fakeConn) Write(p []byte) (int, error) {
	f.writes = append(f.writes, string(p))
	return len(p), nil
}

// sent returns frames as a client sends them.
func sent(frames ...ws.Frame) []byte {
	var all bytes.Buffer
	for _, f := range frames {
		ws.MustWriteFrame(&all, ws.MaskFrame(f))
	}
	return all.Bytes()
}

func TestALinkReadsMessagesHoweverTheyCome(t *testing.T) {
	long, longer := strings.Repeat("a", 300), strings.Repeat("b", 70_000)
	stream := sent(
		ws.NewTextFrame([]byte("short")),
		ws.NewBinaryFrame([]byte(long)),
		ws.NewFrame(ws.OpText, false, []byte("in ")),
		ws.NewPingFrame([]byte("between")),
		ws.NewFrame(ws.OpContinuation, false, []byte("three ")),
		ws.NewFrame(ws.OpContinuation, true, []byte("frames")),
		ws.NewBinaryFrame(nil),
		ws.NewBinaryFrame([]byte(longer)),
	)
	for name, in := range map[string]io.Reader{
		"at once":      bytes.NewReader(stream),
		"byte by byte": iotest.OneByteReader(bytes.NewReader(stream)),
	} {
		for _, size := range []int{1, 64, 1 << 20} {
			l := newLink(&fakeConn{Reader: in}, nil, size)
			for _, want := range []string{"short", long, "in three frames", "", longer} {
				if message, err := l.next(); err != nil || string(message) != want {
					t.Fatalf("%s, buffer of %d: %.40q (%v), want %.40q", name, size, message, err, want)
				}
			}
			if _, err := l.next(); err == nil || !strings.Contains(err.Error(), "without a close frame") {
				t.Errorf("%s, buffer of %d: %v", name, size, err)
			}
			if writes := l.tcp.(*fakeConn).writes; len(writes) != 1 || writes[0] != string(ws.MustCompileFrame(ws.NewPongFrame([]byte("between")))) {
				t.Errorf("%s, buffer of %d: it wrote %q", name, size, writes)
			}
			in = bytes.NewReader(stream)
		}
	}
}

func TestAnswersToWhatOneReadBroughtLeaveInOneWrite(t *testing.T) {
	conn := &fakeConn{Reader: bytes.NewReader(sent(ws.NewTextFrame([]byte("1")), ws.NewTextFrame([]byte("2")), ws.NewTextFrame([]byte("3"))))}
	l := newLink(conn, nil, 1<<10)
	for range 3 {
		if _, err := l.next(); err != nil {
			t.Fatal(err)
		}
		l.answer(acknowledged)
	}
	_, _ = l.next()
	if want := strings.Repeat(string(acknowledged), 3); len(conn.writes) != 1 || conn.writes[0] != want {
		t.Errorf("it wrote %q", conn.writes)
	}
}

func TestACloseFrameIsAnswered(t *testing.T) {
	conn := &fakeConn{Reader: bytes.NewReader(sent(ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusNormalClosure, ""))))}
	if _, err := newLink(conn, nil, 64).next(); !errors.Is(err, errClosed) {
		t.Error(err)
	}
	if len(conn.writes) != 1 || conn.writes[0] != string(ws.CompiledCloseNormalClosure) {
		t.Errorf("it wrote %q", conn.writes)
	}
}

func TestAHugeFrameIsRefused(t *testing.T) {
	header := []byte{0x82, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4} // 4 GiB
	if _, err := newLink(&fakeConn{Reader: bytes.NewReader(header)}, nil, 64).next(); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Error(err)
	}
}

func TestMembersAreFoundHoweverTheyAreWritten(t *testing.T) {
	for _, message := range []string{`{"status":200,"a":"b c"}`, `{"status": 200, "a": "b c"}`, `{"a" : "b c", "status" : 200}`} {
		if n, ok := number([]byte(message), `"status"`); n != 200 || !ok {
			t.Errorf("%s: status %d, %v", message, n, ok)
		}
		if s, ok := text([]byte(message), `"a"`); s != "b c" || !ok {
			t.Errorf("%s: a %q, %v", message, s, ok)
		}
	}
	for _, message := range []string{`{}`, `{"status"`, `{"status":null}`, `{"status":"200"}`} {
		if n, ok := number([]byte(message), `"status"`); ok {
			t.Errorf("%s: status %d", message, n)
		}
		if s, ok := text([]byte(message), `"a"`); ok {
			t.Errorf("%s: a %q", message, s)
		}
	}
}

func TestMostWithin(t *testing.T) {
	start := time.Unix(0, 0)
	var moments []time.Time
	for _, ms := range []int{0, 900, 950, 999, 1000, 1899, 1900, 5000} {
		moments = append(moments, start.Add(time.Duration(ms)*time.Millisecond))
	}
	if most := mostWithin(moments, time.Second); most != 5 {
		t.Errorf("%d, want 5: from 900 to 1899", most)
	}
	if most := mostWithin(nil, time.Second); most != 0 {
		t.Errorf("%d of none", most)
	}
}
