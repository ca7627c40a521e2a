package configdoc

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/internal/configfields"
	"github.com/vantiq-go/connectorsdk/protocol"
)

// A row describes a property.
type row struct {
	path        string // like polls[].every
	kind        string // its type in words
	value       string // what it is if it is missing
	description string
	structure   bool // it is no more than the properties in it
	settable    bool // a single value that is not in a list or a map
}

// tableOf returns the properties of a configuration, in the order of the struct's fields.
func tableOf(t reflect.Type) []row {
	var w walker
	w.structure(configfields.Behind(t), place{settable: true})
	return slices.DeleteFunc(w.rows, func(r row) bool { return r.structure && r.description == "" })
}

type walker struct {
	rows  []row
	above []reflect.Type
}

// A place is where a struct stands.
type place struct {
	path     string
	optional string // path of the struct around it that may be missing
	settable bool   // not in a list or a map
}

func (w *walker) structure(t reflect.Type, at place) {
	if slices.Contains(w.above, t) {
		return
	}
	w.above = append(w.above, t)
	defer func() { w.above = w.above[:len(w.above)-1] }()
	for _, f := range configfields.Of(t) {
		if at.path == "" && f.Name == vantiqMember {
			continue
		}
		path := strings.TrimPrefix(at.path+"."+f.Name, ".")
		inner := configfields.Behind(f.Type)
		below, nested := nextPlace(inner, place{path, at.optional, at.settable})
		simple := inner.Kind() == reflect.Struct && nested
		w.rows = append(w.rows, row{
			path: path, kind: typeInWords(f), value: valueInWords(f, at), description: f.Description,
			structure: simple,
			settable:  at.settable && !nested && !configfields.IsStructured(inner),
		})
		if !nested {
			continue
		}
		if simple && f.Optional {
			below.optional = path
		}
		w.structure(elementOf(inner), below)
	}
}

// nextPlace returns where the structs in a property of type t stand, if there are any.
func nextPlace(t reflect.Type, at place) (place, bool) {
	for {
		t = configfields.Behind(t)
		if configfields.DecodesItself(t) {
			return at, false
		}
		switch t.Kind() {
		case reflect.Struct:
			return at, true
		case reflect.Slice, reflect.Array:
			at = place{path: at.path + "[]"}
		case reflect.Map:
			at = place{path: at.path + "[key]"}
		default:
			return at, false
		}
		t = t.Elem()
	}
}

// elementOf returns what is in lists and maps, if t is one.
func elementOf(t reflect.Type) reflect.Type {
	t = configfields.Behind(t)
	switch t.Kind() {
	case reflect.Slice, reflect.Array, reflect.Map:
		return elementOf(t.Elem())
	}
	return t
}

func valueInWords(f configfields.Field, at place) string {
	switch {
	case f.HasDefault:
		return code(cmp.Or(f.Default, `""`))
	case !f.Optional && at.optional != "":
		return "required in " + code(at.optional)
	case !f.Optional:
		return "required"
	case f.Type.Kind() == reflect.Bool && !configfields.DecodesItself(f.Type):
		return code("false")
	}
	return "none"
}

// A noun is how a type is called, alone and in a list.
type noun struct{ one, many string }

var nouns = map[reflect.Type]noun{
	reflect.TypeFor[time.Duration]():      {"duration like `1m30s`", "durations like `1m30s`"},
	reflect.TypeFor[time.Time]():          {"time like `2006-01-02T15:04:05Z`", "times like `2006-01-02T15:04:05Z`"},
	reflect.TypeFor[json.Number]():        {"number", "numbers"},
	reflect.TypeFor[json.RawMessage]():    {"any value", "any values"},
	reflect.TypeFor[connector.Document](): {"object", "objects"},
	reflect.TypeFor[protocol.Secret]():    {"secret text", "secret texts"},
	reflect.TypeFor[big.Int]():            {"whole number", "whole numbers"},
	reflect.TypeFor[netip.Addr]():         {"IP address", "IP addresses"},
	reflect.TypeFor[netip.AddrPort]():     {"IP address and port", "IP addresses and ports"},
	reflect.TypeFor[netip.Prefix]():       {"range of IP addresses", "ranges of IP addresses"},
}

func typeInWords(f configfields.Field) string {
	if len(f.Enum) == 0 {
		return nounOf(f.Type).one
	}
	var values []string
	for _, value := range f.Enum {
		values = append(values, code(value))
	}
	if last := len(values) - 1; last > 0 {
		return strings.Join(values[:last], ", ") + " or " + values[last]
	}
	return values[0]
}

func nounOf(t reflect.Type) noun {
	t = configfields.Behind(t)
	if known, ok := nouns[t]; ok {
		return known
	}
	if configfields.DecodesItself(t) {
		return noun{"text", "texts"}
	}
	switch t.Kind() {
	case reflect.Bool:
		return noun{"`true` or `false`", "booleans"}
	case reflect.Float32, reflect.Float64:
		return noun{"number", "numbers"}
	case reflect.Struct:
		return noun{"object", "objects"}
	case reflect.Map:
		many := nounOf(t.Elem()).many
		return noun{"object of " + many, "objects of " + many}
	case reflect.Slice, reflect.Array:
		if configfields.IsBytes(t) {
			return noun{"bytes in base64", "bytes in base64"}
		}
		many := nounOf(t.Elem()).many
		if t.Kind() == reflect.Array {
			many = fmt.Sprint(t.Len(), " ", many)
		}
		return noun{"list of " + many, "lists of " + many}
	case reflect.String:
		return noun{"text", "texts"}
	}
	if isWhole(t) {
		return wholeNoun(t)
	}
	return noun{"any value", "any values"}
}

func wholeNoun(t reflect.Type) noun {
	least, greatest := limits(t)
	extent := fmt.Sprintf(" from %d to %d", least, greatest)
	if t.Bits() == 64 {
		extent = " from 0 on"
		if isSigned(t) {
			extent = ""
		}
	}
	return noun{"whole number" + extent, "whole numbers" + extent}
}

const (
	tableBegin = "<!-- configuration -->\n"
	tableEnd   = "<!-- end of configuration -->"
)

// withTable returns a README with the table between its markers.
func withTable(readme []byte, rows []row) ([]byte, error) {
	before, rest, begins := bytes.Cut(readme, []byte(tableBegin))
	_, after, ends := bytes.Cut(rest, []byte(tableEnd))
	if !begins || !ends {
		return nil, errors.New("there is no place for the table; put it between the lines " + tableBegin[:len(tableBegin)-1] + " and " + tableEnd)
	}
	var text bytes.Buffer
	text.Write(before)
	text.WriteString(tableBegin + "\n| Property | Type | Default | Meaning |\n| --- | --- | --- | --- |\n")
	for _, r := range rows {
		fmt.Fprintf(&text, "| `%s` | %s | %s | %s |\n", cell(r.path), cell(r.kind), cell(r.value), cell(r.description))
	}
	text.WriteString("\n" + tableEnd)
	text.Write(after)
	return text.Bytes(), nil
}

func code(text string) string { return "`" + text + "`" }

// cell keeps a text within its cell.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ").Replace(text)
}
