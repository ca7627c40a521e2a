// Package configdoc writes the documentation of a connector's source configuration from the struct that
// [connector.DecodeConfig] reads it into, and checks that it is up to date. It is for tests; no connector links it.
//
// A test in the connector's package names the struct:
//
//	//go:generate go test -run ^TestConfigurationIsDocumented$ . -update
//
//	func TestConfigurationIsDocumented(t *testing.T) {
//		configdoc.Check[config](t, configdoc.Files{SourceType: "SQL"})
//	}
//
// The test fails if a file is not up to date, and go generate writes the files:
//
//   - the JSON schema of a source configuration, for editors and for those who check configurations without the connector
//   - the source type that is loaded into Vantiq, with the paths of all properties that an assembly can set: single values,
//     not those in lists and maps
//   - the table of all properties, in the README between the lines <!-- configuration --> and <!-- end of configuration -->
//
// A tag describes what a field means, beside those that DecodeConfig knows:
//
//	Every time.Duration `json:"every" default:"30s" jsonschema:"how long it is from one poll to the next"`
//
// The table has no row for Vantiq's own member "vantiq", nor for a struct without a description of its own.
//
// # Where the schema and the connector differ
//
// The schema accepts what DecodeConfig accepts, with the text forms of numbers and booleans, and null for what may be
// missing. It cannot know
//
//   - what a Validate method asks for
//   - what a type that decodes itself makes of a value: of one with UnmarshalText the schema says that it is text, of one
//     with UnmarshalJSON nothing, but for a few of the standard library; and the same for the keys of a map
//   - how a number is written: DecodeConfig takes 1.0 and 1e3 for no whole numbers, and -0 for no number from 0 on
//   - that a whole number has more than 64 bits, a floating-point number that is written as text is too large, or a duration
//     longer than 290 years
//   - the rarest texts: blanks that are not ASCII around a number, line breaks in base64
package configdoc
