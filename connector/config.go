package connector

import (
	"bytes"
	"cmp"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// DecodeConfig decodes a source configuration into a struct, by its json tags, and reports everything that is wrong with
// it at once, with paths: unknown fields, missing ones (all that are not omitempty, omitzero or pointers), and wrong
// types. Values arrive from Vantiq's editor as strings as often as not, so "10" is accepted as a number and "true" as a
// boolean. A [time.Duration] is written like "1m30s". A number in a field of type any becomes a [json.Number]. Fields
// that are missing keep their zero value; a method Validate() error of T or *T is called when all else is well, and may
// set defaults if it is *T's. A member "vantiq" of the whole configuration is Vantiq's own, and ignored unless T has it.
//
// The error is [Permanent]: a Connect handler may return it as it is.
func DecodeConfig[T any](config Document) (T, error) {
	var target T
	problems := decodeConfig(config, &target, reflect.TypeFor[T]())
	if len(problems) == 0 {
		for _, value := range []any{&target, target} {
			if validator, ok := value.(interface{ Validate() error }); ok {
				problems = append(problems, validator.Validate())
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
	if fields := fieldsOf(behind(t)); fields != nil && fields[vantiqMember].t == nil {
		delete(members, vantiqMember)
	}
	var c configReader
	value := c.read(t, members, "")
	if c.more > 0 {
		c.problems = append(c.problems, fmt.Errorf("and %d more", c.more))
	}
	if len(c.problems) > 0 {
		return c.problems
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
	more     int // that are not told
}

// What is told of a configuration that is nothing but wrong: somebody is to read it.
const (
	maxProblems = 50
	maxShown    = 100 // bytes of a key or a value
)

func (c *configReader) report(path, format string, args ...any) {
	if len(c.problems) == maxProblems {
		c.more++
		return
	}
	if path != "" {
		path += ": "
	}
	c.problems = append(c.problems, tame(errors.New(path+fmt.Sprintf(format, args...))))
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
	t = behind(t)
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return c.readDuration(value, path)
	case decodesItself(t):
		return c.readItself(t, value, path)
	}
	switch kind := t.Kind(); kind {
	case reflect.Struct:
		return c.readStruct(t, value, path)
	case reflect.Map:
		members, ok := value.(map[string]any)
		if !ok {
			c.report(path, "%s is not an object", described(value))
		}
		for key, member := range members {
			members[key] = c.read(t.Elem(), member, path+"["+shortened(key)+"]")
		}
		return value
	case reflect.Slice, reflect.Array:
		elements, ok := value.([]any)
		if _, isText := value.(string); !ok && !(isText && t.Elem().Kind() == reflect.Uint8) { // base64
			c.report(path, "%s is not a list", described(value))
		}
		for i, element := range elements {
			elements[i] = c.read(t.Elem(), element, fmt.Sprintf("%s[%d]", path, i))
		}
		return value
	case reflect.String:
		if _, ok := value.(string); !ok {
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
	fields := fieldsOf(t)
	for _, key := range slices.Sorted(maps.Keys(members)) {
		if f, known := fields[key]; known {
			members[key] = c.read(f.t, members[key], join(path, key))
		} else {
			c.report(join(path, key), "unknown, check its spelling")
		}
	}
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		if members[key] == nil && !fields[key].optional {
			c.report(join(path, key), "missing")
		}
	}
	return members
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
	number := json.Number(text)
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
		if f, err := strconv.ParseFloat(text, t.Bits()); err == nil && !math.IsNaN(f) && !math.IsInf(f, 0) {
			return f
		}
		c.report(path, "%s is not a number", described(value))
	default:
		return number
	}
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

// behind returns the type that a pointer leads to.
func behind(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

// decodesItself reports whether a type has a JSON form of its own, as Document and time.Time do.
func decodesItself(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(reflect.TypeFor[json.Unmarshaler]()) || p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

func join(path, key string) string {
	key = shortened(key)
	if path == "" {
		return key
	}
	return path + "." + key
}

// A field is one that a struct has in JSON.
type field struct {
	t        reflect.Type
	optional bool
}

// fieldsOf returns the fields of a struct by their JSON names, those of embedded structs included, or nil if t is none.
func fieldsOf(t reflect.Type, above ...reflect.Type) map[string]field {
	if t.Kind() != reflect.Struct || slices.Contains(above, t) {
		return nil
	}
	fields := map[string]field{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch inner := behind(f.Type); {
		case f.Tag.Get("json") == "-":
		case f.Anonymous && name == "" && inner.Kind() == reflect.Struct:
			for key, below := range fieldsOf(inner, append(above, t)...) {
				if _, hidden := fields[key]; !hidden {
					fields[key] = below
				}
			}
		case f.IsExported():
			optional := strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero") || f.Type.Kind() == reflect.Pointer
			fields[cmp.Or(name, f.Name)] = field{f.Type, optional}
		}
	}
	return fields
}
