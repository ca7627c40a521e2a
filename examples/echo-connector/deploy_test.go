package main

import (
	"encoding/json"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/connectorset"
	"github.com/vantiq-go/connectorsdk/protocol"
)

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// same fails the test unless all values are equal.
func same(t *testing.T, what string, values ...any) {
	t.Helper()
	for _, value := range values[1:] {
		if value != values[0] {
			t.Errorf("%s: %q", what, values)
			return
		}
	}
}

// kubernetes returns the documents of kubernetes.yaml by kind.
func kubernetes(t *testing.T) map[string]any {
	t.Helper()
	documents, err := parseYAML(readFile(t, "deploy/kubernetes.yaml"))
	if err != nil {
		t.Fatalf("kubernetes.yaml: %v", err)
	}
	byKind := map[string]any{}
	for _, document := range documents {
		byKind[at(t, document, "kind").(string)] = document
	}
	return byKind
}

// serverConfig reads the ConfigMap's server.config as the connector would, with a token in the environment.
func serverConfig(t *testing.T, content string) connectorset.Config {
	t.Helper()
	t.Setenv("CONNECTOR_AUTH_TOKEN", "from-the-secret")
	name := filepath.Join(t.TempDir(), "server.config")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	config, err := connectorset.ReadConfig(name)
	if err != nil {
		t.Fatal(err)
	}
	if warnings := config.Warnings(); len(warnings) > 0 {
		t.Errorf("warnings: %v", warnings)
	}
	return config
}

func TestKubernetesManifestAgreesWithItself(t *testing.T) {
	byKind := kubernetes(t)
	deployment := at(t, byKind["Deployment"], "spec")
	pod := at(t, deployment, "template", "spec")
	container := at(t, pod, "containers", 0)

	same(t, "labels", at(t, deployment, "selector", "matchLabels", "app"), at(t, deployment, "template", "metadata", "labels", "app"))
	same(t, "replicas", at(t, deployment, "replicas"), "1")
	same(t, "strategy", at(t, deployment, "strategy", "type"), "Recreate")
	for _, must := range []any{at(t, pod, "securityContext", "runAsNonRoot"), at(t, container, "securityContext", "readOnlyRootFilesystem")} {
		same(t, "security", must, "true")
	}

	same(t, "token variable", at(t, container, "env", 0, "name"), "CONNECTOR_AUTH_TOKEN")
	secret := at(t, container, "env", 0, "valueFrom", "secretKeyRef")
	same(t, "secret", at(t, secret, "name"), at(t, byKind["Secret"], "metadata", "name"))
	at(t, byKind["Secret"], "stringData", at(t, secret, "key"))

	same(t, "volume", at(t, container, "volumeMounts", 0, "name"), at(t, pod, "volumes", 0, "name"))
	same(t, "config map", at(t, pod, "volumes", 0, "configMap", "name"), at(t, byKind["ConfigMap"], "metadata", "name"))

	config := serverConfig(t, at(t, byKind["ConfigMap"], "data", "server.config").(string))
	port, err := json.Marshal(config.TCPProbePort)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "health port", at(t, container, "ports", 0, "containerPort"), string(port))
	for _, probe := range []string{"startupProbe", "readinessProbe", "livenessProbe"} {
		same(t, probe, at(t, container, probe, "tcpSocket", "port"), at(t, container, "ports", 0, "name"))
	}
	if config.TCPProbeHost != "" {
		t.Errorf("the health port is open on %s only, and the kubelet comes from outside", config.TCPProbeHost)
	}
	grace, err := time.ParseDuration(at(t, pod, "terminationGracePeriodSeconds").(string) + "s")
	if err != nil || config.DrainTime >= grace {
		t.Errorf("drainTime is %v, the grace period %v (%v)", config.DrainTime, grace, err)
	}
}

func TestImageAgreesWithTheManifest(t *testing.T) {
	dockerfile := readFile(t, "deploy/Dockerfile")
	find := func(pattern string) string {
		t.Helper()
		match := regexp.MustCompile(`(?m)^` + pattern + `$`).FindStringSubmatch(dockerfile)
		if match == nil {
			t.Fatalf("no line matches %s", pattern)
		}
		return match[1]
	}
	pod := at(t, kubernetes(t)["Deployment"], "spec", "template", "spec")
	container := at(t, pod, "containers", 0)

	workdir := find(`WORKDIR (/app)`)
	program := find(`ENTRYPOINT \["(.+)"\]`)
	same(t, "program", program, find(`COPY --from=build /echo-connector (.+)`))
	if !strings.HasPrefix(program, workdir+"/") {
		t.Errorf("%s is not below %s", program, workdir)
	}
	same(t, "configuration", at(t, container, "volumeMounts", 0, "mountPath"), path.Join(workdir, "serverConfig"))
	same(t, "user", find(`USER (\d+):\d+`), at(t, pod, "securityContext", "runAsUser"))
	same(t, "group", find(`USER \d+:(\d+)`), at(t, pod, "securityContext", "runAsGroup"))
	same(t, "port", find(`EXPOSE (\d+)`), at(t, container, "ports", 0, "containerPort"))
	same(t, "image", find(`#\tdocker build .* -t (\S+) \.`), at(t, container, "image"))
	find(`RUN (CGO_ENABLED=0) go build .*`)
	if _, err := os.Stat(filepath.Join("..", "..", find(`RUN .* (\./examples/\S+)`), "main.go")); err != nil {
		t.Errorf("what is built is not there: %v", err)
	}
}

func TestVantiqInstallationAgreesWithTheManifest(t *testing.T) {
	byKind := kubernetes(t)
	container := at(t, byKind["Deployment"], "spec", "template", "spec", "containers", 0)
	var items []struct {
		Type, Name, Value, Path, Filename, Content, CPU, Memory string

		AsSecret bool
	}
	if err := json.Unmarshal([]byte(readFile(t, "deploy/vantiq-installation.json")), &items); err != nil {
		t.Fatal(err)
	}
	seen := ""
	for _, item := range items {
		seen += item.Type + " "
		switch item.Type {
		case "image":
			same(t, "image", item.Name, at(t, container, "image"))
		case "file":
			same(t, "path", item.Path, at(t, container, "volumeMounts", 0, "mountPath"))
			same(t, "content", item.Content, at(t, byKind["ConfigMap"], "data", item.Filename))
		case "environmentVariable":
			same(t, "token", item.Name, at(t, container, "env", 0, "name"))
			same(t, "token", item.Value, at(t, byKind["Secret"], "stringData", "token"))
			same(t, "asSecret", item.AsSecret, true)
		case "resourceLimit":
			same(t, "cpu", item.CPU, at(t, container, "resources", "limits", "cpu"))
			same(t, "memory", item.Memory, at(t, container, "resources", "limits", "memory"))
		}
	}
	same(t, "items", seen, "image file environmentVariable resourceLimit ")
}

func TestSourceTypeNamesPropertiesThatExist(t *testing.T) {
	var sourceType struct {
		BaseType             string
		BaseConfigProperties []string
	}
	if err := json.Unmarshal([]byte(readFile(t, "deploy/source-type.json")), &sourceType); err != nil {
		t.Fatal(err)
	}
	same(t, "base type", sourceType.BaseType, "EXTENSION")
	for _, property := range sourceType.BaseConfigProperties {
		var value any = "> "
		steps := strings.Split(property, ".")
		for i := len(steps) - 1; i >= 0; i-- {
			value = map[string]any{steps[i]: value}
		}
		document, err := protocol.NewDocument(value)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := connector.DecodeConfig[config](document); err != nil {
			t.Errorf("%s: %v", property, err)
		}
	}
}
