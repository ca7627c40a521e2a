package main

import (
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

func (w workplace) mkdir(name string) {
	w.t.Helper()
	if err := os.MkdirAll(w.path(name), 0o700); err != nil {
		w.t.Fatal(err)
	}
}

// link makes name a symbolic link, whatever it has been before, as whoever must not be caught in between does: by a rename.
func (w workplace) link(target, name string) {
	w.t.Helper()
	if runtime.GOOS == "windows" {
		w.t.Skip("needs symbolic links")
	}
	if err := os.Symlink(target, w.path(name+".new")); err != nil {
		w.t.Fatal(err)
	}
	w.rename(name+".new", name)
}

func (w workplace) rename(from, to string) {
	w.t.Helper()
	if err := os.Rename(w.path(from), w.path(to)); err != nil {
		w.t.Fatal(err)
	}
}

// A volume of Kubernetes has links to files of a directory that is a link itself, and is replaced as a whole.
func TestServeFollowsFilesAsKubernetesReplacesThem(t *testing.T) {
	w := newWorkplace(t)
	for _, version := range []string{"1", "2"} {
		w.mkdir(".." + version)
		w.write(filepath.Join(".."+version, "vantiqdev.json"), `{"config":{"n":`+version+`}}`)
	}
	w.link("..1", "..data")
	w.link(filepath.Join("..data", "vantiqdev.json"), "vantiqdev.json")
	vantiq := w.serve()
	w.connect(vantiq, "echoes")
	vantiq.stdout.await(t, `source configuration {"n":1}`)
	w.link("..2", "..data")
	vantiq.stdout.await(t, `source configuration {"n":2}`)
}

func TestServeFollowsWhatALinkLeadsTo(t *testing.T) {
	w := newWorkplace(t)
	w.mkdir("elsewhere")
	w.write("elsewhere/file", `{"config":{"n":1}}`)
	w.link(filepath.Join("elsewhere", "file"), "vantiqdev.json")
	vantiq := w.serve()
	w.connect(vantiq, "echoes")
	vantiq.stdout.await(t, `source configuration {"n":1}`)
	w.write("elsewhere/file", `{"config":{"n":2}}`)
	vantiq.stdout.await(t, `source configuration {"n":2}`)
}

// The link may be any part of a file's name, and a directory may be one that only its name's parts lead to.
func TestServeFollowsALinkAboveAFile(t *testing.T) {
	w := newWorkplace(t)
	for _, version := range []string{"1", "2"} {
		w.mkdir("v" + version + "/deep")
		w.write("v"+version+"/deep/file", `{"config":{"n":`+version+`}}`)
	}
	w.mkdir("links")
	w.link(filepath.Join("..", "v1"), "links/now")
	w.link(filepath.Join("links", "now", "deep"), "here")
	vantiq := w.serve("-file", w.path("here/file"))
	w.connect(vantiq, "echoes")
	vantiq.stdout.await(t, `source configuration {"n":1}`)
	w.link(filepath.Join("..", "v2"), "links/now")
	vantiq.stdout.await(t, `source configuration {"n":2}`)
	w.rename("v2/deep", "gone")
	vantiq.stdout.await(t, "until that is mended everything stays as it is")
	w.mkdir("draft")
	w.write("draft/file", `{"config":{"n":3}}`)
	w.rename("draft", "v2/deep")
	vantiq.stdout.await(t, `source configuration {"n":3}`)
}

func TestServeFollowsADirectoryThatComesAndGoes(t *testing.T) {
	w := newWorkplace(t)
	config := w.read("server.config")
	if err := os.Remove(w.file()); err != nil {
		t.Fatal(err)
	}
	vantiq := w.serve("-listen", "127.0.0.1:"+w.port)
	for i, name := range []string{"Second", "Third", "Fourth"} {
		if i > 0 {
			w.rename("serverConfig", "gone")
			vantiq.stdout.await(t, "until that is mended everything stays as it is")
			if err := os.RemoveAll(w.path("gone")); err != nil {
				t.Fatal(err)
			}
		}
		w.mkdir("draft")
		w.write("draft/server.config", config+"\nsources="+name+"\n")
		w.rename("draft", "serverConfig")
		vantiq.stdout.await(t, "source "+name+" is there now")
	}
}

func TestServeFollowsItsTokenFile(t *testing.T) {
	w := newWorkplace(t)
	w.configure("http://127.0.0.1:"+w.port, "authToken=", "authTokenFile="+w.path("token"))
	w.write("token", "one")
	vantiq := w.serve()
	w.write("token", "two")
	vantiq.stdout.await(t, "the auth tokens have changed")
	w.do("doctor").ended(0)
}

func TestRunWatchFollowsALinkedScript(t *testing.T) {
	w := newWorkplace(t)
	w.mkdir("elsewhere")
	script := func(says string) {
		w.write("elsewhere/script", "trap 'exit 0' TERM\necho "+says+"\nwhile :; do sleep 0.05; done\n")
	}
	script("first")
	w.link(filepath.Join("elsewhere", "script"), "script")
	c := w.start("run", "-watch", "-console", "off", "sh", "script")
	c.stdout.await(t, "│ first")
	script("second")
	c.stdout.await(t, "│ second")
	c.stop(syscall.SIGTERM)
	c.ended(0)
}
