package main

import (
	"os"
	"runtime"
	"syscall"
	"testing"
)

// A connector of a module of its own, which is at hand: only what it prints changes.
func (w workplace) writeProgram(says string) {
	w.write("main.go", `package main

import (
	_ "embed"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

//go:embed text.txt
var text string

func main() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, os.Interrupt)
	fmt.Println("`+says+`", text)
	<-stop
	fmt.Println("`+says+` ends")
}
`)
}

func TestRunWatchStartsTheConnectorAnew(t *testing.T) {
	if testing.Short() || runtime.GOOS == "windows" {
		t.Skip("builds, and needs signals")
	}
	w := newWorkplace(t)
	w.write("go.mod", "module program\n")
	w.write("text.txt", "text one")
	w.writeProgram("first\" + nonsense + \"")
	c := w.start("run", "-watch", "-console", "127.0.0.1:0", ".")
	c.stdout.await(t, "is tried again when it has changed")

	w.writeProgram("first")
	c.stdout.await(t, "│ first text one")
	w.write("text.txt", "text two")
	c.stdout.await(t, "text.txt has changed")
	c.stdout.await(t, "│ first ends")
	c.stdout.await(t, "│ first text two")

	w.writeProgram("second\" + nonsense + \"")
	c.stdout.await(t, "goes on as it was")
	w.write("main_test.go", "package main")
	w.write(".hidden.go", "package main")
	w.writeProgram("third")
	c.stdout.await(t, "│ third text two")
	c.stop(syscall.SIGTERM)
	c.ended(0, "│ third ends", ": undefined: nonsense")
}

// What is new and does not build is watched from then on.
func TestRunWatchFindsWhatIsNew(t *testing.T) {
	if testing.Short() || runtime.GOOS == "windows" {
		t.Skip("builds, and needs signals")
	}
	w := newWorkplace(t)
	w.write("go.mod", "module program\n")
	w.write("text.txt", "text")
	w.writeProgram("first")
	c := w.start("run", "-watch", "-console", "off", ".")
	c.stdout.await(t, "│ first text")
	w.mkdir("greeting")
	w.write("greeting/greeting.go", "package greeting\n\nvar _ int = \"bad\"\n")
	w.write("second.go", "package main\n\nimport _ \"program/greeting\"\n")
	c.stdout.await(t, "goes on as it was")
	w.write("greeting/greeting.go", "package greeting\n\nimport \"fmt\"\n\nfunc init() { fmt.Println(\"mended\") }\n")
	c.stdout.await(t, "│ mended")
	c.stop(syscall.SIGTERM)
	c.ended(0)
}

func TestRunWatchWaitsForAConnectorThatHasEnded(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs signals")
	}
	w := newWorkplace(t)
	c := w.start(append([]string{"run", "-watch", "-console", "off"}, connectorThat(t, "exits", "3")...)...)
	c.stdout.await(t, "exited with code 3; it is started again when it has changed")
	c.stop(os.Interrupt)
	c.ended(0)
}

func TestRunFollowsItsFile(t *testing.T) {
	if testing.Short() || runtime.GOOS == "windows" {
		t.Skip("builds, and needs signals")
	}
	w := newWorkplace(t)
	w.write("go.mod", "module program\n")
	w.write("text.txt", "text")
	w.write("vantiqdev.json", `{"config":{"n":1}}`)
	w.writeProgram("ready")
	c := w.start("run", "-console", "off", ".")
	c.stdout.await(t, "ready")
	w.connect(c, "echoes")
	c.stdout.await(t, `source configuration {"n":1}`)
	w.write("vantiqdev.json", `{"config":{"n":2}}`)
	c.stdout.await(t, "reconnect required")
	c.stdout.await(t, `source configuration {"n":2}`)
	c.stop(os.Interrupt)
	c.ended(0)
}
