//go:build unix

package connector_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
)

// tokenError returns what Run says about a token file, within a time in which nothing can be waited for.
func tokenError(t *testing.T, file string) error {
	t.Helper()
	conn, err := connector.New("EchoSource", connector.Options{TargetServer: "http://127.0.0.1:1", AuthTokenFile: file, FailOnConnectionError: true})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- conn.Run(t.Context()) }()
	select {
	case err := <-ended:
		return err
	case <-time.After(patience):
		t.Fatal("Run still reads the file")
		return nil
	}
}

// Reading a pipe or a device has no end: Run then could not even be ended.
func TestATokenFileThatIsNoneIsNotRead(t *testing.T) {
	directory := t.TempDir()
	pipe, huge := filepath.Join(directory, "pipe"), filepath.Join(directory, "huge")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip(err)
	}
	if err := os.WriteFile(huge, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(huge, 1<<40); err != nil { // takes no room
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		pipe:        "is not a regular file",
		directory:   "is not a regular file",
		"/dev/zero": "is not a regular file",
		huge:        "more than 65536 bytes",
	} {
		if err := tokenError(t, file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// net/http makes http://http://me:hunter2@… of it, in which the password is a part of the path. It reads the variable once in a process,
// hence another one.
func TestAMalformedProxyVariableIsNotQuoted(t *testing.T) {
	const inner = "PROXY_TEST_INNER"
	if os.Getenv(inner) != "" {
		conn, err := connector.New("EchoSource", connector.Options{
			TargetServer: "https://vantiq.example.com", AuthToken: "local-token", FailOnConnectionError: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("Run returned: %v", conn.Run(t.Context()))
		return
	}
	command := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	command.Env = append(os.Environ(), inner+"=1", "HTTPS_PROXY=http://me:hunter2@proxy:80 80")
	text, err := command.CombinedOutput()
	if err != nil || strings.Contains(string(text), "hunter2") || !strings.Contains(string(text), "through the proxy") {
		t.Errorf("%v:\n%s", err, text)
	}
}
