package main

import (
	"flag"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write testdata/once.txt anew")

// echoConnector is where the echo connector is, for a process in another directory.
func echoConnector(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds a connector")
	}
	path, err := filepath.Abs("../../examples/echo-connector")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRunOnceShowsTheSampleExchange(t *testing.T) {
	program := echoConnector(t)
	w := newWorkplace(t)
	c := w.run("-once", program)
	c.ended(0)

	got := strings.ReplaceAll(c.stdout.String(), w.port, "PORT")
	got = strings.ReplaceAll(got, program, "examples/echo-connector")
	got = regexp.MustCompile(`\b[0-9.]+(µs|ms|s)\b`).ReplaceAllString(got, "TIME")
	const golden = "testdata/once.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	c.ended(0, "│ time=", "msg=connected source=EchoSource") // the connector's output
}

func TestRunUsesTheConfigItIsGiven(t *testing.T) {
	program := echoConnector(t)
	w := newWorkplace(t)
	if err := os.Rename(w.file(), filepath.Join(w.directory, "my.config")); err != nil {
		t.Fatal(err)
	}
	c := w.run("-once", "-config", "my.config", "-config-json", `{"echoConfig":{"general":{"prefix":"> "}}}`,
		"-publish", `{"text":"hi"}`, program)
	c.ended(0, "my.config: source EchoSource", `notification {"text":"> hi"}`)
}

// In the working directory of a user, the token comes from anywhere, and there are several sources.
func TestRunServesEverySource(t *testing.T) {
	w := newWorkplace(t)
	w.configure("ws://localhost:"+w.port+"/prefix", "sources=A, B,,A", "authToken=", "authTokenFile=token")
	if err := os.WriteFile(filepath.Join(w.directory, "token"), []byte("of-a-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := w.run(append([]string{"-once"}, connectorThat(t, "is-quiet")...)...)
	c.ended(0, "sources A, B\n", "A  1 row", "B  1 row")
	if strings.Contains(c.stdout.String()+c.stderr.String(), "of-a-file") {
		t.Error("it shows the token")
	}
}

// What an executable is tried with stands where it runs.
func TestRunOnceWithSamplesOfTheWorkingDirectory(t *testing.T) {
	w := newWorkplace(t)
	w.write("vantiqdev.json", `{"config":{"own":true},"publish":{"text":"other"}}`)
	w.run(append([]string{"-once"}, connectorThat(t, "echoes")...)...).
		ended(0, `source configuration {"own":true}`, `PUBLISH {"text":"other"}`)
}

// An interpreter would take -config for a flag of its own.
func TestAnInterpreterIsNotToldOfTheConfiguration(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs a shell")
	}
	w := newWorkplace(t)
	w.write("script.sh", `echo "told: $*"`)
	w.write("my.config", w.read("server.config"))
	w.run("-config", "my.config", "sh", "script.sh", "more").ended(1, "my.config: source EchoSource", "│ told: more\n",
		"sh may be an interpreter, so it is not told -config my.config")
	program := w.path("program")
	if err := os.WriteFile(program, []byte("#!/bin/sh\necho \"told: $*\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	w.write("data.csv", "1,2")
	w.run("-config", "my.config", program, "data.csv").ended(1, "│ told: -config my.config data.csv\n")
}

func TestRunOnceFails(t *testing.T) {
	for name, run := range map[string]struct {
		flags     []string
		connector []string
		want      string
	}{
		"when the connector exits early": {nil, []string{"exits", "3"},
			"exited with code 3 before the sample exchange was complete"},
		"when it exits early without an error": {nil, []string{"exits", "0"},
			"exited with code 0 before the sample exchange was complete"},
		"when it never connects": {[]string{"-timeout", "200ms"}, []string{"never-connects"},
			"source EchoSource: no connector connected within 200ms, and none tried: does it read the same server.config?"},
		"when a query is not answered": {[]string{"-timeout", "2s"}, []string{"never-answers"},
			"source EchoSource: the sample query was not answered within 2s"},
		"when a query fails": {nil, []string{"fails-queries"},
			"source EchoSource: the sample query failed: connector.handlerError: not today; -query sets its parameters"},
		"without an expected notification": {[]string{"-expect-notification", "-timeout", "2s"}, []string{"is-quiet"},
			"source EchoSource: no notification followed the sample PUBLISH within 2s"},
		"when the connector ends badly": {nil, []string{"ends-badly"},
			"was told to end (terminated) and exited with code 5 instead of 0"},
		"when the auth token is rejected": {nil, []string{"has-the-wrong-token"},
			"the auth token was rejected: status 401: invalid authToken (authFailure)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"-once"}, run.flags...)
			newWorkplace(t).run(append(args, connectorThat(t, run.connector[0], run.connector[1:]...)...)...).ended(1, run.want)
		})
	}
}

func TestRunOnceSucceeds(t *testing.T) {
	for name, want := range map[string]string{
		"is-quiet":       "exited with code 0",
		"takes-a-while":  "the SELECT failed: connector.notConfigured",
		"has-no-manners": "was ended by signal: terminated",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newWorkplace(t).run(append([]string{"-once"}, connectorThat(t, name)...)...)
			c.ended(0, "the sample exchange is complete", want)
		})
	}
}

func TestRunRefusesWhatItCannotDo(t *testing.T) {
	w := newWorkplace(t)
	never := connectorThat(t, "never-connects")

	w.configure("https://dev.vantiq.com")
	w.run(never...).ended(1, "server.config: targetServer https://dev.vantiq.com is not this machine: vantiqdev plays")
	w.configure("https://127.0.0.1:" + w.port)
	w.run(never...).ended(1, "asks for TLS, which the local Vantiq does not speak", "Set targetServer=http://127.0.0.1:"+w.port)
	w.configure("http://127.0.0.1:"+w.port, "authToken=", "authTokenFile=none")
	w.run(never...).ended(1, "authTokenFile: open none")

	w.configure("http://127.0.0.1:" + w.port)
	w.run("./nothing-here").ended(1, "PROGRAM ./nothing-here is neither a directory with a Go package nor an executable")
	w.run(w.file()).ended(1, "server.config is not executable: a script is named behind its interpreter")
	w.run("-config", "none.config", never[0]).ended(1, "none.config: cannot be read")

	listener, err := net.Listen("tcp", "127.0.0.1:"+w.port)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	w.run(never...).ended(1, "the local Vantiq cannot be http://127.0.0.1:"+w.port+", the targetServer of server.config",
		"something listens there already", "lsof -i :"+w.port)
}

func TestRunRefusesWhatDoesNotBuild(t *testing.T) {
	if testing.Short() {
		t.Skip("builds")
	}
	w := newWorkplace(t)
	for name, text := range map[string]string{
		"go.mod":        "module broken",
		"main.go":       "package main\n\nfunc main() { nonsense() }\n",
		"library/it.go": "package library\n",
	} {
		file := filepath.Join(w.directory, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w.run(".").ended(1, "│ ./main.go:3:15: undefined: nonsense", ". does not build: the go command exited with code 1")
	w.run("./library").ended(1, "./library does not build")
}

func TestRunStartsTheConnectorWhereItsServerConfigIs(t *testing.T) {
	if testing.Short() {
		t.Skip("builds")
	}
	w, elsewhere := newWorkplace(t), t.TempDir()
	for name, text := range map[string]string{
		"go.mod":  "module where",
		"main.go": "package main\n\nimport \"os\"\n\nfunc main() { where, _ := os.Getwd(); println(\"here:\", where) }\n",
	} {
		if err := os.WriteFile(filepath.Join(w.directory, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	here, err := filepath.EvalSymlinks(w.directory)
	if err != nil {
		t.Fatal(err)
	}
	workplace{t, elsewhere, w.port}.run("-once", w.directory).ended(1, w.file()+": source EchoSource", "here: "+here+"\n")
}

func TestRunGoesOnUntilCtrlC(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs signals")
	}
	for _, stop := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(stop.String(), func(t *testing.T) {
			t.Parallel()
			c := newWorkplace(t).start(append([]string{"run"}, connectorThat(t, "is-quiet")...)...)
			c.stdout.await(t, "the sample exchange is complete")
			c.stop(stop)
			c.ended(0, "EchoSource  disconnected, in good order", "exited with code 0")
		})
	}
}

func TestRunGoesOnWithoutACompleteExchange(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs signals")
	}
	c := newWorkplace(t).start(append([]string{"run"}, connectorThat(t, "fails-queries")...)...)
	c.stdout.await(t, "goes on until Ctrl-C")
	c.stop(os.Interrupt)
	c.ended(0, "the sample exchange is not complete: source EchoSource: the sample query failed")
}

// "go tool vantiqdev" passes on what the terminal has sent to both.
func TestRunTakesACtrlCThatComesTwiceAsOne(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs signals")
	}
	c := newWorkplace(t).start(append([]string{"run"}, connectorThat(t, "drains-slowly")...)...)
	c.stdout.await(t, "the sample exchange is complete")
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} { // two of a kind may become one on their way
		if err := c.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
	}
	_ = c.Wait()
	c.ended(0, "EchoSource  disconnected, in good order", "exited with code 0")
}

// Whatever happens to vantiqdev, and whatever the connector thinks of signals, neither it nor its children survive.
func TestRunLeavesNothingBehind(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs signals")
	}
	for name, end := range map[string]struct {
		flags   []string
		signal  os.Signal // nil: none
		insists bool      // and sends it again and again
		code    int
		want    string
	}{
		"in the end": {[]string{"-once", "-timeout", "2s"}, nil, false, 1, // time for the connector and its child to start
			"was killed: it had not ended 2.3s after the signal (terminated)"},
		"after a second Ctrl-C":  {nil, os.Interrupt, true, 1, "was killed while it was draining, at your second signal"},
		"when vantiqdev is shot": {nil, os.Kill, false, -1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if end.code < 0 && runtime.GOOS != "linux" {
				t.Skip("needs Linux")
			}
			t.Parallel()
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			if err := listener.(*net.TCPListener).SetDeadline(time.Now().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			args := append([]string{"run"}, end.flags...)
			c := newWorkplace(t).start(append(args, connectorThat(t, "ignores-signals", listener.Addr().String())...)...)
			var children []net.Conn // a connection of the connector, and one of its own child
			for range 2 {
				conn, err := listener.Accept()
				if err != nil {
					t.Fatalf("the connector, or its child, has not come: %v", err)
				}
				t.Cleanup(func() { _ = conn.Close() }) // which ends the one that survives a shot
				children = append(children, conn)
			}
			if end.signal != nil {
				if err := c.Process.Signal(end.signal); err != nil {
					t.Fatal(err)
				}
			}
			ended := make(chan struct{})
			go func() {
				_ = c.Wait()
				close(ended)
			}()
			again := time.NewTicker(100 * time.Millisecond)
			defer again.Stop()
			for waiting := true; waiting; {
				select {
				case <-ended:
					waiting = false
				case <-again.C:
					if end.insists {
						_ = c.Process.Signal(end.signal)
					}
				}
			}
			c.ended(end.code, end.want)
			if end.code < 0 {
				children = children[:1] // of a child's child the kernel does not know
			}
			for _, conn := range children {
				if _, err := conn.Read(make([]byte, 1)); err == nil {
					t.Error("it wrote something")
				}
			}
		})
	}
}
