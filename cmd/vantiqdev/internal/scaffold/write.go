package scaffold

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/template"
)

// The names of the files end in .tmpl, so that no tool takes them for ours.
//
//go:embed all:template
var templates embed.FS

// Write writes the project into a directory of its name below parent, which must be empty if it is there already. The files
// appear together; with an error there are none.
func (p Project) Write(parent string) error {
	directory := filepath.Join(parent, p.Name)
	if err := checkFree(directory); err != nil {
		return err
	}
	files, err := p.render()
	if err != nil {
		return err
	}
	desk, err := os.MkdirTemp(parent, "."+p.Name+"-*")
	if err != nil {
		return fmt.Errorf("nothing can be written here: %w; go to another directory", err)
	}
	defer os.RemoveAll(desk)
	draft := filepath.Join(desk, p.Name)
	for name, text := range files {
		if err := writeFile(filepath.Join(draft, name), text); err != nil {
			return err
		}
	}
	if err := os.Remove(directory); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err // it is not empty any more
	}
	return os.Rename(draft, directory)
}

// checkFree fails unless nothing is there but perhaps an empty directory.
func checkFree(directory string) error {
	info, err := os.Lstat(directory)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is there already, and is no directory: choose another NAME, or remove it", directory)
	}
	entries, err := os.ReadDir(directory)
	if err == nil && len(entries) > 0 {
		err = fmt.Errorf("%s is not empty, there is %s: nothing is overwritten; choose another NAME, or remove it", directory, entries[0].Name())
	}
	return err
}

func writeFile(name string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, text, 0o644)
}

// render returns the files of the project by their names.
func (p Project) render() (map[string][]byte, error) {
	files := map[string][]byte{}
	err := fs.WalkDir(templates, "template", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(templates, path)
		if err != nil {
			return err
		}
		t, err := template.New(path).Funcs(template.FuncMap{"modulePath": modulePath}).Parse(string(text))
		if err != nil {
			return err
		}
		var out bytes.Buffer
		name := strings.TrimSuffix(strings.TrimPrefix(path, "template/"), ".tmpl")
		if err := t.Execute(&out, p); err != nil {
			return err
		}
		files[filepath.FromSlash(name)] = out.Bytes()
		return nil
	})
	return files, err
}

// modulePath returns a directory, or one in it, as go.mod has it: in quotes if need be.
func modulePath(directory string, within ...string) string {
	directory = filepath.Join(append([]string{directory}, within...)...)
	if strings.ContainsAny(directory, " \t\"'`()[]{},") || strings.Contains(directory, "//") {
		return strconv.Quote(directory)
	}
	return directory
}
