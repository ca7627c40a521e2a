package main

import (
	"os"
	"runtime"
	"testing"
)

// Run reads its file before it builds, and watches it when the local Vantiq is there: what changes in between counts.
func TestRunMissesNoChangeWhileItBuilds(t *testing.T) {
	if testing.Short() || runtime.GOOS == "windows" {
		t.Skip("builds, and needs signals")
	}
	w := newWorkplace(t)
	w.write("go.mod", "module program\n")
	w.write("text.txt", "text")
	w.writeProgram("ready")
	w.write("vantiqdev.json", `{"config":{"n":1}}`)
	c := w.start("run", "-console", "off", ".")
	c.stdout.await(t, "building .")
	w.write("vantiqdev.json", `{"config":{"n":2}}`)
	c.stdout.await(t, "ready text")
	w.connect(c, "echoes")
	c.stdout.await(t, `source configuration {"n":2}`)
	c.stop(os.Interrupt)
	c.ended(0)
}
