package connectorset

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const sampleFile = "../serverConfig/server.config"

func readSample(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(sampleFile)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestSampleIsReadyForTheLocalVantiq(t *testing.T) {
	config := read(t, readSample(t))
	if config.TargetServer != "http://127.0.0.1:8400" || config.AuthToken != "local-token" || strings.Join(config.Sources, "|") != "EchoSource" ||
		config.probeAddress() != "127.0.0.1:8000" {
		t.Errorf("got %v", config)
	}
	if warnings := config.Warnings(); len(warnings) > 0 {
		t.Errorf("warnings: %v", warnings)
	}
}

var optionalLine = regexp.MustCompile(`(?m)^#([A-Za-z]+=)`)

func TestSampleListsEveryProperty(t *testing.T) {
	sample := readSample(t)
	for _, name := range append([]string{connectKWArgs}, propertyNames()...) {
		if !regexp.MustCompile(`(?m)^#?` + name + `=.`).MatchString(sample) {
			t.Errorf("%s is missing", name)
		}
	}
	for _, line := range optionalLine.FindAllStringSubmatch(sample, -1) {
		if name := strings.TrimSuffix(line[1], "="); !isKnown(name) {
			t.Errorf("%s is not a property", name)
		}
	}
}

func TestSampleCanBeUncommented(t *testing.T) {
	all := optionalLine.ReplaceAllString(readSample(t), "$1")
	name := write(t, all)
	if err := os.Mkdir("serverConfig", 0o700); err != nil {
		t.Fatal(err)
	}
	writeKeyPair(t, filepath.Join("serverConfig", "client.pem"), filepath.Join("serverConfig", "client-key.pem"))
	writeKeyPair(t, filepath.Join("serverConfig", "ca.pem"), filepath.Join("serverConfig", "ca-key.pem"))
	config, err := ReadConfig(name)
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, warning := range config.Warnings() {
		texts = append(texts, warning.Key+" "+warning.Text)
	}
	want := []string{
		"targetServer has a scheme without TLS: the tls… properties have no effect",
		"authTokenFile has no effect, because authToken is set",
	}
	if strings.Join(texts, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(texts, "\n"), strings.Join(want, "\n"))
	}
}

func propertyNames() (names []string) {
	for _, p := range known {
		names = append(names, p.name)
	}
	return names
}

func isKnown(name string) bool {
	for _, p := range known {
		if p.name == name {
			return true
		}
	}
	return name == connectKWArgs
}
