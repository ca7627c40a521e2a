package main

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// A connector is often developed together with a module that go.mod replaces by a directory.
func TestRunWatchSeesModulesThatAreReplaced(t *testing.T) {
	if testing.Short() || runtime.GOOS == "windows" {
		t.Skip("builds, and needs signals")
	}
	w, library := newWorkplace(t), workplace{t: t, directory: t.TempDir()}
	library.write("go.mod", "module example.com/library\n")
	library.write("text.go", "package library\n\nconst Text = \"one\"\n")
	w.write("go.mod", "module program\n\nrequire example.com/library v0.0.0\n\nreplace example.com/library => "+filepath.ToSlash(library.directory)+"\n")
	w.write("main.go", `package main

import (
	"fmt"
	"os"
	"os/signal"

	"example.com/library"
)

func main() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop)
	fmt.Println("text", library.Text)
	<-stop
}
`)
	c := w.start("run", "-watch", "-console", "off", ".")
	c.stdout.await(t, "text one")
	library.write("text.go", "package library\n\nconst Text = \"two\"\n")
	c.stdout.await(t, "text two")
	c.stop(os.Interrupt)
	c.ended(0)
}

// Who watches for a day builds often.
func TestRunWatchKeepsNoOldBuilds(t *testing.T) {
	if testing.Short() || runtime.GOOS == "windows" {
		t.Skip("builds, and needs signals")
	}
	w, temporary := newWorkplace(t), t.TempDir()
	w.write("go.mod", "module program\n")
	w.write("text.txt", "one")
	w.writeProgram("ready")
	c := w.prepare("run", "-watch", "-console", "off", ".")
	c.Env = append(c.Env, "TMPDIR="+temporary)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	built := func() []string {
		t.Helper()
		found, err := filepath.Glob(filepath.Join(temporary, "vantiqdev-*", "*"))
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	for _, text := range []string{"one", "two"} {
		if text != "one" { // which it has been built with
			w.write("text.txt", text)
		}
		c.stdout.await(t, "ready "+text)
		if found := built(); len(found) != 1 {
			t.Errorf("when it says %s, there are %q", text, found)
		}
	}
	c.stop(os.Interrupt)
	c.ended(0)
	if found, err := filepath.Glob(filepath.Join(temporary, "vantiqdev-*")); err != nil || len(found) > 0 {
		t.Errorf("in the end %q are left (%v)", found, err)
	}
}
