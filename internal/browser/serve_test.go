package browser_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

var built struct {
	once      sync.Once
	directory string
	err       error
}

// program returns vantiqdev, built from this source.
func program(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds the program")
	}
	built.once.Do(func() { built.directory, built.err = build() })
	if built.err != nil {
		t.Fatal(built.err)
	}
	return filepath.Join(built.directory, "vantiqdev")
}

// build builds it into a temporary directory.
func build() (directory string, err error) {
	if directory, err = os.MkdirTemp("", "browser-test-"); err != nil {
		return "", err
	}
	if out, err := exec.Command("go", "-C", "../..", "build", "-o", directory, "./cmd/vantiqdev").CombinedOutput(); err != nil {
		return directory, fmt.Errorf("go build: %w\n%s", err, out)
	}
	return directory, nil
}

func removeProgram() {
	if built.directory != "" {
		os.RemoveAll(built.directory)
	}
}

// A serve is a vantiqdev serve that runs.
type serve struct {
	t       *testing.T
	url     string // of the local Vantiq
	console string // of the page
	process *exec.Cmd
	ended   chan struct{} // closed when it has said everything

	mu    sync.Mutex
	lines []string // of standard error
}

const token = "a-token-that-nobody-may-see"

// startServe starts vantiqdev serve with these sources, each NAME or NAME=JSON, on ports that are free.
func startServe(t *testing.T, sources ...string) *serve {
	t.Helper()
	return startServeAt(t, "127.0.0.1:0", "127.0.0.1:0", sources...)
}

func startServeAt(t *testing.T, address, console string, sources ...string) *serve {
	t.Helper()
	args := []string{"serve", "-quiet", "-listen", address, "-console", console, "-token", token}
	for _, source := range sources {
		args = append(args, "-source", source)
	}
	s := &serve{t: t, process: exec.Command(program(t), args...), ended: make(chan struct{})}
	s.process.Dir = t.TempDir() // where no server.config is
	s.process.Env = append(os.Environ(), "GODEBUG=gctrace=1")
	stdout, err := s.process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := s.process.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.stop)

	var reading sync.WaitGroup
	reading.Go(func() {
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			s.mu.Lock()
			s.lines = append(s.lines, lines.Text())
			s.mu.Unlock()
		}
	})
	addresses := make(chan string, 2)
	reading.Go(func() {
		defer close(addresses)
		given := 0
		url := regexp.MustCompile(`http://[0-9.:]+`)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			if found := url.FindString(lines.Text()); found != "" && given < cap(addresses) {
				addresses <- found
				given++
			}
		}
	})
	go func() {
		reading.Wait()
		close(s.ended)
	}()
	s.url, s.console = <-addresses, <-addresses
	if s.console == "" {
		s.stop()
		t.Fatalf("vantiqdev serve did not say where it is: %q", s.lines)
	}
	return s
}

// endPatience is for the end of a vantiqdev serve.
const endPatience = 20 * time.Second

// stop ends it, as Ctrl-C does.
func (s *serve) stop() {
	if s.process.ProcessState != nil {
		return
	}
	_ = s.process.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.ended:
	case <-time.After(endPatience):
		s.t.Errorf("vantiqdev serve has not ended %v after the signal", endPatience)
		_ = s.process.Process.Kill()
		<-s.ended
	}
	if err := s.process.Wait(); err != nil && !s.t.Failed() {
		s.t.Errorf("vantiqdev serve: %v", err)
	}
}

// hang has it do nothing, though its connections stay open, until the function that it returns is called.
func (s *serve) hang() (goOn func()) {
	s.t.Helper()
	signal := func(what syscall.Signal) {
		if err := s.process.Process.Signal(what); err != nil {
			s.t.Error(err)
		}
	}
	goOn = sync.OnceFunc(func() { signal(syscall.SIGCONT) })
	s.t.Cleanup(goOn)
	signal(syscall.SIGSTOP)
	return goOn
}

// again starts another one in its place, which knows nothing of what has happened.
func (s *serve) again(sources ...string) *serve {
	s.t.Helper()
	s.stop()
	return startServeAt(s.t, strings.TrimPrefix(s.url, "http://"), strings.TrimPrefix(s.console, "http://"), sources...)
}
