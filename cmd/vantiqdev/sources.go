package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// watchSources has r.changes tell when the program's sources change, or the executable.
func (r *runner) watchSources() error {
	files, err := r.program.sources()
	if err != nil { // it does not build either, which will say why
		files = []string{filepath.Join(r.program.directory, "go.mod")}
	}
	files = append(files, r.scripts()...)
	if r.changes == nil {
		r.changes, err = watchFiles(files, r.isSource)
		return err
	}
	if err := r.changes.watch(files); err != nil {
		r.screen.show(problem, red, err.Error())
	}
	return nil
}

// scripts returns those of the program's arguments that are files: an interpreter's program, or what a connector reads.
func (r *runner) scripts() (files []string) {
	for _, argument := range r.args {
		file := argument
		if !filepath.IsAbs(file) {
			file = filepath.Join(r.workplace, file)
		}
		if absolute, err := filepath.Abs(file); err == nil {
			if info, err := os.Stat(absolute); err == nil && info.Mode().IsRegular() {
				files = append(files, absolute)
			}
		}
	}
	return files
}

// isSource reports whether a file may be part of the program when it is built the next time.
func (r *runner) isSource(file string) bool {
	name := filepath.Base(file)
	return r.program.isPackage() && filepath.Ext(name) == ".go" &&
		!strings.HasPrefix(name, ".") && !strings.HasSuffix(name, "_test.go")
}

// sources returns the files that a program consists of and that may change: not those of Go itself or of the module cache.
func (p program) sources() ([]string, error) {
	if !p.isPackage() {
		return []string{p.path}, nil
	}
	const format = `{{define "files"}}{{range .GoFiles}}{{$.Dir}}/{{.}}
{{end}}{{range .EmbedFiles}}{{$.Dir}}/{{.}}
{{end}}{{end}}{{if not .Standard}}{{with .Module}}{{if or .Main (and .Replace (not .Replace.Version))}}{{.GoMod}}
{{template "files" $}}{{end}}{{else}}{{template "files" .}}{{end}}{{end}}`
	c := exec.Command("go", "list", "-e", "-deps", "-f", format, p.pattern)
	c.Dir = p.directory
	out, err := c.Output()
	if err != nil {
		return nil, err
	}
	files := strings.FieldsFunc(string(out), func(r rune) bool { return r == '\n' || r == '\r' })
	for i, file := range files {
		files[i] = filepath.Clean(file)
	}
	slices.Sort(files)
	return slices.Compact(files), nil
}
