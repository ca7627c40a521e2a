package connector

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/vantiq-go/connectorsdk/internal/configfields"
	"github.com/vantiq-go/connectorsdk/protocol"
)

// readMissing returns what stands for a field that the document does not have: its default, or a struct of defaults, or
// nothing.
func (c *configReader) readMissing(f configfields.Field, path string) any {
	switch {
	case f.HasDefault:
		isThis := func(above configfields.Field) bool { return above.Owner == f.Owner && above.GoName == f.GoName }
		if slices.ContainsFunc(c.defaults, isThis) {
			c.report(path, "the default contains itself")
			return nil
		}
		c.defaults = append(c.defaults, f)
		defer func() { c.defaults = c.defaults[:len(c.defaults)-1] }()
		return c.readField(f, defaultValue(f), path)
	case configfields.IsPlainStruct(f.Type): // what is missing in it is told, unless it may be missing as a whole
		defer func(absent bool) { c.absent = absent }(c.absent)
		c.absent = c.absent || f.Optional
		return c.readStruct(f.Type, map[string]any{}, path)
	case !f.Optional && !c.absent:
		c.report(path, "missing")
	}
	return nil
}

// defaultValue returns a default as it would stand in a document.
func defaultValue(f configfields.Field) any {
	var structured any
	decoder := json.NewDecoder(strings.NewReader(f.Default))
	decoder.UseNumber()
	t := configfields.Behind(f.Type)
	switch {
	case !json.Valid([]byte(f.Default)) || decoder.Decode(&structured) != nil || structured == nil:
		return f.Default
	case configfields.IsStructured(t):
		return structured
	case configfields.DecodesItself(t):
		var c configReader
		if c.readItself(t, f.Default, ""); len(c.problems) > 0 { // not from text, as big.Int
			return structured
		}
	}
	return f.Default
}

// checkTags returns what is wrong with the tags of the structs that a configuration of type t consists of.
func checkTags(t reflect.Type, seen map[reflect.Type]bool) (mistakes []error) {
	t = configfields.Behind(t)
	if seen[t] || configfields.DecodesItself(t) {
		return nil
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Slice, reflect.Array, reflect.Map:
		return checkTags(t.Elem(), seen)
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			if !configfields.IsMember(f) && (f.Tag.Get("default") != "" || f.Tag.Get("enum") != "") {
				mistakes = append(mistakes, fmt.Errorf("%v.%s: a default or an enum, but the field is no member of a configuration", t, f.Name))
			}
			if _, options, _ := strings.Cut(f.Tag.Get("json"), ","); configfields.IsMember(f) && slices.Contains(strings.Split(options, ","), "string") {
				mistakes = append(mistakes, fmt.Errorf(`%v.%s: the option "string" of its json tag: leave it out, text is read as a number anyway`, t, f.Name))
			}
			if _, embedded := configfields.Embedded(f); embedded || configfields.IsMember(f) {
				mistakes = append(mistakes, checkTags(f.Type, seen)...)
			}
		}
		for _, f := range configfields.Of(t) {
			mistakes = append(mistakes, checkField(f)...)
		}
	}
	return mistakes
}

func checkField(f configfields.Field) (mistakes []error) {
	if len(f.Enum) > 0 && !enumerable(configfields.Behind(f.Type)) {
		return []error{fmt.Errorf("%v.%s: an enum is for text and whole numbers, and the field is a %v", f.Owner, f.GoName, f.Type)}
	}
	for _, value := range f.Enum {
		var c configReader
		c.read(f.Type, value, "")
		for _, problem := range c.all() {
			mistakes = append(mistakes, fmt.Errorf("%v.%s: %q of the enum cannot be used: %w", f.Owner, f.GoName, value, problem))
		}
	}
	if f.HasDefault && len(mistakes) == 0 {
		var c configReader
		c.readMissing(f, "")
		for _, problem := range c.all() {
			mistakes = append(mistakes, fmt.Errorf("%v.%s: the default %q cannot be used: %w", f.Owner, f.GoName, f.Default, problem))
		}
	}
	return mistakes
}

func enumerable(t reflect.Type) bool {
	switch kind := t.Kind(); {
	case configfields.DecodesItself(t):
		return configfields.DecodesText(t)
	case t == reflect.TypeFor[time.Duration](), t == reflect.TypeFor[json.Number](), t == reflect.TypeFor[protocol.Secret]():
		return false
	default:
		return kind == reflect.String || reflect.Int <= kind && kind <= reflect.Uintptr
	}
}
