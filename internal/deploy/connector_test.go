package deploy

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/vantiq-go/connectorsdk/connectorset"
)

// A connector is one of the examples, or the one that vantiqdev writes, as far as it is deployed.
type connector struct {
	*testing.T
	name      string
	directory string
	root      string         // where the image is built
	manifests map[string]any // the documents of kubernetes.yaml, by kind
}

// written is a connector that "vantiqdev new" has written.
var written string

func TestMain(m *testing.M) {
	directory, err := os.MkdirTemp("", "deploy-")
	if err != nil {
		panic(err)
	}
	written = filepath.Join(directory, "new-connector")
	vantiqdev := filepath.Join(directory, "vantiqdev")
	if err := command("../..", "go", "build", "-o", vantiqdev, "./cmd/vantiqdev"); err != nil {
		panic(err)
	}
	if err := command(directory, vantiqdev, "new", "-no-tidy", filepath.Base(written)); err != nil {
		panic(err)
	}
	code := m.Run()
	os.RemoveAll(directory)
	os.Exit(code)
}

func command(directory, name string, args ...string) error {
	c := exec.Command(name, args...)
	c.Dir = directory
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%v: %w\n%s", c.Args, err, out)
	}
	return nil
}

// each runs a test for each connector among the examples that is deployed, and for the one that vantiqdev writes.
func each(t *testing.T, test func(c connector)) {
	t.Helper()
	files, err := filepath.Glob("../../examples/*/deploy/kubernetes.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no connector is found (%v)", err)
	}
	for _, file := range append(files, filepath.Join(written, "deploy", "kubernetes.yaml")) {
		directory := filepath.Dir(filepath.Dir(file))
		name := filepath.Base(directory)
		t.Run(name, func(t *testing.T) {
			c := connector{T: t, name: name, directory: directory, root: "../..", manifests: map[string]any{}}
			if directory == written {
				c.root = written
			}
			decoder := yaml.NewDecoder(strings.NewReader(c.read("deploy/kubernetes.yaml")))
			for {
				var document map[string]any
				err := decoder.Decode(&document)
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatalf("kubernetes.yaml: %v", err)
				}
				c.manifests[c.at(document, "kind").(string)] = document
			}
			test(c)
		})
	}
}

// read returns a file of the connector.
func (c connector) read(name string) string {
	c.Helper()
	text, err := os.ReadFile(filepath.Join(c.directory, name))
	if err != nil {
		c.Fatal(err)
	}
	return string(text)
}

// at returns what stands at a path of keys and list positions. A step {key, value} is the element of a list that has
// that value.
func (c connector) at(value any, path ...any) any {
	c.Helper()
	for i, step := range path {
		var found bool
		switch step := step.(type) {
		case string:
			var object map[string]any
			if object, found = value.(map[string]any); found {
				value, found = object[step]
			}
		case int:
			var list []any
			if list, found = value.([]any); found && step < len(list) {
				value = list[step]
			}
		case [2]string:
			list, _ := value.([]any)
			for _, element := range list {
				if object, _ := element.(map[string]any); object[step[0]] == step[1] {
					value, found = element, true
				}
			}
		}
		if !found {
			c.Fatalf("nothing at %v", path[:i+1])
		}
	}
	return value
}

// workload returns the Deployment or StatefulSet.
func (c connector) workload() any {
	c.Helper()
	if set := c.manifests["StatefulSet"]; set != nil {
		return set
	}
	return c.at(c.manifests, "Deployment")
}

func (c connector) pod() any { return c.at(c.workload(), "spec", "template", "spec") }

func (c connector) container() any { return c.at(c.pod(), "containers", 0) }

// serverConfig reads the ConfigMap's server.config as the connector will, with a token in the environment.
func (c connector) serverConfig() connectorset.Config {
	c.Helper()
	c.Setenv("CONNECTOR_AUTH_TOKEN", "from-the-secret")
	name := filepath.Join(c.TempDir(), "server.config")
	content := c.at(c.manifests, "ConfigMap", "data", "server.config").(string)
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		c.Fatal(err)
	}
	config, err := connectorset.ReadConfig(name)
	if err != nil {
		c.Fatal(err)
	}
	if warnings := config.Warnings(); len(warnings) > 0 {
		c.Errorf("warnings: %v", warnings)
	}
	return config
}

// same fails the test unless all values are equal.
func (c connector) same(what string, values ...any) {
	c.Helper()
	for _, value := range values[1:] {
		if value != values[0] {
			c.Errorf("%s: %v", what, values)
			return
		}
	}
}
