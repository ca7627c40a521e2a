package interop_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/vantiq-go/connectorsdk/internal/interop"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// An sdk is a process that runs a connector in Python.
type sdk struct {
	output *output
	ended  chan error // what Wait returned; it stays there
}

// startSDK starts the connector of testdata in a directory that holds a server.config.
func startSDK(t *testing.T, interpreter, directory string) *sdk {
	t.Helper()
	script, err := filepath.Abs("testdata/connector.py")
	if err != nil {
		t.Fatal(err)
	}
	return startPython(t, interpreter, script, directory)
}

// startPython starts a program in a directory. It ends with the test; what it has written is shown if that fails.
func startPython(t *testing.T, interpreter, script, directory string) *sdk {
	t.Helper()
	command := exec.Command(interpreter, script)
	s := &sdk{output: new(output), ended: make(chan error, 1)}
	command.Dir, command.Stdout, command.Stderr = directory, s.output, s.output
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { s.ended <- command.Wait() }()
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = s.wait()
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(directory, "VantiqConnector.log"))
			t.Logf("the connector said:\n%s%s", s.output, log)
		}
	})
	return s
}

// wait waits until the process has ended.
func (s *sdk) wait() error {
	err := <-s.ended
	s.ended <- err
	return err
}

// connectorDirectory returns a directory that holds nothing but a server.config, which is what a connector is started in.
func connectorDirectory(t *testing.T, url, token, more string) string {
	t.Helper()
	directory := t.TempDir()
	config := fmt.Sprintf("targetServer=%s\nauthToken=%s\nsources=%s\n%s", url, token, sourceName, more)
	if err := os.WriteFile(filepath.Join(directory, "server.config"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return directory
}

func TestWrongTokenEndsPythonSDK(t *testing.T) {
	interpreter := python(t)
	vantiq := newDirect(t, nil)
	connector := startSDK(t, interpreter, connectorDirectory(t, vantiq.server.URL(), "guess", ""))
	err := connector.wait()
	const wanted = "configuration: Connect call failed: 401 :: authFailure:invalid authToken"
	if err == nil || !strings.Contains(connector.output.String(), wanted) {
		t.Errorf("it ended with %v and said %q, want %q", err, connector.output, wanted)
	}
}

// A connector that has a property reconnectSecret=S is usurped by one that sends its source, an underscore and S; it comes
// back at once, and usurps.
func TestSameSecretUsurpsPythonSDK(t *testing.T) {
	interpreter := python(t)
	vantiq := newDirect(t, nil)
	startSDK(t, interpreter, connectorDirectory(t, vantiq.server.URL(), vantiq.server.Token(), "reconnectSecret=5f0c\n"))
	vantiq.WaitSession(1)
	ended := once(t, target(t, vantiq.server, nil))()
	vantiq.WaitSession(3)
	if err := <-ended; err != nil {
		t.Errorf("the usurper's link ended with %v, want nil", err)
	}
	for i, connect := range vantiq.source.Connects() {
		if connect.Refused != nil || connect.Usurped != (i > 0) {
			t.Errorf("connect %d: usurped: %t, refused: %v", i, connect.Usurped, connect.Refused)
		}
	}
}

func TestAnotherSecretRefusesPythonSDK(t *testing.T) {
	interpreter := python(t)
	refused := make(chan struct{}, 10)
	vantiq := observed(t, nil, func(e vantiqtest.Event) {
		if e.Kind != vantiqtest.ConnectRefused {
			return
		}
		select {
		case refused <- struct{}{}:
		default: // it comes back without any delay
		}
	})
	to := target(t, vantiq.server, nil)
	end := run(t, &interop.Python{Target: to})
	vantiq.WaitSession(1)
	startSDK(t, interpreter, connectorDirectory(t, vantiq.server.URL(), vantiq.server.Token(), ""))
	for range cap(refused) {
		select {
		case <-refused:
		case <-within(t).Done():
			t.Fatal("it did not come back")
		}
	}
	if vantiq.Sessions() != 1 {
		t.Errorf("%d sessions, want 1", vantiq.Sessions())
	}
	_ = end()
	vantiq.WaitSession(2)
}

func TestPythonSDKTakesAMebibyte(t *testing.T) {
	interpreter := python(t)
	vantiq := newDirect(t, nil, vantiqtest.WithMaxMessage(2<<20))
	startSDK(t, interpreter, connectorDirectory(t, vantiq.server.URL(), vantiq.server.Token(), ""))
	vantiq.WaitSession(1)
	takesAMebibyte(t, vantiq)
}

// With sendPings=true the SDK notices within a minute that its link is half open. It usurps its own session then.
func TestPulledCableOfPythonSDK(t *testing.T) {
	interpreter := python(t)
	if testing.Short() && !required() {
		t.Skip("it takes 50 seconds")
	}
	t.Parallel()
	vantiq := newDirect(t, nil)
	startSDK(t, interpreter, connectorDirectory(t, vantiq.server.URL(), vantiq.server.Token(), "sendPings=true\n"))
	vantiq.WaitSession(1)
	_ = vantiq.Notification()
	vantiq.Drop(vantiqtest.Vanish)
	if err := vantiq.Publish(`{"lost":true}`); err != nil {
		t.Errorf("a publish into a half open link fails with %v", err)
	}
	began(t, vantiq, 2, firstConfig)
	if connect := vantiq.source.Connects()[1]; !connect.Usurped {
		t.Error("the second connect did not usurp the session")
	}
}

// An output holds what a process writes.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
