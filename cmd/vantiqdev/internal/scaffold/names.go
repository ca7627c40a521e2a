package scaffold

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// maxName is how long Kubernetes lets a label be.
const maxName = 63

var (
	nameForm   = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	sourceForm = regexp.MustCompile(`^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$`)
)

func checkName(name string) error {
	switch {
	case name == "":
		return errors.New("NAME is missing: name the connector, like door-connector")
	case len(name) > maxName:
		return fmt.Errorf("NAME has %d characters: use up to %d, Kubernetes takes no more", len(name), maxName)
	case strings.ContainsAny(name, `/\`):
		return fmt.Errorf("NAME %q is a path: go where the directory is to be, and name it there, like %s", name, better(name))
	case !nameForm.MatchString(name):
		return fmt.Errorf("NAME %q cannot name a Go module, an image and Kubernetes objects: use lower-case letters, digits, and single "+
			"dashes between them, and begin with a letter, like %s", name, better(name))
	case taken(name):
		return fmt.Errorf("NAME %q is also that of the program, beside which the project has a %[1]s of its own: choose another, like "+
			"%[1]s-connector", name)
	}
	return nil
}

// taken reports whether a project has something else of that name, also where upper and lower case are the same. What the
// go command vendors is there at times.
func taken(name string) bool {
	entries, _ := fs.ReadDir(templates, "template")
	return name == "vendor" || slices.ContainsFunc(entries, func(entry fs.DirEntry) bool {
		return strings.EqualFold(strings.TrimSuffix(entry.Name(), ".tmpl"), name)
	})
}

var (
	hump     = regexp.MustCompile(`([a-z0-9])([A-Z])`)
	unusable = regexp.MustCompile(`[^a-z0-9]+`)
)

// better returns a good name that is like a bad one, if there is one.
func better(name string) string {
	name = strings.ToLower(hump.ReplaceAllString(filepath.Base(name), "$1-$2"))
	name = strings.Trim(unusable.ReplaceAllString(name, "-"), "-")
	if !nameForm.MatchString(name) {
		return "door-connector"
	}
	return name
}

// checkSource accepts names with a package before them, too.
func checkSource(source string) error {
	if !sourceForm.MatchString(source) {
		return fmt.Errorf("-source %q cannot name a source in Vantiq: use letters, digits and underscores, and begin with a letter, like "+
			"DoorSource or, with its package, com.example.DoorSource", source)
	}
	return nil
}

// checkModule lets the go command judge: it knows the forms, what has a meaning of its own, and the standard library, whose
// packages nobody else's may be called like. Without a go command everything will do.
func checkModule(module string) error {
	const advice = "give another with -module, like example.com/door-connector"
	if module == "main" {
		return fmt.Errorf("a Go module called main cannot be tested: %s", advice)
	}
	if module == sdkModule || strings.HasPrefix(module, sdkModule+"/") {
		return fmt.Errorf("a Go module called %s is the SDK itself, or part of it: %s", module, advice)
	}
	directory, err := os.MkdirTemp("", "vantiqdev-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(directory)
	for name, text := range map[string]string{"go.mod": "module " + module + "\n", "main.go": "package main\n"} {
		if err := os.WriteFile(filepath.Join(directory, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	c := exec.Command("go", "list", "-find", ".")
	c.Dir, c.Env = directory, append(os.Environ(), "GOWORK=off", "GOFLAGS=", "GOTOOLCHAIN=local")
	out, err := c.CombinedOutput()
	said := strings.TrimSpace(string(out))
	switch {
	case errors.Is(err, exec.ErrNotFound) || err == nil && said == module:
		return nil
	case err == nil:
		said = "it reads " + said
	}
	return fmt.Errorf("a Go module cannot be called %q: %s. The go command says: %s", module, advice, said)
}
