package connector

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/vantiq-go/connectorsdk/internal/configfields"
)

// DecodeConfig decodes a source configuration into a struct, by its json tags, and reports everything that is wrong with
// it at once, with paths: unknown fields, missing ones, and wrong values. Values arrive from Vantiq's editor as strings as
// often as not, so "10" is accepted as a number and "true" as a boolean. A [time.Duration] is written like "1m30s". A number
// in a field of type any becomes a [json.Number]. A [protocol.Secret] is text that no error shows. null counts as missing. A
// member "vantiq" of the whole configuration is Vantiq's own, and ignored unless T has it.
//
// Further tags of a field say more:
//
//	Every time.Duration `json:"every" default:"30s"`
//	Mode  string        `json:"mode" enum:"insert, update"`
//	Peers []string      `json:"peers" default:"[\"a\", \"b\"]"`
//
// A default stands for the field when it is missing. It is read like text in the document; for lists, maps and structs it is
// JSON. A field may be missing if it has a default, is omitempty or omitzero, is a pointer, or is a struct in which every
// field may be; without a default it keeps its zero value. The fields of a struct that is missing and may be get their
// defaults, too, and none of them is reported as missing; a pointer to a struct stays nil, which tells that the struct was
// missing. An enum lists all values that text or a
// whole number may have. Tags that make no sense, like a default that does not fit its field, are mistakes of the program,
// and reported for every document.
//
// A method Validate() error of T or *T is called when all else is well; that of *T may change the value. Problems that it
// joins by [errors.Join] are told one by one.
//
// The error is [Permanent]: a Connect handler may return it as it is, and every query is answered with it until Vantiq sends
// another configuration. Its text is bounded, whatever the configuration.
func DecodeConfig[T any](config Document) (T, error) {
	var target T
	t := reflect.TypeFor[T]()
	if mistakes := checkTags(t, map[reflect.Type]bool{}); len(mistakes) > 0 {
		return target, Permanent(fmt.Errorf("%w: %w", configfields.ErrMistake, errors.Join(mistakes...)))
	}
	problems := decodeConfig(config, &target, t)
	if len(problems) == 0 {
		for _, value := range []any{&target, target} {
			if validator, ok := value.(interface{ Validate() error }); ok {
				var c configReader
				c.addEach(validator.Validate())
				problems = c.all()
				break
			}
		}
	}
	if err := errors.Join(problems...); err != nil {
		return target, Permanent(fmt.Errorf("source configuration: %w", err))
	}
	return target, nil
}

// vantiqMember is where Vantiq keeps settings of its own in a source configuration, like packageRows.
const vantiqMember = "vantiq"

func decodeConfig(config Document, target any, t reflect.Type) []error {
	members, err := config.Map()
	if err != nil {
		return []error{err}
	}
	isVantiqs := func(f configfields.Field) bool { return f.Name == vantiqMember }
	if t := configfields.Behind(t); configfields.IsPlainStruct(t) && !slices.ContainsFunc(configfields.Of(t), isVantiqs) {
		delete(members, vantiqMember)
	}
	var c configReader
	value := c.read(t, members, "")
	if problems := c.all(); len(problems) > 0 {
		return problems
	}
	text, err := json.Marshal(value)
	if err != nil {
		return []error{err}
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(target); err != nil {
		return []error{tame(err)}
	}
	return nil
}

// A configReader compares a document with a type, notes everything that does not fit, and returns the document with its
// values as encoding/json wants them.
type configReader struct {
	problems []error
	more     int                  // that are not told
	absent   bool                 // the struct that is read is missing, and may be
	defaults []configfields.Field // whose defaults are read
	fields   map[reflect.Type][]configfields.Field
}

// What is told of a configuration that is nothing but wrong: somebody is to read it.
const (
	maxProblems = 50
	maxShown    = 100 // bytes of a key or a value
	maxPath     = 500 // bytes of a path
)

func (c *configReader) report(path, format string, args ...any) {
	if len(c.problems) == maxProblems {
		c.more++
		return
	}
	if len(path) > maxPath {
		path = path[:maxPath/2] + "…" + path[len(path)-maxPath/2:]
	}
	if path != "" {
		path += ": "
	}
	c.add(errors.New(path + fmt.Sprintf(format, args...)))
}

func (c *configReader) add(problem error) {
	if len(c.problems) == maxProblems {
		c.more++
		return
	}
	c.problems = append(c.problems, tame(problem))
}

// joined is the type of what errors.Join returns. Others have several errors in a text of their own.
var joined = reflect.TypeOf(errors.Join(errors.ErrUnsupported))

// addEach adds what errors.Join has joined one by one.
func (c *configReader) addEach(err error) {
	several, ok := err.(interface{ Unwrap() []error })
	switch {
	case err == nil:
	case ok && reflect.TypeOf(err) == joined:
		for _, err := range several.Unwrap() {
			c.addEach(err)
		}
	default:
		c.add(err)
	}
}

func (c *configReader) all() []error {
	if c.more > 0 {
		return append(c.problems, fmt.Errorf("and %d more", c.more))
	}
	return c.problems
}

// shortened returns as much of a key or a value as is shown.
func shortened(text string) string {
	if len(text) <= maxShown {
		return text
	}
	return text[:maxShown] + "…"
}
