package program

import "runtime/debug"

const sdkModule = "github.com/vantiq-go/connectorsdk"

// sdkVersion returns the version of the SDK that this program was built with: of a release its tag, of a checkout what
// the go command knows about it.
func sdkVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return sdkModule + " (version unknown: built without module support)"
	}
	version := "(devel)"
	for _, module := range info.Deps {
		if module.Path == sdkModule && module.Replace == nil {
			version = module.Version
		}
	}
	if version != "(devel)" {
		return sdkModule + " " + version
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			version += " " + setting.Value
		}
	}
	return sdkModule + " " + version
}
