package scaffold

import (
	"runtime/debug"
	"testing"
)

// What the go command writes into a program, as seen with Go 1.26.
func TestReleaseIn(t *testing.T) {
	sdk := func(version, sum string) debug.Module {
		return debug.Module{Path: sdkModule, Version: version, Sum: sum}
	}
	replaced := sdk("v0.9.1", "")
	replaced.Replace = &debug.Module{Path: "../connectorsdk"}
	for name, test := range map[string]struct {
		main debug.Module
		want string
	}{
		"go install and go run of a version, go tool in a project": {sdk("v0.9.1", "h1:x"), "v0.9.1"},
		"a version before the first release":                       {sdk("v0.0.0-20261126094247-16858ea00000", "h1:x"), "v0.0.0-20261126094247-16858ea00000"},
		"go run in a checkout":                                     {sdk("(devel)", ""), ""},
		"go build in a checkout":                                   {sdk("v0.0.0-20261126094247-16858ea00000+dirty", ""), ""},
		"go build in a checkout of a release":                      {sdk("v0.9.1", ""), ""},
		"go tool in a project with a checkout":                     {replaced, ""},
	} {
		if got := releaseIn(&debug.BuildInfo{Main: test.main}); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
