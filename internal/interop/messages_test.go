package interop_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vantiq-go/connectorsdk/internal/interop"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

var update = flag.Bool("update", false, "write what the official SDK for Python and the local Vantiq say into testdata; needs INTEROP_PYTHON")

// TestPeersSayWhatTheSDKsSay compares what the peers send with what the SDKs do, byte for byte: for Python with what was
// recorded, for Java with what the types of that SDK say.
func TestPeersSayWhatTheSDKsSay(t *testing.T) {
	for name, newPeer := range peers {
		t.Run(name, func(t *testing.T) {
			said, _ := converse(t, func(t *testing.T, to *tap, vantiq *direct) {
				through := target(t, vantiq.server, nil)
				through.URL = endpoint(to.URL)
				run(t, newPeer(through))
			})
			wantLines(t, name, said)
		})
	}
}

// TestPythonSDKSaysWhatWasRecorded keeps the recording true, and so the peer.
func TestPythonSDKSaysWhatWasRecorded(t *testing.T) {
	interpreter := python(t)
	said, _ := converse(t, func(t *testing.T, to *tap, vantiq *direct) {
		startSDK(t, interpreter, connectorDirectory(t, to.URL, vantiq.server.Token(), ""))
	})
	if *update {
		record(t, "Python", said)
	}
	wantLines(t, "Python", said)
}

// TestLocalVantiqSaysWhatVantiqSays compares what the local Vantiq sends with messages that have every member of those that
// are on record from Vantiq.
func TestLocalVantiqSaysWhatVantiqSays(t *testing.T) {
	_, said := converse(t, func(t *testing.T, to *tap, vantiq *direct) {
		through := target(t, vantiq.server, nil)
		through.URL = endpoint(to.URL)
		run(t, &interop.Python{Target: through})
	})
	if *update {
		record(t, "Vantiq", said)
	}
	wantLines(t, "Vantiq", said)
}

// converse goes once through all that the two sides can say to each other, and returns what each said.
func converse(t *testing.T, start func(*testing.T, *tap, *direct)) (connector, vantiq string) {
	t.Helper()
	tooLarge := make(chan vantiqtest.Event, 1)
	v := observed(t, nil, func(e vantiqtest.Event) {
		if e.Kind == vantiqtest.TooLargeReceived {
			tooLarge <- e
		}
	}, vantiqtest.WithMaxMessage(512))
	to := newTap(t, endpoint(v.server.URL()))
	start(t, to, v)
	v.WaitSession(1)
	want(t, v.Notification(), `{"configured":`+firstConfig+`}`)
	if err := v.Publish(firstConfig); err != nil {
		t.Fatal(err)
	}
	want(t, v.Notification(), `{"published":`+firstConfig+`}`)
	if err := v.Publish(`{"text":"` + strings.Repeat("-", 512) + `"}`); err != nil {
		t.Fatal(err)
	}
	select {
	case <-tooLarge:
	case <-within(t).Done():
		t.Fatal("the notification that is too large has not arrived")
	}
	wantRows(t, v, `{"rows":5,"partial":2}`, 5)
	wantRows(t, v, `{"rows":2,"partial":1,"empty":true}`, 2)
	wantRows(t, v, `{}`, 0)
	if _, err := v.Query(`{"row":{"n":1}}`); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Query(`{"error":"é"}`); err == nil {
		t.Fatal("the query did not fail")
	}
	v.Reactivate(1)
	began(t, v, 2, firstConfig)
	return to.heard()
}

func endpoint(url string) string { return "ws" + url[len("http"):] + "/api/v1/wsock/websocket" }

func recording(name string) string { return filepath.Join("testdata", name+".messages") }

func record(t *testing.T, name, said string) {
	t.Helper()
	if err := os.WriteFile(recording(name), []byte(said), 0o600); err != nil {
		t.Fatal(err)
	}
}

func wantLines(t *testing.T, name, said string) {
	t.Helper()
	recorded, err := os.ReadFile(recording(name))
	if err != nil {
		t.Fatal(err)
	}
	lines, wanted := strings.Split(said, "\n"), strings.Split(string(recorded), "\n")
	for i := range max(len(lines), len(wanted)) {
		if i >= len(lines) || i >= len(wanted) || lines[i] != wanted[i] {
			t.Fatalf("from line %d on it said\n%s\nbut on record in %s is\n%s", i+1,
				strings.Join(lines[min(i, len(lines)):], "\n"), recording(name), strings.Join(wanted[min(i, len(wanted)):], "\n"))
		}
	}
}
