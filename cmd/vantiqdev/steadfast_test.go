package main

import (
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What server.config says is never replaced by something else without a word.
func TestAMistakeInServerConfigIsSaid(t *testing.T) {
	w := newWorkplace(t)
	w.configure("http://127.0.0.1:"+w.port, "sendPings=maybe")
	w.do("publish", "{}").ended(1, `sendPings "maybe" is not accepted`)
	w.do("query").ended(1, `sendPings "maybe" is not accepted`)
	w.configure("http://127.0.0.1:"+w.port, "authToken=", "authTokenFile=none")
	w.do("serve").ended(1, "authTokenFile: open none")
}

func TestServeStaysAsItIsWithoutItsServerConfig(t *testing.T) {
	w := newWorkplace(t)
	vantiq := w.serve()
	w.connect(vantiq, "echoes")
	if err := os.Remove(w.file()); err != nil {
		t.Fatal(err)
	}
	vantiq.stdout.await(t, "until that is mended everything stays as it is")
	w.configure("http://127.0.0.1:"+w.port, "sources=EchoSource,Second")
	vantiq.stdout.await(t, "source Second is there now")
	if got := vantiq.stdout.String(); strings.Contains(got, "reconnect required") || strings.Contains(got, "no longer there") {
		t.Errorf("it said\n%s", got)
	}
}

func TestServeFollowsAServerConfigThatComesLater(t *testing.T) {
	w := newWorkplace(t)
	if err := os.Remove(w.file()); err != nil {
		t.Fatal(err)
	}
	vantiq := w.serve("-listen", "127.0.0.1:"+w.port)
	w.configure("http://127.0.0.1:"+w.port, "sources=Later")
	vantiq.stdout.await(t, "source Later is there now")
}

func TestNobodyGuessesTheTokenWhereOthersReachIt(t *testing.T) {
	for name, prepare := range map[string]func(w workplace) error{
		"no file": func(w workplace) error { return os.Remove(w.file()) },
		"the one of new": func(w workplace) error {
			w.write("server.config", "targetServer=http://127.0.0.1:8400\nauthToken="+defaultToken+"\nsources=A\n")
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorkplace(t)
			if err := prepare(w); err != nil {
				t.Fatal(err)
			}
			vantiq := w.serve("-listen", "0.0.0.0:"+w.port)
			_, token, _ := strings.Cut(vantiq.stdout.String(), "authToken=")
			if token, _, _ = strings.Cut(token, "\n"); len(token) < 20 || strings.Contains(token, "that of") {
				t.Errorf("the token is %q", token)
			}
		})
	}
}

// A terminal that is held up (Ctrl-S, a pager) holds up nothing else, and does not keep vantiqdev alive.
func TestServeEndsThoughItsOutputIsHeldUp(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs signals")
	}
	w := newWorkplace(t)
	r, held, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	c := w.prepare("serve", "-console", "127.0.0.1:0")
	c.Stdout = held
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	_ = held.Close()
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	if _, err := io.ReadFull(r, make([]byte, 100)); err != nil { // it is ready
		t.Fatal(err)
	}
	connector := connectorThat(t, "echoes")
	echo := w.prepare()
	echo.Path, echo.Args = connector[0], connector
	if err := echo.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = echo.Process.Kill(); _ = echo.Wait() })
	seen := w.start("watch")
	t.Cleanup(func() { _ = seen.Process.Kill(); _ = seen.Wait() })
	flood := w.prepare("publish", "-")
	flood.Stdin = strings.NewReader(strings.Repeat(`{"text":"`+strings.Repeat("x", 500)+`"}`, 4_000))
	for { // until it is connected
		if probe := w.do("publish", `{"n":1}`); probe.ProcessState.ExitCode() == 0 {
			break
		}
	}
	_ = flood.Run()
	flood.ended(0)
	w.do("publish", `{"last":true}`).ended(0)
	seen.stdout.await(t, `{"last":true}`) // the others see everything
	w.write("vantiqdev.json", `{"sources":{"Another":{}}}`)
	for until := time.Now().Add(time.Minute); ; {
		if strings.Contains(w.do("publish", "-source", "Another", "{}").stderr.String(), "start a connector for it first") {
			break // it is there
		}
		if time.Now().After(until) {
			t.Fatal("a source of the changed file is not there")
		}
	}
	c.stop(syscall.SIGTERM)
	c.ended(0)
}

// Nothing interrupts the reading of a standard input.
func TestPublishEndsThoughNothingComes(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs signals")
	}
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		w := newWorkplace(t)
		vantiq := w.serve()
		w.connect(vantiq, "echoes")
		c := w.prepare("publish", "-")
		in, err := c.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(in, "{\"n\":7}\n{"); err != nil {
			t.Fatal(err)
		}
		vantiq.stdout.await(t, `PUBLISH {"n":7}`)
		c.stop(signal)
		c.ended(1, "interrupted")
	}
}

func TestRunWatchTakesAnExecutableThatIsWrittenAnew(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs signals")
	}
	w := newWorkplace(t)
	program := filepath.Join(w.directory, "program")
	write := func(mode os.FileMode, says string) {
		t.Helper()
		_ = os.Remove(program)
		text := "#!/bin/sh\ntrap 'exit 0' TERM INT\necho " + says + "\nwhile :; do sleep 0.05; done\n"
		if err := os.WriteFile(program, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	write(0o700, "first")
	c := w.start("run", "-watch", "-console", "off", program)
	c.stdout.await(t, "│ first")
	if err := os.Remove(program); err != nil {
		t.Fatal(err)
	}
	c.stdout.await(t, "goes on as it was")
	write(0o600, "second")
	write(0o700, "third")
	c.stdout.await(t, "│ third")
	c.stop(syscall.SIGHUP)
	c.ended(0)
}

func TestRunTakesTheSamplesAgain(t *testing.T) {
	if testing.Short() || runtime.GOOS == "windows" {
		t.Skip("builds, and needs signals")
	}
	w := newWorkplace(t)
	w.write("go.mod", "module program\n")
	w.write("text.txt", "one")
	w.write("vantiqdev.json", `{"publish":{"n":1}}`)
	w.writeProgram("ready")
	c := w.start("run", "-watch", "-console", "off", ".")
	c.stdout.await(t, "ready one")
	w.connect(c, "echoes")
	c.stdout.await(t, `PUBLISH {"n":1}`)
	w.write("vantiqdev.json", `{"publish":{"n":2}}`)
	w.write("text.txt", "two")
	c.stdout.await(t, "ready two")
	c.stdout.await(t, `PUBLISH {"n":2}`)
	c.stop(os.Interrupt)
	c.ended(0)
}
