package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// builtIn is where the program was built, once for all tests; empty if none needed it.
var builtIn string

var buildOnce = sync.OnceValue(func() (err error) {
	if builtIn, err = os.MkdirTemp("", "webhook-connector-"); err != nil {
		return err
	}
	if out, err := exec.Command("go", "build", "-o", filepath.Join(builtIn, "webhook-connector"), ".").CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
})

// A workplace is where the program runs, again and again.
type workplace struct {
	t         *testing.T
	directory string
	address   string // where it listens for requests
	server    *vantiqtest.Server
}

// newWorkplace makes a workplace with a server.config for these sources, separated by commas, of a local Vantiq.
func newWorkplace(t *testing.T, sources string, more ...string) *workplace {
	t.Helper()
	if testing.Short() {
		t.Skip("builds the program")
	}
	if runtime.GOOS == "windows" {
		t.Skip("needs signals")
	}
	if err := buildOnce(); err != nil {
		t.Fatal(err)
	}
	w := &workplace{t: t, directory: t.TempDir(), address: freeAddress(t), server: vantiqtest.NewServer()}
	t.Cleanup(w.server.Close)
	more = append(more, "targetServer="+w.server.URL(), "authToken="+w.server.Token(), "sources="+sources, "tcpProbePort=0", "reconnectSecret=same")
	if err := os.WriteFile(filepath.Join(w.directory, "server.config"), []byte(strings.Join(more, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	return w
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// start starts the program. What it writes is to be read when it has ended.
func (w *workplace) start(args ...string) (*exec.Cmd, *bytes.Buffer) {
	w.t.Helper()
	out := new(bytes.Buffer)
	c := exec.CommandContext(w.t.Context(), filepath.Join(builtIn, "webhook-connector"), append([]string{"-listen", w.address}, args...)...)
	c.Dir, c.Stdout, c.Stderr, c.Env = w.directory, out, out, []string{"LOG_LEVEL=error"}
	if err := c.Start(); err != nil {
		w.t.Fatal(err)
	}
	return c, out
}

// post posts JSON and returns the status.
func (w *workplace) post(client *http.Client, url, body string) (status int, err error) {
	request, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}

// SIGTERM ends the intake first: a request that waits for Vantiq is answered, and so are none that come later.
func TestTheProcessAnswersWhatRunsBeforeItLeaves(t *testing.T) {
	w := newWorkplace(t, "Slow")
	source := w.server.Source("Slow", object{"webhookConfig": object{"general": object{"answer": "acknowledged"}}})
	c, out := w.start()
	client := &http.Client{}
	defer client.CloseIdleConnections()
	w.postUntil(client, "http://"+w.address+"/hooks/Slow", `0`, http.StatusOK)
	source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
	next(t, source)
	status := make(chan int, 1)
	go func() {
		got, err := w.post(client, "http://"+w.address+"/hooks/Slow", `1`)
		if err != nil {
			t.Error(err)
		}
		status <- got
	}()
	next(t, source)
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for { // until the listener is closed
		conn, err := net.Dial("tcp", w.address)
		if err != nil {
			break
		}
		conn.Close()
	}
	source.ReleaseAcknowledgements(1)
	if got := <-status; got != http.StatusOK {
		t.Errorf("the request that ran was answered %d", got)
	}
	if err := c.Wait(); err != nil || out.Len() > 0 {
		t.Errorf("it ended with %v and wrote %q", err, out)
	}
}

func TestTheProcessPushesBackWhenItsOutboxIsFull(t *testing.T) {
	w := newWorkplace(t, "Full", "outboxMessages=3", "outboxFull=dropOldest", "drainTime=100ms")
	source := w.server.Source("Full", nil)
	c, out := w.start()
	client := &http.Client{}
	defer client.CloseIdleConnections()
	url := "http://" + w.address + "/hooks/Full"
	w.postUntil(client, url, `0`, http.StatusAccepted)
	next(t, source)
	source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
	taken := 0
	for status := http.StatusAccepted; status == http.StatusAccepted; taken++ {
		var err error
		if status, err = w.post(client, url, `1`); err != nil {
			t.Fatal(err)
		}
		if status != http.StatusAccepted && status != http.StatusServiceUnavailable {
			t.Errorf("it was answered %d", status)
		}
	}
	if taken--; taken < 2 || taken > 3 { // the acknowledgement of the first may have come late
		t.Errorf("%d were taken", taken)
	}
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil || out.Len() > 0 { // what is left is in the outbox, and no loss
		t.Errorf("it ended with %v and wrote %q", err, out)
	}

	source.SetAcknowledgements(vantiqtest.Acknowledgements{})
	c, _ = w.start()
	for range 2 * taken { // what had arrived arrives again
		next(t, source)
	}
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait()
}

// postUntil posts until the answer is as wanted: the connector may still be starting.
func (w *workplace) postUntil(client *http.Client, url, body string, want int) {
	w.t.Helper()
	for {
		if got, err := w.post(client, url, body); err == nil && got == want {
			return
		}
		if err := pause(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
	}
}

func TestTheProcessSpeaksTLS(t *testing.T) {
	w := newWorkplace(t, "Secure")
	source := w.server.Source("Secure", nil)
	helper := httptest.NewTLSServer(http.NotFoundHandler()) // it has a certificate, and a client that trusts it
	defer helper.Close()
	pair := helper.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: pair.Certificate[0]},
		"key.pem":  {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(filepath.Join(w.directory, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, out := w.start("-tls-cert", "cert.pem", "-tls-key", "key.pem")
	w.postUntil(helper.Client(), "https://"+w.address+"/hooks/Secure", `{}`, http.StatusAccepted)
	next(t, source)
	if conn, err := tls.Dial("tcp", w.address, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11}); err == nil {
		_ = conn.Close()
		t.Error("it speaks TLS 1.1")
	}
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil || out.Len() > 0 {
		t.Errorf("it ended with %v and wrote %q", err, out)
	}
}

func TestTheProcessSaysWhatIsWrong(t *testing.T) {
	w := newWorkplace(t, "S")
	w.server.Source("S", nil)
	for text, args := range map[string][]string{
		"listen tcp":                         {"-listen", "127.0.0.1:no-port"},
		"mkdir /dev/null":                    {"-state", "/dev/null/state"},
		"none.pem: no such file":             {"-tls-cert", "none.pem", "-tls-key", "none.pem"},
		"none.config: cannot be read":        {"-config", "none.config"},
		"unexpected arguments: and more":     {"and", "more"},
		"tls: failed to find any PEM data":   {"-tls-cert", "server.config", "-tls-key", "server.config"},
		"open : no such file":                {"-tls-cert", "server.config"},
		"webhook-connector: listen tcp 192.": {"-listen", "192.0.2.1:80"},
	} {
		c, out := w.start(args...)
		err := c.Wait()
		if said := out.String(); c.ProcessState.ExitCode() != 1 || strings.Count(said, "\n") != 1 || !strings.Contains(said, text) {
			t.Errorf("%q: it ended with %v and wrote %q", args, err, said)
		}
	}
}
