package deploy

import (
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestKubernetesManifestAgreesWithItself(t *testing.T) {
	each(t, func(c connector) {
		spec := c.at(c.workload(), "spec")
		c.same("labels", c.at(spec, "selector", "matchLabels", "app"), c.at(spec, "template", "metadata", "labels", "app"))
		c.same("replicas", c.at(spec, "replicas"), 1)
		if c.at(c.workload(), "kind") == "Deployment" {
			c.same("strategy", c.at(spec, "strategy", "type"), "Recreate")
		}
		c.same("security", true, c.at(c.pod(), "securityContext", "runAsNonRoot"),
			c.at(c.container(), "securityContext", "readOnlyRootFilesystem"))

		secret := c.at(c.container(), "env", [2]string{"name", "CONNECTOR_AUTH_TOKEN"}, "valueFrom", "secretKeyRef")
		c.same("secret", c.at(secret, "name"), c.at(c.manifests, "Secret", "metadata", "name"))
		c.at(c.manifests, "Secret", "stringData", c.at(secret, "key"))

		config := c.serverConfig()
		c.same("health port", c.at(c.container(), "ports", [2]string{"name", "health"}, "containerPort"), config.TCPProbePort)
		for _, probe := range []string{"startupProbe", "readinessProbe", "livenessProbe"} {
			c.same(probe, c.at(c.container(), probe, "tcpSocket", "port"), "health")
		}
		if config.TCPProbeHost != "" {
			c.Errorf("the health port is open on %s only, and the kubelet comes from outside", config.TCPProbeHost)
		}
		if grace := c.at(c.pod(), "terminationGracePeriodSeconds").(int); config.DrainTime.Seconds() >= float64(grace) {
			c.Errorf("drainTime is %v, the grace period %d s", config.DrainTime, grace)
		}
	})
}

// Everything that is mounted is there: the configuration read-only, and a volume for whatever is written.
func TestVolumesAreDeclared(t *testing.T) {
	each(t, func(c connector) {
		mounts := c.at(c.container(), "volumeMounts").([]any)
		for _, mount := range mounts {
			name := c.at(mount, "name").(string)
			if templates, ok := c.at(c.workload(), "spec").(map[string]any)["volumeClaimTemplates"]; ok && name != "server-config" {
				c.same("claim", c.at(templates, 0, "metadata", "name"), name)
				continue
			}
			volume := c.at(c.pod(), "volumes", [2]string{"name", name}).(map[string]any)
			switch {
			case volume["configMap"] != nil:
				c.same("config map", c.at(volume, "configMap", "name"), c.at(c.manifests, "ConfigMap", "metadata", "name"))
				c.same("read-only", c.at(mount, "readOnly"), true)
			case volume["persistentVolumeClaim"] != nil:
				c.same("claim", c.at(volume, "persistentVolumeClaim", "claimName"),
					c.at(c.manifests, "PersistentVolumeClaim", "metadata", "name"))
			}
		}
		c.same("configuration", c.at(mounts, [2]string{"name", "server-config"}, "mountPath"), "/app/serverConfig")
	})
}

func TestServiceLeadsToThePod(t *testing.T) {
	each(t, func(c connector) {
		service := c.manifests["Service"]
		if service == nil {
			return
		}
		c.same("selector", c.at(service, "spec", "selector", "app"), c.at(c.workload(), "spec", "template", "metadata", "labels", "app"))
		port := c.at(service, "spec", "ports", 0, "targetPort").(string)
		c.at(c.container(), "ports", [2]string{"name", port}, "containerPort")
	})
}

func TestImageAgreesWithTheManifest(t *testing.T) {
	each(t, func(c connector) {
		dockerfile := c.read("deploy/Dockerfile")
		find := func(pattern string) string {
			c.Helper()
			match := regexp.MustCompile(`(?m)^` + pattern + `$`).FindStringSubmatch(dockerfile)
			if match == nil {
				c.Fatalf("no line matches %s", pattern)
			}
			return match[1]
		}
		number := func(pattern string) int {
			c.Helper()
			n, err := strconv.Atoi(find(pattern))
			if err != nil {
				c.Fatal(err)
			}
			return n
		}
		program := find(`ENTRYPOINT \["([^"]+)".*\]`)
		c.same("program", program, find(`COPY --from=build /`+c.name+` (.+)`), path.Join(find(`WORKDIR (/app)`), "bin", c.name))
		c.same("user", number(`USER (\d+):\d+`), c.at(c.pod(), "securityContext", "runAsUser"))
		c.same("group", number(`USER \d+:(\d+)`), c.at(c.pod(), "securityContext", "runAsGroup"))
		exposed := strings.Fields(find(`EXPOSE (.+)`))
		for _, port := range c.at(c.container(), "ports").([]any) {
			if number := fmt.Sprint(c.at(port, "containerPort")); !slices.Contains(exposed, number) {
				c.Errorf("port %s is not exposed", number)
			}
		}
		c.same("image", find(`#\tdocker build .* -t (\S+) \.`), c.at(c.container(), "image"))
		built := filepath.Join(c.root, find(`RUN CGO_ENABLED=0 go build .* (\.\S*)`))
		c.same("package", built, filepath.Clean(c.directory))
		if _, err := os.Stat(filepath.Join(built, "main.go")); err != nil {
			c.Errorf("what is built is not there: %v", err)
		}
		file := filepath.Join(c.root, find(`#\tdocker build -f (\S+) .*`))
		c.same("Dockerfile", file, filepath.Join(filepath.Clean(c.directory), "deploy", "Dockerfile"))
	})
}

func TestVantiqInstallationAgreesWithTheManifest(t *testing.T) {
	each(t, func(c connector) {
		var items []struct {
			Type, Name, Value, Path, Filename, Content, CPU, Memory string

			AsSecret bool
		}
		if err := json.Unmarshal([]byte(c.read("deploy/vantiq-installation.json")), &items); err != nil {
			c.Fatal(err)
		}
		seen := map[string]bool{}
		for _, item := range items {
			seen[item.Type] = true
			switch item.Type {
			case "image":
				c.same("image", item.Name, c.at(c.container(), "image"))
			case "file":
				c.same("path", item.Path, c.at(c.container(), "volumeMounts", [2]string{"name", "server-config"}, "mountPath"))
				c.same("content", item.Content, c.at(c.manifests, "ConfigMap", "data", item.Filename))
			case "environmentVariable":
				if item.Name == "CONNECTOR_AUTH_TOKEN" {
					c.same("token", item.Value, c.at(c.manifests, "Secret", "stringData", "token"))
					c.same("asSecret", item.AsSecret, true)
				}
			case "resourceLimit":
				c.same("cpu", item.CPU, c.at(c.container(), "resources", "limits", "cpu"))
				c.same("memory", item.Memory, c.at(c.container(), "resources", "limits", "memory"))
			default:
				c.Errorf("item of an unknown type %q", item.Type)
			}
		}
		if len(seen) != 4 {
			c.Errorf("there are only %v", seen)
		}
	})
}

func TestSourceTypeIsAnExtension(t *testing.T) {
	each(t, func(c connector) {
		var sourceType struct {
			Name, BaseType, Verticle string
			Config                   map[string]any
			BaseConfigProperties     []string
			Operations               []string
		}
		decoder := json.NewDecoder(strings.NewReader(c.read("deploy/source-type.json")))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&sourceType); err != nil {
			c.Fatal(err)
		}
		c.same("base type", sourceType.BaseType, "EXTENSION")
		c.same("verticle", sourceType.Verticle, "service:extensionSource")
		if sourceType.Name == "" || sourceType.Name != strings.ToUpper(sourceType.Name) || sourceType.Config == nil || len(sourceType.Operations) == 0 {
			c.Errorf("%+v", sourceType)
		}
	})
}
