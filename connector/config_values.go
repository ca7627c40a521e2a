package connector

import (
	"encoding/base64"
	"encoding/json"
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

// read returns a value as encoding/json wants it for a type, and reports what does not fit.
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
