package connector

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
)

// DecodeConfig decodes a source configuration into a struct, by its json tags, and reports everything that is wrong with
// it at once, with paths: unknown fields, missing ones (all that are not omitempty or omitzero), and wrong types. Values
// arrive from Vantiq's editor as strings as often as not, so "10" is accepted as a number and "true" as a boolean. A
// [time.Duration] is written like "1m30s". If T or *T has a method Validate() error, it is called when all else is well.
//
// The error is [Permanent]: a Connect handler may return it as it is.
func DecodeConfig[T any](config Document) (T, error) {
	var target T
	problems := decodeConfig(config, &target, reflect.TypeFor[T]())
	if len(problems) == 0 {
		if validator, ok := any(&target).(interface{ Validate() error }); ok {
			problems = append(problems, validator.Validate())
		}
	}
	if err := errors.Join(problems...); err != nil {
		return target, Permanent(fmt.Errorf("source configuration: %w", err))
	}
	return target, nil
}

func decodeConfig(config Document, target any, t reflect.Type) (problems []error) {
	members, err := config.Map()
	if err != nil {
		return []error{err}
	}
	decoder, err := mapstructure.NewDecoder(&mapstructure.DecoderConfig{
		Result:     target,
		TagName:    "json",
		Squash:     true, // embedded structs, as encoding/json has it
		MatchName:  func(key, field string) bool { return key == field },
		DecodeHook: mapstructure.ComposeDecodeHookFunc(byItself, mapstructure.TextUnmarshallerHookFunc(), fromText),
	})
	if err != nil {
		return []error{err}
	}
	// The decoder's own account of unknown and missing fields leaves out every level on which a value is wrong.
	return append(checkFields(t, members, ""), flatten(decoder.Decode(members))...)
}

// checkFields reports the members of value that t does not know, and those that it wants and value does not have.
func checkFields(t reflect.Type, value any, path string) (problems []error) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch kind := t.Kind(); {
	case kind == reflect.Slice, kind == reflect.Array:
		elements, _ := value.([]any)
		for i, element := range elements {
			problems = append(problems, checkFields(t.Elem(), element, fmt.Sprintf("%s[%d]", path, i))...)
		}
	case kind == reflect.Map:
		members, _ := value.(map[string]any)
		for _, key := range slices.Sorted(maps.Keys(members)) {
			problems = append(problems, checkFields(t.Elem(), members[key], fmt.Sprintf("%s[%s]", path, key))...)
		}
	case kind == reflect.Struct && !decodesItself(t):
		members, isObject := value.(map[string]any)
		if !isObject {
			return nil // the decoder says what it is, or it is a text that unmarshals itself
		}
		fields := map[string]field{}
		collectFields(t, fields)
		for _, key := range slices.Sorted(maps.Keys(members)) {
			if f, known := fields[key]; known {
				problems = append(problems, checkFields(f.t, members[key], join(path, key))...)
			} else {
				problems = append(problems, fmt.Errorf("%s: unknown, check its spelling", join(path, key)))
			}
		}
		for _, key := range slices.Sorted(maps.Keys(fields)) {
			if members[key] == nil && !fields[key].optional {
				problems = append(problems, fmt.Errorf("%s: missing", join(path, key)))
			}
		}
	}
	return problems
}

func join(path, key string) string {
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

// embedded returns the struct behind a pointer.
func embedded(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}

// decodesItself reports whether a type has a JSON form of its own, as Document does.
func decodesItself(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]())
}

// byItself lets a type decode itself that can.
func byItself(from, to reflect.Value) (any, error) {
	if !decodesItself(to.Type()) || from.Type() == to.Type() {
		return from.Interface(), nil
	}
	text, err := json.Marshal(from.Interface())
	if err != nil {
		return nil, err
	}
	value := reflect.New(to.Type())
	if err := json.Unmarshal(text, value.Interface()); err != nil {
		return nil, err
	}
	return value.Elem().Interface(), nil
}

func collectFields(t reflect.Type, fields map[string]field) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-":
		case f.Anonymous && name == "" && embedded(f.Type).Kind() == reflect.Struct:
			collectFields(embedded(f.Type), fields)
		case f.IsExported():
			optional := strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero")
			fields[cmp.Or(name, f.Name)] = field{f.Type, optional}
		}
	}
}

// fromText converts what was typed as text into the number, boolean or duration that the field is.
func fromText(from, to reflect.Value) (any, error) {
	text, isText := from.Interface().(string)
	number, isNumber := from.Interface().(json.Number)
	if isNumber {
		text = string(number)
	}
	if !isNumber && !isText {
		return from.Interface(), nil
	}
	text = strings.TrimSpace(text)
	if to.Type() == reflect.TypeFor[time.Duration]() {
		if duration, err := time.ParseDuration(text); err == nil {
			return duration, nil
		}
		return nil, fmt.Errorf("%q is not a duration, write it like 1m30s", text)
	}
	var err error
	value := from.Interface()
	switch kind := to.Kind(); {
	case kind == reflect.Bool && isText:
		if value, err = strconv.ParseBool(strings.ToLower(text)); err != nil {
			return nil, fmt.Errorf("%q is not true or false", text)
		}
	case reflect.Int <= kind && kind <= reflect.Int64:
		if value, err = strconv.ParseInt(text, 10, to.Type().Bits()); err != nil {
			return nil, fmt.Errorf("%q is not a whole number of %d bits", text, to.Type().Bits())
		}
	case reflect.Uint <= kind && kind <= reflect.Uintptr:
		if value, err = strconv.ParseUint(text, 10, to.Type().Bits()); err != nil {
			return nil, fmt.Errorf("%q is not a whole number from 0 on of %d bits", text, to.Type().Bits())
		}
	case kind == reflect.Float32, kind == reflect.Float64:
		if value, err = strconv.ParseFloat(text, to.Type().Bits()); err != nil {
			return nil, fmt.Errorf("%q is not a number", text)
		}
	}
	return value, nil
}

// flatten returns the single errors that a decoder joined, each with its path.
func flatten(err error) (all []error) {
	var several interface{ Unwrap() []error }
	var one *mapstructure.DecodeError
	switch {
	case err == nil:
	case errors.As(err, &several):
		for _, inner := range several.Unwrap() {
			all = append(all, flatten(inner)...)
		}
	case errors.As(err, &one) && one.Name() != "":
		all = append(all, fmt.Errorf("%s: %w", one.Name(), one.Unwrap()))
	default:
		all = append(all, err)
	}
	return all
}
