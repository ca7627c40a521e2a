package main

import (
	"bytes"
	"debug/elf"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/connectortest"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

func TestSourceTypeNamesPropertiesThatExist(t *testing.T) {
	text, err := os.ReadFile("deploy/source-type.json")
	if err != nil {
		t.Fatal(err)
	}
	var sourceType struct{ BaseConfigProperties []string }
	if err := json.Unmarshal(text, &sourceType); err != nil || len(sourceType.BaseConfigProperties) == 0 {
		t.Fatalf("%s: %v", text, err)
	}
	for _, property := range sourceType.BaseConfigProperties {
		var value any = "> "
		for _, step := range slices.Backward(strings.Split(property, ".")) {
			value = map[string]any{step: value}
		}
		document, err := protocol.NewDocument(value)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := connector.DecodeConfig[config](document); err != nil {
			t.Errorf("%s: %v", property, err)
		}
	}
}

func TestEcho(t *testing.T) {
	running := connectortest.Start(t, handlers,
		connectortest.WithSource("Plain", nil),
		connectortest.WithSource("Prefixed", map[string]any{
			"echoConfig": map[string]any{"general": map[string]any{"prefix": "> "}},
			"vantiq":     map[string]any{"packageRows": "true"},
		}))
	for name, want := range map[string]string{
		"Plain":    `{"text":"hello","n":9007199254740993}`,
		"Prefixed": `{"n":9007199254740993,"text":"> hello"}`,
	} {
		source := running.Source(name)
		if err := source.SendRaw(`{"op":"publish","object":{"text":"hello","n":9007199254740993}}`); err != nil {
			t.Fatal(err)
		}
		event, err := source.Notification(t.Context())
		if err != nil || event.String() != want {
			t.Errorf("%s: notification %v (%v), want %s", name, event, err, want)
		}
		rows, err := source.Query(t.Context(), map[string]any{"limit": 3})
		if err != nil || len(rows) != 1 || rows[0].String() != `{"limit":3}` {
			t.Errorf("%s: rows %v (%v)", name, rows, err)
		}
		if rows, err = source.Query(t.Context(), nil); err != nil || len(rows) != 0 {
			t.Errorf("%s: rows %v (%v), want none", name, rows, err)
		}
	}
}

// build builds the connector as the image does, and returns a directory laid out like /app: the program below it, and a
// configuration for the given server.
func build(t *testing.T, targetServer string) (directory, program string) {
	t.Helper()
	directory = t.TempDir()
	program = filepath.Join(directory, "bin", "echo-connector")
	command := exec.Command("go", "build", "-o", program, ".")
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	content := "targetServer=" + targetServer + "\nsources=EchoSource\ntcpProbePort=0\n"
	if err := os.Mkdir(filepath.Join(directory, "serverConfig"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(directory, "serverConfig", "server.config"), []byte(content), 0o400); err != nil {
		t.Fatal(err)
	}
	return directory, program
}

// command returns the program, to be run in the directory with an auth token, and what it will write to standard error.
func command(t *testing.T, directory, program, token string, args ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	stderr := new(bytes.Buffer)
	c := exec.CommandContext(t.Context(), program, args...)
	c.Dir, c.Stderr = directory, stderr
	c.Env = []string{"CONNECTOR_AUTH_TOKEN=" + token, "LOG_LEVEL=error"}
	return c, stderr
}

func TestDeployed(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program")
	}
	server := vantiqtest.NewServer()
	defer server.Close()
	source := server.Source("EchoSource", nil)
	directory, program := build(t, server.URL())

	t.Run("the program is static", func(t *testing.T) {
		if runtime.GOOS != "linux" {
			t.Skip("not an ELF file")
		}
		file, err := elf.Open(program)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = file.Close() }()
		for _, segment := range file.Progs {
			if segment.Type == elf.PT_INTERP {
				t.Error("it needs a dynamic linker")
			}
		}
	})

	t.Run("it serves its source until SIGTERM", func(t *testing.T) {
		c, stderr := command(t, directory, program, server.Token())
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		if err := source.WaitConnected(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := source.Publish(t.Context(), map[string]int{"n": 1}); err != nil {
			t.Error(err)
		}
		if event, err := source.Notification(t.Context()); err != nil || event.String() != `{"n":1}` {
			t.Errorf("notification %v (%v)", event, err)
		}
		if err := c.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := c.Wait(); err != nil || stderr.Len() > 0 {
			t.Errorf("it ended with %v and wrote %q", err, stderr)
		}
	})

	fails := func(c *exec.Cmd, stderr *bytes.Buffer, want ...string) {
		t.Helper()
		err := c.Run()
		lines := strings.Split(strings.TrimSpace(stderr.String()), "\n")
		last := lines[len(lines)-1]
		if c.ProcessState.ExitCode() != 1 || !strings.HasPrefix(last, "echo-connector: ") {
			t.Errorf("it ended with %v and wrote %q", err, stderr)
		}
		for _, text := range want {
			if !strings.Contains(last, text) {
				t.Errorf("%q does not say %q", last, text)
			}
		}
	}
	t.Run("an error in the configuration ends it with one line", func(t *testing.T) {
		c, stderr := command(t, directory, program, "")
		fails(c, stderr, filepath.Join("serverConfig", "server.config")+": authToken is missing")
		if strings.Count(stderr.String(), "\n") != 1 {
			t.Errorf("it wrote %q", stderr)
		}
		c, stderr = command(t, t.TempDir(), program, "t")
		fails(c, stderr, filepath.Join("serverConfig", "server.config")+": does not exist, nor does server.config")
		c, stderr = command(t, directory, program, "t", "-config", "none.config")
		fails(c, stderr, "none.config: cannot be read")
	})
	t.Run("a rejected token ends it", func(t *testing.T) {
		c, stderr := command(t, directory, program, "not-this-one")
		fails(c, stderr, "source EchoSource", "token")
		if strings.Contains(stderr.String(), "not-this-one") {
			t.Errorf("it shows the token: %q", stderr)
		}
	})
}
