package program_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/connectorset"
	"github.com/vantiq-go/connectorsdk/program"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

var handlers = connector.Handlers{
	Publish: func(ctx context.Context, c *connector.SourceConnection, message connector.Document) error {
		return c.SendNotification(ctx, message)
	},
}

// The test binary is the connector when the environment says so.
func TestMain(m *testing.M) {
	switch os.Getenv("PROGRAM") {
	case "serve":
		program.Main(program.Serve(handlers))
	case "hang":
		program.Main(func(ctx context.Context, env program.Env) error {
			env.Logger.Info("waiting")
			<-ctx.Done()
			env.Logger.Info("hanging")
			select {}
		})
	case "other":
		own := flag.String("own", "", "a flag of its own")
		program.Main(func(_ context.Context, env program.Env) error {
			env.Logger.Debug("debug line")
			env.Logger.Info("info line", "own", *own, "file", env.File)
			return errors.Join(errors.New("first\nline"), errors.New("second"))
		})
	}
	os.Exit(m.Run())
}

type process struct {
	*exec.Cmd
	out, err bytes.Buffer
}

// start starts the test binary as a program, in an empty directory.
func prepare(t *testing.T, role string, environment []string, args ...string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	p := &process{Cmd: exec.CommandContext(ctx, self, args...)}
	p.Dir, p.Stdout, p.Stderr = t.TempDir(), &p.out, &p.err
	p.Env = append(append(os.Environ(), "PROGRAM="+role, "LOG_LEVEL="), environment...)
	return p
}

// ends runs a program and returns its exit code.
func (p *process) ends(t *testing.T) int {
	t.Helper()
	var exit *exec.ExitError
	if err := p.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return p.ProcessState.ExitCode()
}

func TestAnErrorIsOneLineAndExitCode1(t *testing.T) {
	p := prepare(t, "other", nil, "-own", "x", "-config", "some.config")
	if code := p.ends(t); code != 1 {
		t.Errorf("exit code %d", code)
	}
	lines := strings.Split(strings.TrimSpace(p.err.String()), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], "info line") || !strings.Contains(lines[0], "own=x file=some.config") ||
		!strings.HasSuffix(lines[1], ": first; line; second") {
		t.Errorf("standard error %q", lines)
	}
	if strings.Contains(lines[0], "\x1b") {
		t.Error("colours, and no terminal")
	}
}

func TestTheEnvironmentSetsTheLevel(t *testing.T) {
	p := prepare(t, "other", []string{"LOG_LEVEL=debug"})
	p.ends(t)
	if !strings.Contains(p.err.String(), "debug line") {
		t.Errorf("standard error %q", p.err.String())
	}
	p = prepare(t, "other", []string{"LOG_LEVEL=loud"})
	if code := p.ends(t); code != 1 || !strings.Contains(p.err.String(), `LOG_LEVEL "loud" is not accepted: use debug`) {
		t.Errorf("exit code %d, standard error %q", code, p.err.String())
	}
}

func TestArgumentsThatNobodyReadsAreRefused(t *testing.T) {
	p := prepare(t, "other", nil, "my.config")
	if code := p.ends(t); code != 1 || !strings.Contains(p.err.String(), "unexpected arguments: my.config") {
		t.Errorf("exit code %d, standard error %q", code, p.err.String())
	}
}

func TestVersion(t *testing.T) {
	p := prepare(t, "serve", nil, "-version")
	if code := p.ends(t); code != 0 || !strings.HasPrefix(p.out.String(), "github.com/vantiq-go/connectorsdk ") || p.err.Len() > 0 {
		t.Errorf("exit code %d, %q, %q", code, p.out.String(), p.err.String())
	}
}

func TestServeNeedsAConfiguration(t *testing.T) {
	p := prepare(t, "serve", nil)
	if code := p.ends(t); code != 1 || !strings.Contains(p.err.String(), "server.config") || strings.Count(p.err.String(), "\n") != 1 {
		t.Errorf("exit code %d, standard error %q", code, p.err.String())
	}
}

func TestServeDrainsAtASignal(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot be told to leave there")
	}
	server := vantiqtest.NewServer()
	defer server.Close()
	source := server.Source("EchoSource", nil)
	for _, told := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		p := prepare(t, "serve", nil, "-config", "my.config")
		config := "targetServer=" + server.URL() + "\nsources=EchoSource\ntcpProbePort=0\nauthToken=" + server.Token() + "\n"
		if err := os.WriteFile(filepath.Join(p.Dir, "my.config"), []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		if err := source.WaitConnected(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := source.Publish(t.Context(), map[string]any{"n": 1}); err != nil {
			t.Fatal(err)
		}
		if event, err := source.Notification(t.Context()); err != nil || event.String() != `{"n":1}` {
			t.Errorf("%v (%v)", event, err)
		}
		session := source.Sessions() + 1
		source.Drop(vantiqtest.FIN) // which makes nobody restart it
		if err := source.WaitSession(t.Context(), session); err != nil {
			t.Fatal(err)
		}
		if err := p.Process.Signal(told); err != nil {
			t.Fatal(err)
		}
		if err := p.Wait(); err != nil {
			t.Errorf("%v: %v, %s", told, err, p.err.String())
		}
		if text := p.err.String(); strings.Count(text, "msg=healthy") != 1 || strings.Contains(text, "unhealthy") {
			t.Errorf("it was not healthy, and once:\n%s", p.err.String())
		}
		if err := source.WaitDisconnected(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func TestASecondSignalEndsAProgramThatHangs(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot be told to leave there")
	}
	p := prepare(t, "hang", nil)
	p.Stderr = nil
	lines, err := p.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewScanner(lines)
	for _, want := range []string{"waiting", "hanging"} {
		if !said.Scan() || !strings.Contains(said.Text(), want) {
			t.Fatalf("it says %q, not that it is %s", said.Text(), want)
		}
		if want == "waiting" {
			if err := p.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); err == nil || p.ProcessState.ExitCode() != -1 {
		t.Errorf("it ended with %v", err)
	}
}

// Env.Options may be overridden.
func ExampleMain() {
	flag.String("greeting", "hello", "a flag of the connector's own, declared before Main")
	program.Main(func(ctx context.Context, env program.Env) error {
		set, err := connectorset.Load(append(env.Options, connectorset.WithLogger(slog.Default()))...)
		if err != nil {
			return err
		}
		set.SetHandlers(handlers)
		return set.Run(ctx)
	})
}

func ExampleServe() {
	program.Main(program.Serve(connector.Handlers{
		Query: func(ctx context.Context, _ *connector.SourceConnection, q *connector.Query) error {
			return q.Complete(ctx, q.Parameters())
		},
	}))
}
