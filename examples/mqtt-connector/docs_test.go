package main

import (
	"testing"

	"github.com/vantiq-go/connectorsdk/configdoc"
)

//go:generate go test -run ^TestConfigurationIsDocumented$ . -update

func TestConfigurationIsDocumented(t *testing.T) {
	configdoc.Check[config](t, configdoc.Files{SourceType: "MQTT"})
}
