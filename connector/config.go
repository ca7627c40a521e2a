package connector

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vantiq-go/connectorsdk/internal/configfields"
	"github.com/vantiq-go/connectorsdk/protocol"
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
// JSON. A field may be missing if it has a default, is omitempty or omitzero, or is a pointer; without a default it keeps
// its zero value. The fields of a struct that is missing and may be get their defaults, too, and none of them is reported as
// missing; a pointer to a struct stays nil, which tells that the struct was missing. An enum lists all values that text or a
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
	if fields := configfields.Of(configfields.Behind(t)); fields != nil && !slices.ContainsFunc(fields, isVantiqs) {
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

func (c *configReader) read(t reflect.Type, value any, path string) any {
	if value == nil {
		return nil
	}
	t = configfields.Behind(t)
	switch t {
	case reflect.TypeFor[time.Duration]():
		return c.readDuration(value, path)
	case reflect.TypeFor[json.Number]():
		return c.readNumber(value, path)
	case reflect.TypeFor[Document]():
		if _, ok := value.(map[string]any); !ok {
			c.report(path, "%s is not an object", described(value))
		}
		return value
	}
	if configfields.DecodesItself(t) {
		return c.readItself(t, value, path)
	}
	switch kind := t.Kind(); kind {
	case reflect.Struct:
		return c.readStruct(t, value, path)
	case reflect.Map:
		return c.readMap(t, value, path)
	case reflect.Slice, reflect.Array:
		return c.readList(t, value, path)
	case reflect.String:
		if _, ok := value.(string); !ok && t == reflect.TypeFor[protocol.Secret]() {
			c.report(path, "not text, put it in quotes")
		} else if !ok {
			c.report(path, "%s is not text, put it in quotes", described(value))
		}
		return value
	case reflect.Interface:
		return value
	default:
		return c.readScalar(kind, t, value, path)
	}
}

func (c *configReader) readStruct(t reflect.Type, value any, path string) any {
	members, ok := value.(map[string]any)
	if !ok {
		c.report(path, "%s is not an object", described(value))
		return value
	}
	result := map[string]any{}
	for _, f := range c.fieldsOf(t) {
		below := join(path, f.Name)
		read := c.readMissing
		if members[f.Name] != nil {
			read = func(f configfields.Field, path string) any { return c.readField(f, members[f.Name], path) }
		}
		if value := read(f, below); value != nil { // what is missing stays missing: null has a meaning for some types
			result[f.Name] = value
		}
		delete(members, f.Name)
	}
	for _, key := range slices.Sorted(maps.Keys(members)) {
		c.report(join(path, key), "unknown, check its spelling")
	}
	return result
}

// fieldsOf remembers the fields of a struct: a list may have a million.
func (c *configReader) fieldsOf(t reflect.Type) []configfields.Field {
	fields, known := c.fields[t]
	if !known {
		if c.fields == nil {
			c.fields = map[reflect.Type][]configfields.Field{}
		}
		fields = configfields.Of(t)
		c.fields[t] = fields
	}
	return fields
}

func (c *configReader) readField(f configfields.Field, value any, path string) any {
	told := len(c.problems) + c.more
	got := c.read(f.Type, value, path)
	if len(f.Enum) > 0 && told == len(c.problems)+c.more {
		isOneOf := func(allowed string) bool { return new(configReader).read(f.Type, allowed, "") == got }
		if !slices.ContainsFunc(f.Enum, isOneOf) {
			c.report(path, "%s is not one of %s", described(value), strings.Join(f.Enum, ", "))
		}
	}
	return got
}

func (c *configReader) readMap(t reflect.Type, value any, path string) any {
	members, ok := value.(map[string]any)
	if !ok {
		c.report(path, "%s is not an object", described(value))
		return value
	}
	for _, key := range slices.Sorted(maps.Keys(members)) {
		below := path + "[" + shortened(key) + "]"
		c.readKey(t.Key(), key, below)
		members[key] = c.readElement(t.Elem(), members[key], below)
	}
	return members
}

// readKey tries the key of a map that is not simply text.
func (c *configReader) readKey(t reflect.Type, key, path string) {
	if t.Kind() == reflect.String && !configfields.DecodesText(t) {
		return
	}
	text, err := json.Marshal(map[string]bool{key: true})
	if err == nil {
		err = json.Unmarshal(text, reflect.New(reflect.MapOf(t, reflect.TypeFor[bool]())).Interface())
	}
	if err != nil {
		c.report(path, "the key does not fit: %v", err)
	}
}

func (c *configReader) readList(t reflect.Type, value any, path string) any {
	if text, ok := value.(string); ok && configfields.IsBytes(t) {
		if _, err := base64.StdEncoding.DecodeString(text); err != nil {
			c.report(path, "%s is not base64", described(value))
		}
		return value
	}
	elements, ok := value.([]any)
	if !ok {
		c.report(path, "%s is not a list", described(value))
		return value
	}
	if t.Kind() == reflect.Array && len(elements) != t.Len() {
		c.report(path, "a list of %d, and not of %d", len(elements), t.Len())
	}
	for i, element := range elements {
		elements[i] = c.readElement(t.Elem(), element, fmt.Sprintf("%s[%d]", path, i))
	}
	return elements
}

// readElement reads what stands in a list or a map. null stands there only for what can be nothing.
func (c *configReader) readElement(t reflect.Type, value any, path string) any {
	if value == nil && !configfields.MayBeNull(t) {
		c.report(path, "missing")
	}
	return c.read(t, value, path)
}

// readScalar reads a number or a boolean, which may be given as text.
func (c *configReader) readScalar(kind reflect.Kind, t reflect.Type, value any, path string) any {
	var text string
	switch v := value.(type) {
	case bool:
		if kind == reflect.Bool {
			return v
		}
	case json.Number:
		text = string(v)
	case string:
		text = strings.TrimSpace(v)
	}
	switch {
	case kind == reflect.Bool:
		if b, err := strconv.ParseBool(strings.ToLower(text)); err == nil {
			return b
		}
		c.report(path, "%s is not true or false", described(value))
	case reflect.Int <= kind && kind <= reflect.Int64:
		if n, err := strconv.ParseInt(text, 10, t.Bits()); err == nil {
			return n
		}
		c.report(path, "%s is not a whole number of %d bits", described(value), t.Bits())
	case reflect.Uint <= kind && kind <= reflect.Uintptr:
		if n, err := strconv.ParseUint(text, 10, t.Bits()); err == nil {
			return n
		}
		c.report(path, "%s is not a whole number from 0 on of %d bits", described(value), t.Bits())
	case kind == reflect.Float32, kind == reflect.Float64:
		// ParseFloat also knows infinities, hexadecimal digits and underscores.
		if f, err := strconv.ParseFloat(text, t.Bits()); err == nil && !strings.ContainsAny(text, "nNxX_") {
			return f
		}
		c.report(path, "%s is not a number", described(value))
	default:
		c.report(path, "nothing can be read into a %v", t)
	}
	return value
}

// readNumber keeps a number as it is written.
func (c *configReader) readNumber(value any, path string) any {
	text := fmt.Sprint(value)
	if number := json.Number(strings.TrimSpace(text)); number != "" && (number[0] == '-' || '0' <= number[0] && number[0] <= '9') && json.Valid([]byte(number)) {
		return number
	}
	c.report(path, "%s is not a number", described(value))
	return value
}

func (c *configReader) readDuration(value any, path string) any {
	if text, ok := value.(string); ok {
		if d, err := time.ParseDuration(strings.TrimSpace(text)); err == nil {
			return int64(d)
		}
	}
	c.report(path, "%s is not a duration, write it like 1m30s", described(value))
	return value
}

// readItself tries a type that decodes itself, so that what it says is reported with its path.
func (c *configReader) readItself(t reflect.Type, value any, path string) any {
	text, err := json.Marshal(value)
	if err == nil {
		err = json.Unmarshal(text, reflect.New(t).Interface())
	}
	if err != nil {
		c.report(path, "%v", err)
	}
	return value
}

// described shows a value that does not fit. Objects and lists are only named.
func described(value any) string {
	switch v := value.(type) {
	case map[string]any:
		return "an object"
	case []any:
		return "a list"
	case string:
		return strconv.Quote(shortened(v))
	}
	return shortened(fmt.Sprint(value))
}

func join(path, key string) string {
	key = shortened(key)
	if path == "" {
		return key
	}
	return path + "." + key
}
