package configdoc_test

import (
	"testing"
	"time"

	"github.com/vantiq-go/connectorsdk/configdoc"
)

// The source configuration of a connector, and the test that keeps its documentation up to date. This is what stands above
// the struct, so that "go generate" writes the files:
//
//	//go:generate go test -run ^TestConfigurationIsDocumented$ . -update
func ExampleCheck() {
	type config struct {
		General struct {
			URL     string        `json:"url" jsonschema:"where the database is"`
			Timeout time.Duration `json:"timeout" default:"30s" jsonschema:"how long a statement may take"`
		} `json:"general"`
		Polls []struct {
			Query string        `json:"query" jsonschema:"the statement whose rows become notifications"`
			Every time.Duration `json:"every" default:"1m" jsonschema:"how long it is from one poll to the next"`
		} `json:"polls,omitempty" jsonschema:"what is asked regularly"`
	}
	TestConfigurationIsDocumented := func(t *testing.T) {
		configdoc.Check[config](t, configdoc.Files{SourceType: "SQL"})
	}
	_ = TestConfigurationIsDocumented
}
