package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// A program is what PROGRAM names: an executable, or a Go package of which one can be built.
type program struct {
	name string
	path string // of the executable; empty for a Go package

	onPath bool // where the shell finds commands

	directory string // where to build the package
	pattern   string // what to build there
}

// isPackage reports whether the program is built, and not just there.
func (p program) isPackage() bool { return p.pattern != "" }

// isInterpreter reports whether the program runs another, which is among its arguments, and would take our flags for its own.
// Of a command that the shell finds one cannot tell.
func (p program) isInterpreter(args []string) bool {
	if p.isPackage() || len(args) == 0 {
		return false
	}
	return p.onPath || slices.ContainsFunc(args, isScript)
}

// isScript reports whether an argument is a file that an interpreter reads.
func isScript(argument string) bool {
	info, err := os.Stat(argument)
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	scripts := []string{".py", ".js", ".mjs", ".cjs", ".ts", ".jar", ".rb", ".php", ".pl", ".lua", ".sh", ".ps1"}
	return slices.Contains(scripts, strings.ToLower(filepath.Ext(argument)))
}

// isThere returns an error if an executable cannot be started: it may be about to be written.
func (p program) isThere() error {
	info, err := os.Stat(p.path)
	if err != nil {
		return err
	}
	if runtime.GOOS != "windows" && info.Mode()&0o111 == 0 {
		return fmt.Errorf("%s is not executable: a script is named behind its interpreter, like python3 %[1]s", p.path)
	}
	return nil
}

// nameOf returns a short name for PROGRAM.
func nameOf(argument string) string {
	if absolute, err := filepath.Abs(argument); err == nil {
		argument = absolute // "." has a name too
	}
	name := filepath.Base(argument)
	return strings.TrimSuffix(strings.TrimSuffix(name, ".exe"), ".go")
}

// find returns the program that PROGRAM names.
func find(argument string) (program, error) {
	p := program{name: nameOf(argument)}
	info, err := os.Stat(argument)
	switch {
	case err == nil && info.IsDir():
		// Built in its own directory, so that the go command finds the module it belongs to.
		p.directory, p.pattern = argument, "."
		return p, nil
	case err == nil && filepath.Ext(argument) == ".go":
		p.directory, p.pattern = filepath.Dir(argument), filepath.Base(argument)
		return p, nil
	case err == nil:
		p.path, err = filepath.Abs(argument)
		return p, err
	case !errors.Is(err, fs.ErrNotExist):
		return p, err
	}
	if path, err := exec.LookPath(argument); err == nil {
		p.path, p.onPath = path, true
		return p, nil
	}
	if first, _, slashes := strings.Cut(argument, "/"); slashes && strings.Contains(strings.Trim(first, "."), ".") {
		p.pattern = argument // like github.com/…
		return p, nil
	}
	directory, _ := os.Getwd()
	return p, fmt.Errorf("PROGRAM %s is neither a directory with a Go package nor an executable (seen from %s)", argument, directory)
}

// buildCommand returns the command that builds the program into a directory. For a directory, and not a file, the go
// command refuses a package that is not a program.
func (p program) buildCommand(into string) (*exec.Cmd, error) {
	goCommand, err := exec.LookPath("go")
	if err != nil {
		return nil, fmt.Errorf("the go command is needed to build %s: install Go, or name an executable", p.name)
	}
	c := exec.Command(goCommand, "build", "-o", into+string(filepath.Separator), p.pattern)
	c.Dir = p.directory
	return c, nil
}

// built returns the executable that the go command has left in a directory.
func built(directory string) (path string, err error) {
	entries, err := os.ReadDir(directory)
	if err != nil {
		return "", err
	}
	if len(entries) != 1 {
		return "", fmt.Errorf("the go command built %d programs, not one: name a single package", len(entries))
	}
	return filepath.Join(directory, entries[0].Name()), nil
}
