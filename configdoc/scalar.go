package configdoc

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
)

// Values arrive from Vantiq's editor as text as often as not: what is a number or a boolean may be written as text, with
// blanks around it. These patterns are what connector.DecodeConfig reads, in the part of the regular expressions that Go and
// ECMAScript share.
const (
	fraction  = `(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)`
	float     = `[+-]?` + fraction + `(?:[eE][+-]?[0-9]+)?`
	number    = `-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?`
	duration  = `[+-]?(?:0|(?:` + fraction + `(?:ns|us|µs|μs|ms|s|m|h))+)`
	trueFalse = `[Tt]|[Ff]|[Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee]|0|1`
	base64    = `^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$`
)

// text is the schema of text that has a pattern, but for blanks around it.
func text(pattern string) *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Pattern: `^\s*(?:` + pattern + `)\s*$`}
}

func anyOf(schemas ...*jsonschema.Schema) *jsonschema.Schema {
	return &jsonschema.Schema{AnyOf: schemas}
}

// scalar returns the name and the schema of a type that is read from a single value, and is worth a definition of its own.
func scalar(t reflect.Type) (name string, schema *jsonschema.Schema) {
	switch t {
	case reflect.TypeFor[time.Duration]():
		return "duration", text(duration)
	case reflect.TypeFor[json.Number]():
		return "number", anyOf(&jsonschema.Schema{Type: "number"}, text(number))
	}
	switch kind := t.Kind(); kind {
	case reflect.Bool:
		return "boolean", anyOf(&jsonschema.Schema{Type: "boolean"}, &jsonschema.Schema{Enum: []any{0, 1}}, text(trueFalse))
	case reflect.Float32, reflect.Float64:
		s := &jsonschema.Schema{Type: "number"}
		if kind == reflect.Float32 {
			s.Minimum, s.Maximum = jsonschema.Ptr(-math.MaxFloat32), jsonschema.Ptr(math.MaxFloat32)
		}
		return kind.String(), anyOf(s, text(float))
	}
	if isWhole(t) {
		return fmt.Sprint(family(t), t.Bits()), anyOf(wholeNumber(t), text(wholeText(t)))
	}
	return "", nil
}

func isWhole(t reflect.Type) bool { return reflect.Int <= t.Kind() && t.Kind() <= reflect.Uintptr }

func isSigned(t reflect.Type) bool { return t.Kind() <= reflect.Int64 }

func family(t reflect.Type) string {
	if isSigned(t) {
		return "int"
	}
	return "uint"
}

// limits returns the least and the greatest whole number of a type.
func limits(t reflect.Type) (least int64, greatest uint64) {
	if isSigned(t) {
		return math.MinInt64 >> (64 - t.Bits()), math.MaxInt64 >> (64 - t.Bits())
	}
	return 0, math.MaxUint64 >> (64 - t.Bits())
}

// wholeNumber returns the schema of the whole numbers of a type. Those of 64 bits have no bound in it: they would be all
// that a reader sees, and validators that calculate in floating-point numbers could not tell.
func wholeNumber(t reflect.Type) *jsonschema.Schema {
	least, greatest := limits(t)
	s := &jsonschema.Schema{Type: "integer"}
	if t.Bits() < 64 {
		s.Maximum = jsonschema.Ptr(float64(greatest))
	}
	if t.Bits() < 64 || !isSigned(t) {
		s.Minimum = jsonschema.Ptr(float64(least))
	}
	return s
}

// wholeText returns the pattern of the whole numbers of a type, without bounds where wholeNumber has none.
func wholeText(t reflect.Type) string {
	least, greatest := limits(t)
	switch signed := isSigned(t); {
	case t.Bits() == 64 && signed:
		return `[+-]?[0-9]+`
	case t.Bits() == 64:
		return `[0-9]+`
	case signed:
		return `\+?0*(?:` + upTo(fmt.Sprint(greatest)) + `)|-0*(?:` + upTo(strings.TrimPrefix(fmt.Sprint(least), "-")) + `)`
	default:
		return `0*(?:` + upTo(fmt.Sprint(greatest)) + `)`
	}
}

// upTo returns the pattern of the whole numbers from 0 to the greatest, which has more than one digit; zeros may stand
// before it.
func upTo(greatest string) string {
	rest := len(greatest) - 1
	alternatives := []string{fmt.Sprintf("[0-9]{1,%d}", rest)}
	for i, digit := range greatest {
		least := '0'
		if i == 0 {
			least = '1'
		}
		if least < digit {
			alternatives = append(alternatives, greatest[:i]+between(least, digit-1)+digits(rest-i))
		}
	}
	return strings.Join(append(alternatives, greatest), "|")
}

func between(least, greatest rune) string {
	if least == greatest {
		return string(least)
	}
	return fmt.Sprintf("[%c-%c]", least, greatest)
}

func digits(n int) string {
	switch n {
	case 0:
		return ""
	case 1:
		return "[0-9]"
	}
	return fmt.Sprintf("[0-9]{%d}", n)
}
