package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// watchSources has r.changes tell when the program's sources change, or the executable.
func (r *runner) watchSources() error {
	files, err := r.program.sources()
	if err != nil {
		return err
	}
	var directories []string
	for _, file := range files {
		directories = append(directories, filepath.Dir(file))
	}
	if r.changes == nil {
		r.changes, err = watchDirectories(directories, r.program.isSource)
		return err
	}
	return r.changes.add(directories)
}

// isSource reports whether a file may be part of a program: its executable, or what a Go package is made of.
func (p program) isSource(file string) bool {
	if p.pattern == "" {
		return filepath.Clean(file) == p.path
	}
	name := filepath.Base(file)
	switch {
	case strings.HasPrefix(name, "."), strings.HasSuffix(name, "_test.go"):
		return false
	case filepath.Ext(name) == ".go", name == "go.mod", name == "go.work":
		return true
	}
	files, err := p.sources() // embedded files may have any name
	return err == nil && slices.Contains(files, file)
}

// sources returns the files that a program consists of and that may change: not those of Go itself or of the module cache.
func (p program) sources() ([]string, error) {
	if p.pattern == "" {
		return []string{p.path}, nil
	}
	const format = `{{if and (not .Standard) .Module}}{{with .Module}}{{if or .Main (and .Replace (not .Replace.Version))}}{{.GoMod}}
{{range $.GoFiles}}{{$.Dir}}/{{.}}
{{end}}{{range $.EmbedFiles}}{{$.Dir}}/{{.}}
{{end}}{{end}}{{end}}{{end}}`
	c := exec.Command("go", "list", "-deps", "-f", format, p.pattern)
	c.Dir = p.directory
	out, err := c.Output()
	if err != nil && len(out) == 0 {
		return nil, fmt.Errorf("the go command cannot say what %s consists of: %w", p.name, err)
	}
	files := strings.FieldsFunc(string(out), func(r rune) bool { return r == '\n' })
	slices.Sort(files)
	return slices.Compact(files), nil
}
