// Package configfields reads from a struct which members its source configuration has. connector.DecodeConfig, which reads
// a configuration, and package configdoc, which documents it, share it so that they agree.
package configfields

import (
	"cmp"
	"encoding"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
)

// ErrMistake begins what DecodeConfig says of tags that make no sense.
var ErrMistake = errors.New("a mistake in the connector, not in the source configuration")

// A Field is a member that a struct has in a source configuration.
type Field struct {
	Name        string // of the member
	Type        reflect.Type
	Owner       reflect.Type // the struct that declares the field, maybe an embedded one
	GoName      string       // of the field
	Optional    bool         // the member may be missing, as a struct may in which every field may be
	Default     string       // what stands for it then, if HasDefault
	HasDefault  bool
	Enum        []string // the only values, if not empty
	Description string
}

// Of returns the fields of a struct in the order of their declaration, those of embedded structs included. Which of two
// fields with the same name counts is decided as encoding/json does: the one that is embedded less deeply, of these the one
// with a name in its tag, and none if there are several. Of returns nil if t is not a struct.
func Of(t reflect.Type) []Field {
	if t.Kind() != reflect.Struct {
		return nil
	}
	candidates := collect(t, nil)
	fields := []Field{}
	for i, c := range candidates {
		wins := func(j int, other candidate) bool { return j == i || other.Name != c.Name || c.rank() < other.rank() }
		if every(candidates, wins) {
			fields = append(fields, c.Field)
		}
	}
	return fields
}

type candidate struct {
	Field
	depth int
	named bool // in its tag
}

// rank is lower the more a field counts.
func (c candidate) rank() int {
	if c.named {
		return 2 * c.depth
	}
	return 2*c.depth + 1
}

func every[T any](all []T, holds func(int, T) bool) bool {
	for i, one := range all {
		if !holds(i, one) {
			return false
		}
	}
	return true
}

func collect(t reflect.Type, above []reflect.Type) (candidates []candidate) {
	if slices.Contains(above, t) {
		return nil
	}
	for i := range t.NumField() {
		f := t.Field(i)
		if inner, ok := Embedded(f); ok {
			candidates = append(candidates, collect(inner, append(above, t))...)
			continue
		}
		if !IsMember(f) {
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		value, hasDefault := f.Tag.Lookup("default")
		optional := hasDefault || strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero") ||
			f.Type.Kind() == reflect.Pointer || IsPlainStruct(f.Type) && every(Of(f.Type), func(_ int, f Field) bool { return f.Optional })
		candidates = append(candidates, candidate{
			Field: Field{
				Name: cmp.Or(name, f.Name), Type: f.Type, Owner: t, GoName: f.Name,
				Optional: optional, Default: value, HasDefault: hasDefault,
				Enum: enum(f.Tag.Get("enum")), Description: f.Tag.Get("jsonschema"),
			},
			depth: len(above), named: name != "",
		})
	}
	return candidates
}

func enum(tag string) (values []string) {
	if tag == "" {
		return nil
	}
	for value := range strings.SplitSeq(tag, ",") {
		values = append(values, strings.TrimSpace(value))
	}
	return values
}

// Embedded returns the struct whose fields f contributes in its own place, if it does.
func Embedded(f reflect.StructField) (reflect.Type, bool) {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	inner := Behind(f.Type)
	return inner, f.Anonymous && name == "" && inner.Kind() == reflect.Struct
}

// IsMember reports whether f is itself a member of the configuration: it is if it is exported, and neither embedded nor
// left out by its tag.
func IsMember(f reflect.StructField) bool {
	_, embedded := Embedded(f)
	return f.IsExported() && !embedded && f.Tag.Get("json") != "-"
}

// Behind returns the type that a pointer leads to.
func Behind(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

// DecodesItself reports whether a type has a JSON form of its own, as Document and time.Time do.
func DecodesItself(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()) || DecodesText(t)
}

// DecodesText reports whether a type reads itself from text, as netip.Addr does.
func DecodesText(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// IsPlainStruct reports whether the members of a type are its fields.
func IsPlainStruct(t reflect.Type) bool { return t.Kind() == reflect.Struct && !DecodesItself(t) }

// IsBytes reports whether a type is written in JSON as text in base64.
func IsBytes(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8
}

// IsStructured reports whether a type is written in JSON as an object or a list, as far as its kind tells.
func IsStructured(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Struct, reflect.Map, reflect.Array, reflect.Slice:
		return !IsBytes(t) && !DecodesText(t) || t == reflect.TypeFor[json.RawMessage]()
	}
	return false
}

// MayBeNull reports whether null is a value of a type in a list or a map.
func MayBeNull(t reflect.Type) bool {
	return t.Kind() == reflect.Pointer || t.Kind() == reflect.Interface || t == reflect.TypeFor[json.RawMessage]()
}
