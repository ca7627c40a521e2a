package configdoc

import (
	"encoding/json"
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/internal/configfields"
	"github.com/vantiq-go/connectorsdk/protocol"
)

// vantiqMember is where Vantiq keeps settings of its own in a source configuration.
const vantiqMember = "vantiq"

// schemaOf returns the JSON schema of what connector.DecodeConfig accepts for a struct.
func schemaOf(t reflect.Type, sourceType string) ([]byte, error) {
	t = configfields.Behind(t)
	if t.Kind() != reflect.Struct || configfields.DecodesItself(t) {
		return nil, fmt.Errorf("a configuration is a struct that does not decode itself")
	}
	b := builder{names: map[reflect.Type]string{}, definitions: map[string]*jsonschema.Schema{}}
	root, err := b.structure(t)
	if err != nil {
		return nil, err
	}
	if root.Ref != "" {
		root = b.definitions[b.names[t]].CloneSchemas()
	}
	if root.Properties[vantiqMember] == nil {
		root.Properties[vantiqMember] = &jsonschema.Schema{Description: "Vantiq's own"}
		root.PropertyOrder = append(root.PropertyOrder, vantiqMember)
	}
	root.Defs = b.definitions
	if _, err := root.Resolve(&jsonschema.ResolveOptions{ValidateDefaults: true}); err != nil {
		return nil, err
	}
	root.Defs = nil // stands at the end
	return layout(parts{
		Schema:      "https://json-schema.org/draft/2020-12/schema",
		Title:       "Configuration of a source of type " + sourceType,
		Root:        root,
		Definitions: b.definitions,
	})
}

// A builder makes the schemas of types. What is long, or contains itself, gets a name among the definitions.
type builder struct {
	names       map[reflect.Type]string
	definitions map[string]*jsonschema.Schema
	above       []reflect.Type // the structs that are being made
}

func (b *builder) schema(t reflect.Type) (*jsonschema.Schema, error) {
	t = configfields.Behind(t)
	if configfields.DecodesItself(t) {
		return itself(t), nil
	}
	if _, schema := scalar(t); schema != nil {
		return b.reference(t), nil
	}
	switch t.Kind() {
	case reflect.String:
		return &jsonschema.Schema{Type: "string", WriteOnly: t == reflect.TypeFor[protocol.Secret]()}, nil
	case reflect.Interface:
		return &jsonschema.Schema{}, nil
	case reflect.Struct:
		return b.structure(t)
	case reflect.Map:
		return b.mapping(t)
	case reflect.Slice, reflect.Array:
		return b.list(t)
	}
	return nil, fmt.Errorf("nothing can be read into a %v", t)
}

// itself returns the schema of a type that decodes itself, as far as it is known what it accepts.
func itself(t reflect.Type) *jsonschema.Schema {
	switch t {
	case reflect.TypeFor[connector.Document]():
		return &jsonschema.Schema{Type: "object"}
	case reflect.TypeFor[big.Int]():
		return &jsonschema.Schema{Type: "integer"}
	case reflect.TypeFor[time.Time]():
		return &jsonschema.Schema{Type: "string", Format: "date-time"}
	}
	if reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()) {
		return &jsonschema.Schema{}
	}
	return &jsonschema.Schema{Type: "string"}
}

func (b *builder) structure(t reflect.Type) (*jsonschema.Schema, error) {
	if slices.Contains(b.above, t) {
		return b.reference(t), nil
	}
	b.above = append(b.above, t)
	defer func() { b.above = b.above[:len(b.above)-1] }()

	s := &jsonschema.Schema{
		Type:                 "object",
		Properties:           map[string]*jsonschema.Schema{},
		AdditionalProperties: &jsonschema.Schema{Not: &jsonschema.Schema{}},
	}
	for _, f := range configfields.Of(t) {
		property, err := b.property(f)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		s.Properties[f.Name] = property
		s.PropertyOrder = append(s.PropertyOrder, f.Name)
		if !f.Optional {
			s.Required = append(s.Required, f.Name)
		}
	}
	if name, contained := b.names[t]; contained {
		b.definitions[name] = s
		return b.reference(t), nil
	}
	return s, nil
}

func (b *builder) property(f configfields.Field) (*jsonschema.Schema, error) {
	s, err := b.schema(f.Type)
	if err != nil {
		return nil, err
	}
	if len(f.Enum) > 0 {
		s = enumeration(f)
	}
	s = withNull(s, f.Optional)
	s.Description = f.Description
	if f.HasDefault {
		s.Default = defaultOf(f)
	}
	return s, nil
}

// enumeration returns the schema of the values of an enum.
func enumeration(f configfields.Field) *jsonschema.Schema {
	t := configfields.Behind(f.Type)
	var texts, numbers []any
	pattern := ""
	for _, value := range f.Enum {
		texts = append(texts, value)
		if n, err := strconv.ParseInt(value, 10, 64); err == nil {
			numbers = append(numbers, n)
			pattern += "|" + numeral(n, isSigned(t))
		} else if n, err := strconv.ParseUint(value, 10, 64); err == nil {
			numbers = append(numbers, n)
			pattern += fmt.Sprintf("|0*%d", n)
		}
	}
	if configfields.DecodesItself(t) || !isWhole(t) {
		return &jsonschema.Schema{Type: "string", Enum: texts}
	}
	return anyOf(&jsonschema.Schema{Enum: numbers}, text(pattern[len("|"):]))
}

// numeral returns the pattern of how a number may be written.
func numeral(n int64, signed bool) string {
	switch digits := fmt.Sprint(n); {
	case n < 0:
		return "-0*" + digits[1:]
	case n == 0 && signed:
		return `[+-]?0+`
	case signed:
		return `\+?0*` + digits
	default:
		return `0*` + digits
	}
}

// withNull returns a schema that accepts null as well, or else not: null counts as missing.
func withNull(s *jsonschema.Schema, may bool) *jsonschema.Schema {
	null := &jsonschema.Schema{Type: "null"}
	switch anything := reflect.ValueOf(*s).IsZero(); {
	case may && anything:
		return s
	case anything:
		return &jsonschema.Schema{Not: null}
	case !may:
		return s
	case s.AnyOf != nil:
		s.AnyOf = append(s.AnyOf, null)
		return s
	case s.Enum != nil:
		s.Enum = append(s.Enum, nil)
	}
	if s.Type == "" {
		return anyOf(s, null)
	}
	s.Types, s.Type = []string{s.Type, "null"}, ""
	return s
}

// defaultOf returns a default as it would stand in a configuration.
func defaultOf(f configfields.Field) json.RawMessage {
	t := configfields.Behind(f.Type)
	kind := t.Kind()
	isText := kind == reflect.String && t != reflect.TypeFor[json.Number]() || kind == reflect.Interface ||
		t == reflect.TypeFor[time.Duration]() || configfields.DecodesText(t) && t != reflect.TypeFor[big.Int]()
	if !isText && json.Valid([]byte(f.Default)) {
		return json.RawMessage(f.Default)
	}
	return json.RawMessage(quoted(f.Default))
}

func (b *builder) mapping(t reflect.Type) (*jsonschema.Schema, error) {
	element, err := b.element(t.Elem())
	if err != nil {
		return nil, err
	}
	s := &jsonschema.Schema{Type: "object", AdditionalProperties: element}
	if key := t.Key(); isWhole(key) && !configfields.DecodesText(key) {
		s.PropertyNames = &jsonschema.Schema{Pattern: `^(?:` + wholeText(key) + `)$`}
	}
	return s, nil
}

func (b *builder) list(t reflect.Type) (*jsonschema.Schema, error) {
	element, err := b.element(t.Elem())
	if err != nil {
		return nil, err
	}
	s := &jsonschema.Schema{Type: "array", Items: element}
	if t.Kind() == reflect.Array {
		s.MinItems, s.MaxItems = jsonschema.Ptr(t.Len()), jsonschema.Ptr(t.Len())
	}
	if configfields.IsBytes(t) {
		return anyOf(&jsonschema.Schema{Type: "string", ContentEncoding: "base64", Pattern: base64}, s), nil
	}
	return s, nil
}

func (b *builder) element(t reflect.Type) (*jsonschema.Schema, error) {
	s, err := b.schema(t)
	if err != nil {
		return nil, err
	}
	return withNull(s, configfields.MayBeNull(t)), nil
}

// reference returns a reference to the definition of a type. If it is a struct, the definition is made later.
func (b *builder) reference(t reflect.Type) *jsonschema.Schema {
	if b.names[t] == "" {
		name, definition := scalar(t)
		if definition == nil {
			name = t.Name()
		}
		for n := 2; b.taken(name); n++ {
			name = fmt.Sprint(t.Name(), n)
		}
		b.names[t] = name
		b.definitions[name] = definition
	}
	return &jsonschema.Schema{Ref: "#/$defs/" + b.names[t]}
}

func (b *builder) taken(name string) bool {
	_, taken := b.definitions[name]
	return taken
}
