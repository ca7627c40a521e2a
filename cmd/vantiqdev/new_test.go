package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// newProject runs "vantiqdev new" in the workplace.
func (w workplace) newProject(environment []string, args ...string) tool {
	w.t.Helper()
	c := w.prepare(append([]string{"new"}, args...)...)
	c.Env = append(c.Env, environment...)
	if err := c.Start(); err != nil {
		w.t.Fatal(err)
	}
	_ = c.Wait()
	return c
}

// An emptyWorkplace has nothing but what vantiqdev writes.
func emptyWorkplace(t *testing.T) workplace {
	t.Helper()
	return workplace{t, t.TempDir(), freePort(t)}
}

func (w workplace) path(name string) string {
	return filepath.Join(w.directory, filepath.FromSlash(name))
}

func (w workplace) read(name string) string {
	w.t.Helper()
	text, err := os.ReadFile(w.path(name))
	if err != nil {
		w.t.Fatal(err)
	}
	return string(text)
}

// has fails the test unless the workplace has just these entries.
func (w workplace) has(want ...string) {
	w.t.Helper()
	var got []string
	entries, err := os.ReadDir(w.directory)
	for _, entry := range entries {
		got = append(got, entry.Name())
	}
	if err != nil || !slices.Equal(got, want) {
		w.t.Errorf("there is %q (%v), want %q", got, err, want)
	}
}

// offline is an environment in which nothing is fetched, and the modules that this one has are enough.
var offline = []string{"GOFLAGS=-mod=mod", "GOPROXY=off", "GOSUMDB=off", "GOWORK=off"}

func TestANewProjectBuildsRunsAndIsTested(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a connector")
	}
	checkout, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	root := workplace{t, checkout, ""}
	for name, test := range map[string]struct {
		args   []string
		source string
	}{
		"door-connector": {nil, "DoorSource"},
		"s7-plc-2":       {[]string{"-module", "example.com/plc/v2", "-source", "com.example.Plc", "-replace", checkout}, "com.example.Plc"},
	} {
		t.Run(name, func(t *testing.T) {
			w := emptyWorkplace(t)
			w.newProject(nil, append(test.args, "-no-tidy", name)...).ended(exitDone, name+" is written", "cd "+name, "go mod tidy", "go test ./...")
			w.has(name)
			if !strings.Contains(root.read("go.mod"), "\ngo 1.25.0\n") || !strings.Contains(w.read(name+"/go.mod"), "\ngo 1.25.0\n") {
				t.Error("the SDK and the project are not for the same version of Go")
			}
			w.write(name+"/go.sum", root.read("go.sum"))
			for _, command := range []string{"gofmt -l .", "go vet ./...", "go test ./...", "go build -o " + name + " ."} {
				if said := w.execute(name, offline, command); strings.HasPrefix(command, "gofmt") && said != "" {
					t.Errorf("%s: %s", command, said)
				}
			}
			w.documents(name)
			// Elsewhere than at the usual address, where another vantiqdev may be.
			config := w.read(name + "/serverConfig/server.config")
			w.write(name+"/serverConfig/server.config", strings.Replace(config, ":8400", ":"+w.port, 1))
			w.directory = w.path(name)
			c := w.prepare("run", "-once", "-console", "off", ".")
			c.Env = append(c.Env, offline...)
			_ = c.Run()
			c.ended(exitDone, "the sample exchange is complete", test.source+`  notification {"address":`, test.source+"  2 rows", "exited with code 0")
			if trouble := regexp.MustCompile(`(?m)^! .*|.*level=(WARN|ERROR).*`).FindString(c.stdout.String() + c.stderr.String()); trouble != "" {
				t.Errorf("not all is well: %s", trouble)
			}
			w.write("vantiqdev.json", strings.Replace(w.read("vantiqdev.json"), `"publish": {"address": "127.0.0.1:8400"}`, `"publish": {}`, 1))
			c = w.prepare("run", "-once", "-console", "off", ".")
			c.Env = append(c.Env, offline...)
			_ = c.Run()
			c.ended(exitDone, "address is missing, publish something like")
		})
	}
}

// execute runs a command in a directory, and returns what it says.
func (w workplace) execute(directory string, environment []string, command string) string {
	w.t.Helper()
	words := strings.Fields(command)
	c := exec.Command(words[0], words[1:]...)
	c.Dir, c.Env = w.path(directory), append(os.Environ(), environment...)
	out, err := c.CombinedOutput()
	if err != nil {
		w.t.Fatalf("%s: %v\n%s", command, err, out)
	}
	return string(out)
}

var property = regexp.MustCompile(`json:"(\w+)"(?: default:"(\w+)")? jsonschema:"(.+)"`)

// documents fails the test unless the project documents its configuration as configdoc would.
func (w workplace) documents(name string) {
	w.t.Helper()
	readme, sourceType := w.read(name+"/README.md"), w.read(name+"/deploy/source-type.json")
	member := regexp.MustCompile("`(\\w+Config)\\.").FindStringSubmatch(readme)
	properties := property.FindAllStringSubmatch(w.read(name+"/config.go"), -1)
	if len(properties) == 0 || member == nil {
		w.t.Fatal("there is no configuration")
	}
	for _, p := range properties {
		path, value := member[1]+"."+p[1], "required"
		if p[2] != "" {
			value = "`" + p[2] + "`"
		}
		row := regexp.MustCompile("(?m)^\\| `" + path + "` \\| (.+) \\| " + value + " \\| " + regexp.QuoteMeta(p[3]) + " \\|$").FindStringSubmatch(readme)
		if row == nil {
			w.t.Errorf("README.md has no row for %q", p[0])
			continue
		}
		if settable := !strings.HasPrefix(row[1], "list"); strings.Contains(sourceType, `"`+path+`"`) != settable {
			w.t.Errorf("source-type.json: %s, want %s: %t", sourceType, path, settable)
		}
	}
}

func TestNamesOfANewProject(t *testing.T) {
	w := emptyWorkplace(t)
	for _, line := range []struct {
		args []string
		says string
	}{
		{nil, "NAME is missing: name the connector, like door-connector"},
		{[]string{"a", "b"}, "there is more than one NAME: a, b"},
		{[]string{"DoorConnector"}, "begin with a letter, like door-connector"},
		{[]string{"my_door"}, "like my-door"},
		{[]string{"../door"}, "like door"},
		{[]string{"."}, "like door-connector"},
		{[]string{"7days"}, "begin with a letter"},
		{[]string{"door-"}, "like door"},
		{[]string{"tür"}, "lower-case letters"},
		{[]string{strings.Repeat("d", 64)}, "NAME has 64 characters: use up to 63"},
		{[]string{"deploy"}, "the project has a deploy of its own: choose another, like deploy-connector"},
		{[]string{"serverconfig"}, "the project has a serverconfig of its own"},
		{[]string{"makefile"}, "the project has a makefile of its own"},
		{[]string{"vendor"}, "the project has a vendor of its own"},
		{[]string{"log"}, `a Go module cannot be called "log": give another with -module`},
		{[]string{"all"}, `a Go module cannot be called "all": give another with -module`},
		{[]string{"main"}, "a Go module called main cannot be tested: give another with -module"},
		{[]string{"-module", "/x", "door"}, `a Go module cannot be called "/x"`},
		{[]string{"-module", "a//b", "door"}, "it reads a"},
		{[]string{"-module", "a\nrequire b v1.0.0", "door"}, "a Go module cannot be called"},
		{[]string{"-source", "Front Door", "door"}, `-source "Front Door" cannot name a source`},
		{[]string{"-source", "A,B", "door"}, `-source "A,B" cannot name a source`},
		{[]string{"-replace", "nowhere", "door"}, "nowhere is no checkout of the SDK"},
	} {
		w.newProject(nil, line.args...).ended(exitUsage, line.says, `see "vantiqdev new -h"`)
		w.has()
	}
	w.newProject(nil, "-no-tidy", "-module", "example.com/log", "log").ended(exitDone, "source LogSource of type LOG")
	w.has("log")
}

func TestANewProjectOverwritesNothing(t *testing.T) {
	w := emptyWorkplace(t)
	w.write("file", "mine")
	w.write("full/mine", "mine")
	if err := os.Mkdir(w.path("empty"), 0o700); err != nil {
		t.Fatal(err)
	}
	w.newProject(nil, "-no-tidy", "file").ended(exitFailed, "file is there already, and is no directory")
	w.newProject(nil, "-no-tidy", "full").ended(exitFailed, "full is not empty, there is mine: nothing is overwritten")
	w.newProject(nil, "-no-tidy", "empty").ended(exitDone, "empty is written")
	w.has("empty", "file", "full")
	if w.read("file") != "mine" || w.read("full/mine") != "mine" {
		t.Error("something was overwritten")
	}
	if entries, err := os.ReadDir(w.path("full")); err != nil || len(entries) != 1 {
		t.Errorf("full has %v (%v)", entries, err)
	}
	w.read("empty/main.go")
}

// A disk that is full, say, in the middle of it.
func TestAProjectThatCannotBeWrittenLeavesNothing(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there is no ulimit")
	}
	w := emptyWorkplace(t)
	c := w.prepare("new", "-no-tidy", "door-connector")
	c.Args = append([]string{"sh", "-c", `ulimit -f 1 && PATH= && exec "$0" "$@"`}, c.Args...)
	c.Path = "/bin/sh"
	_ = c.Run()
	c.ended(exitFailed, "vantiqdev new: write ", "file too large")
	w.has()
}

func TestTheDependenciesOfANewProject(t *testing.T) {
	w := emptyWorkplace(t)
	// An SDK that depends on nothing, so that nothing is fetched.
	w.write("sdk/go.mod", "module github.com/vantiq-go/connectorsdk\n\ngo 1.25.0\n")
	w.write("sdk/cmd/vantiqdev/main.go", "package main\n")
	for _, name := range []string{"program", "connector", "connectortest", "vantiqtest"} {
		w.write("sdk/"+name+"/doc.go", "package "+name+"\n")
	}
	w.newProject(offline, "-replace", "sdk", "good").ended(exitDone, "fetching dependencies …", "fetched in", "and now:")

	// An SDK that depends on what cannot be fetched.
	w.write("sdk/program/doc.go", "package program\n\nimport _ \"example.com/nowhere\"\n")
	c := w.newProject(offline, "-replace", "sdk", "bad")
	c.ended(exitFailed, "example.com/nowhere", "bad is written, but without what it depends on", `the registry that "go env GOPROXY" names`,
		"to fetch that: cd bad && go mod tidy")
	w.read("bad/main.go")

	w.newProject([]string{"PATH="}, "-replace", "sdk", "ugly").ended(exitFailed, "there is no go command; install Go", "cd ugly && go mod tidy")
	w.has("bad", "good", "sdk", "ugly")
}

// A registry that says nothing: the go command would wait for long, and did so on its own.
func TestTheFetchingForANewProjectIsInterrupted(t *testing.T) {
	asked, hungUp := make(chan struct{}), make(chan struct{})
	registry := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
		close(hungUp)
	}))
	defer registry.Close()
	w := emptyWorkplace(t)
	w.write("sdk/go.mod", "module github.com/vantiq-go/connectorsdk\n\ngo 1.25.0\n\nrequire example.com/slow v1.0.0\n")
	w.write("sdk/cmd/vantiqdev/main.go", "package main\n\nimport _ \"example.com/slow\"\n")
	c := w.prepare("new", "-replace", "sdk", "door-connector")
	c.Env = append(c.Env, "GOPROXY="+registry.URL, "GOSUMDB=off", "GOFLAGS=-mod=mod", "GOWORK=off")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	<-asked
	c.stop(os.Interrupt)
	c.ended(exitFailed, "door-connector is written, but without what it depends on: interrupted", "to fetch that: cd door-connector && go mod tidy")
	<-hungUp
	w.read("door-connector/main.go")
}

func TestTheTypeOfANewProjectFollowsItsName(t *testing.T) {
	w := emptyWorkplace(t)
	w.newProject(nil, "-no-tidy", "-source", "com.example.FrontDoor", "s2-connector").ended(exitDone, "source com.example.FrontDoor of type S2,")
	w.newProject(nil, "-h").ended(exitDone, "its type and its configuration are called after NAME all the same",
		"like DOOR and doorConfig for door-connector")
}

func TestANewProjectInAWorkspace(t *testing.T) {
	w := emptyWorkplace(t)
	w.write("go.work", "go 1.25.0\n")
	w.newProject([]string{"GOWORK="}, "-no-tidy", "door-connector").ended(exitDone,
		fmt.Sprintf("go work use .    # it lies in the workspace of %s", w.path("go.work")))
}

// A project that is made from a checkout could not become an image: the checkout is outside.
func TestTheImageOfANewProject(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a connector")
	}
	if runtime.GOOS == "windows" {
		t.Skip("there is no make")
	}
	checkout, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	w := emptyWorkplace(t)
	if err := os.Symlink(checkout, w.path("sdk")); err != nil {
		t.Fatal(err)
	}
	w.newProject(nil, "-no-tidy", "-replace", "sdk", "door-connector").ended(exitDone)
	w.write("door-connector/go.sum", workplace{t, checkout, ""}.read("go.sum"))
	w.execute("door-connector", offline, "go list -deps -test ./... tool") // what "go mod tidy" would fetch

	// A docker that sends what is here elsewhere, where there is no checkout, and does what the Dockerfile says there.
	w.write("bin/docker", `#!/bin/sh -e
echo "docker $*"
cp -R . ../context
rm ../sdk
cd ../context
eval "GOFLAGS= $(sed -n 's/^RUN CGO_ENABLED=0 \(.*\) -o .*/\1/p' deploy/Dockerfile) -o image ."
`)
	if err := os.Chmod(w.path("bin/docker"), 0o700); err != nil {
		t.Fatal(err)
	}
	path := "PATH=" + w.path("bin") + string(filepath.ListSeparator) + os.Getenv("PATH")
	said := w.execute("door-connector", append(offline, path), "make image")
	for _, want := range []string{`"go mod vendor" copies it for the image`, "docker build -f deploy/Dockerfile -t registry.example.com/team/door-connector:1.0 ."} {
		if !strings.Contains(said, want) {
			t.Errorf("it says %s, want %s", said, want)
		}
	}
	w.read("context/image")
	if _, err := os.Stat(w.path("door-connector/vendor")); err == nil {
		t.Error("what was vendored is still there, and would be used from now on")
	}
	if ignored := strings.Fields(w.read("door-connector/.dockerignore")); !slices.Contains(ignored, ".git") || !slices.Contains(ignored, "/door-connector") {
		t.Errorf("docker is sent all but %q", ignored)
	}
}
