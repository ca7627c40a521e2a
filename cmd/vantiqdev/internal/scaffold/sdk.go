package scaffold

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
)

const sdkModule = "github.com/vantiq-go/connectorsdk"

// An SDK is the one that a project requires.
type SDK struct {
	Version string
	Replace string // the directory of a checkout that is used instead; empty for a release
}

// checkoutVersion is that of an SDK that is replaced.
const checkoutVersion = "v0.0.0"

// RunningSDK returns the SDK that this program was built from: a release, or a checkout on this machine.
func RunningSDK() (SDK, error) {
	if info, ok := debug.ReadBuildInfo(); ok {
		if version := releaseIn(info); version != "" {
			return SDK{Version: version}, nil
		}
	}
	_, file, _, _ := runtime.Caller(0)
	for directory := filepath.Dir(file); filepath.IsAbs(directory); directory = filepath.Dir(directory) {
		if sdk, err := Checkout(directory); err == nil {
			return sdk, nil
		}
		if directory == filepath.Dir(directory) {
			break
		}
	}
	return SDK{}, errors.New("this vantiqdev was built from a checkout of the SDK that is not found any more: name one with -replace DIR")
}

// releaseIn returns the version that everybody can fetch, or nothing. A module that the go command has fetched has a
// checksum; a checkout has none, whatever version git makes it look like.
func releaseIn(info *debug.BuildInfo) string {
	if main := info.Main; main.Path == sdkModule && main.Replace == nil && main.Sum != "" {
		return main.Version
	}
	return ""
}

var sdkLine = regexp.MustCompile(`(?m)^module ` + regexp.QuoteMeta(sdkModule) + `$`)

// Checkout returns the SDK in that directory.
func Checkout(directory string) (SDK, error) {
	directory, err := filepath.Abs(directory)
	if err != nil {
		return SDK{}, err
	}
	text, err := os.ReadFile(filepath.Join(directory, "go.mod"))
	if err != nil || !sdkLine.Match(text) {
		return SDK{}, fmt.Errorf("%s is no checkout of the SDK: there is no go.mod of %s in it", directory, sdkModule)
	}
	return SDK{Version: checkoutVersion, Replace: directory}, nil
}
