package connector

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
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
	var found mapstructure.Metadata
	decoder, err := mapstructure.NewDecoder(&mapstructure.DecoderConfig{
		Result:     target,
		Metadata:   &found,
		TagName:    "json",
		Squash:     true, // embedded structs, as encoding/json has it
		MatchName:  func(key, field string) bool { return key == field },
		DecodeHook: mapstructure.ComposeDecodeHookFunc(mapstructure.TextUnmarshallerHookFunc(), fromText),
	})
	if err != nil {
		return []error{err}
	}
	problems = flatten(decoder.Decode(members))
	slices.Sort(found.Unused)
	for _, path := range found.Unused {
		problems = append(problems, fmt.Errorf("%s: unknown, check its spelling", path))
	}
	optional := map[string]bool{}
	optionalFields(t, "", nil, optional)
	slices.Sort(found.Unset)
	for _, path := range found.Unset {
		if !optional[index.ReplaceAllString(path, "")] {
			problems = append(problems, fmt.Errorf("%s: missing", path))
		}
	}
	return problems
}

// fromText converts what was typed as text into the number, boolean or duration that the field is.
func fromText(from, to reflect.Value) (any, error) {
	number, isNumber := from.Interface().(json.Number)
	text, isText := from.Interface().(string)
	if !isNumber && !isText {
		return from.Interface(), nil
	}
	text = strings.TrimSpace(text)
	if to.Type() == reflect.TypeFor[time.Duration]() {
		if duration, err := time.ParseDuration(text + string(number)); err == nil {
			return duration, nil
		}
		return nil, fmt.Errorf("%q is not a duration, write it like 1m30s", text+string(number))
	}
	if isNumber {
		return number, nil
	}
	var err error
	var value any = from.Interface()
	switch kind := to.Kind(); {
	case kind == reflect.Bool:
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

var index = regexp.MustCompile(`\[[^]]*\]`)

// optionalFields collects the paths of fields that may be missing, without the indexes of lists and maps.
func optionalFields(t reflect.Type, path string, above []reflect.Type, optional map[string]bool) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Array || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || slices.Contains(above, t) {
		return
	}
	above = append(slices.Clone(above), t)
	for i := range t.NumField() {
		field := t.Field(i)
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if field.Anonymous && name == "" {
			optionalFields(field.Type, path, above, optional)
			continue
		}
		if name == "" {
			name = field.Name
		}
		below := name
		if path != "" {
			below = path + "." + name
		}
		if name == "-" || strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero") {
			optional[below] = true
		}
		optionalFields(field.Type, below, above, optional)
	}
}
