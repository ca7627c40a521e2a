package configdoc_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
	"pgregory.net/rapid"

	"github.com/vantiq-go/connectorsdk/configdoc"
	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/protocol"
)

// schemaOf returns the schema that Check writes for T.
func schemaOf[T any](t *testing.T) *jsonschema.Resolved {
	t.Helper()
	inDirectory(t, readme)
	if said := updated[T](t, configdoc.Files{SourceType: "X"}); said != "" {
		t.Fatal(said)
	}
	var schema jsonschema.Schema
	must(t, json.Unmarshal([]byte(read(t, "deploy/source-config.schema.json")), &schema))
	resolved, err := schema.Resolve(nil)
	must(t, err)
	return resolved
}

// A fataler is a test, or a run of rapid's.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// opinions returns what DecodeConfig and the schema say of a configuration.
func opinions[T any](t fataler, schema *jsonschema.Resolved, text string) (decodes, validates error) {
	t.Helper()
	config, err := protocol.NewDocument(json.RawMessage(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	_, decodes = connector.DecodeConfig[T](config)
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var instance any
	if err := decoder.Decode(&instance); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return decodes, schema.Validate(inNumbers(instance))
}

// inNumbers replaces json.Number, which the validator takes for text, by numbers that lose no digit if it can be.
func inNumbers(value any) any {
	switch v := value.(type) {
	case json.Number:
		if n, err := strconv.ParseInt(string(v), 10, 64); err == nil {
			return n
		}
		if n, err := strconv.ParseUint(string(v), 10, 64); err == nil {
			return n
		}
		f, _ := v.Float64()
		return f
	case map[string]any:
		for key, member := range v {
			v[key] = inNumbers(member)
		}
	case []any:
		for i, element := range v {
			v[i] = inNumbers(element)
		}
	}
	return value
}

// A single has a property of each kind of value. All are lists as well, where null is another matter.
type single struct {
	Bool     bool            `json:"bool,omitempty" jsonschema:"-"`
	Int      int             `json:"int,omitempty" jsonschema:"-"`
	Int8     int8            `json:"int8,omitempty" jsonschema:"-"`
	Int16    int16           `json:"int16" default:"-7" jsonschema:"-"`
	Int32    *int32          `json:"int32" jsonschema:"-"`
	Uint     uint            `json:"uint,omitempty" jsonschema:"-"`
	Uint8    uint8           `json:"uint8,omitempty" jsonschema:"-"`
	Uint16   uint16          `json:"uint16,omitempty" jsonschema:"-"`
	Uint32   uint32          `json:"uint32,omitempty" jsonschema:"-"`
	Float64  float64         `json:"float64,omitempty" jsonschema:"-"`
	Float32  float32         `json:"float32,omitempty" jsonschema:"-"`
	Duration time.Duration   `json:"duration,omitempty" jsonschema:"-"`
	Number   json.Number     `json:"number,omitempty" jsonschema:"-"`
	Big      *big.Int        `json:"big,omitempty" jsonschema:"-"`
	Text     string          `json:"text,omitempty" jsonschema:"-"`
	Secret   protocol.Secret `json:"secret,omitempty" jsonschema:"-"`
	Mode     string          `json:"mode,omitempty" enum:"insert,1,true" jsonschema:"-"`
	Level    int8            `json:"level,omitempty" enum:"-1,0,127" jsonschema:"-"`
	Natural  uint16          `json:"natural,omitempty" enum:"0,5,255" jsonschema:"-"`
	Network  netip.Addr      `json:"network,omitzero" enum:"::1,127.0.0.1" jsonschema:"-"`
	Bytes    []byte          `json:"bytes,omitempty" jsonschema:"-"`
	Any      any             `json:"any,omitempty" jsonschema:"-"`
	Needed   any             `json:"needed" jsonschema:"-"`
	Object   map[string]int  `json:"object,omitempty" jsonschema:"-"`
	Inner    *struct {
		A string `json:"a" jsonschema:"-"`
	} `json:"inner,omitempty"`
	Document connector.Document `json:"document,omitzero" jsonschema:"-"`
	Raw      json.RawMessage    `json:"raw,omitempty" jsonschema:"-"`

	Bools     []bool               `json:"bools,omitempty" jsonschema:"-"`
	Ints      []int32              `json:"ints,omitempty" jsonschema:"-"`
	Two       [2]float64           `json:"two,omitzero" jsonschema:"-"`
	Texts     []string             `json:"texts,omitempty" jsonschema:"-"`
	Pointers  []*uint16            `json:"pointers,omitempty" jsonschema:"-"`
	Anything  []any                `json:"anything,omitempty" jsonschema:"-"`
	Raws      []json.RawMessage    `json:"raws,omitempty" jsonschema:"-"`
	Documents []connector.Document `json:"documents,omitempty" jsonschema:"-"`
	Inners    []struct {
		A string `json:"a" jsonschema:"-"`
	} `json:"inners,omitempty" jsonschema:"-"`
	ByInt map[int8]string            `json:"byInt,omitempty" jsonschema:"-"`
	ByKey map[string]map[string]bool `json:"byKey,omitempty" jsonschema:"-"`
}

var properties = []string{
	"bool", "int", "int8", "int16", "int32", "uint", "uint8", "uint16", "uint32", "float64", "float32", "duration", "number", "big", "text", "secret", "mode",
	"level", "natural", "network", "bytes", "any", "needed", "object", "inner", "document", "raw", "bools", "ints", "two", "texts", "pointers",
	"anything", "raws", "documents", "inners", "byInt", "byKey", "vantiq", "unknown", "Bool",
}

// values are JSON values that some properties have, and others must not have.
func values() (all []string) {
	for _, bare := range []string{
		"null", "true", "false", "0", "1", "-1", "2", "5", "7", "10", "127", "128", "-128", "-129", "255", "256", "300", "32767", "32768", "-32768",
		"-32769", "65535", "65536", "99999", "100000", "2147483647", "2147483648", "-2147483648", "-2147483649", "4294967295", "4294967296", "9007199254740993",
		"9223372036854775807", "-9223372036854775808", "0.5", "-1.25", "1.5e-3",
	} {
		all = append(all, bare, quote(bare), quote("  "+bare+"\t"))
	}
	for _, text := range []string{
		"", " ", "x", "t", "F", "TRUE", "tRuE", "yes", "+1", "+5", "-0", "+0", "00", "007", "-007", "00255", "000256", "0000000000000000000000001", "1_000", "0x10", "0b1", "0x1p4", "1e3",
		"1E+3", "1.", ".5", "+.5e-7", ".", "1e", "e1", "-", "+", "--1", "1 2", "NaN", "inf", "Infinity", "1.0", "01.5", "30s", "1m30s", " 1h ", "1.5h", ".5s", "1.s", "-3ms", "+3us", "3µs", "3μs", "3ns", "+0",
		"3 s", "3S", "3d", "s", "1h30", "١", "insert", "Insert", " insert", "::1", "127.0.0.1", "::2", "aGk=", "aGk", "aGkh", "a===", "aG==", "%", "-_==", "{}", "[]",
	} {
		all = append(all, quote(text))
	}
	for _, element := range []string{"", "null", "1", `"1"`, "1.5", "70000", "-1", `"a"`, "true", "{}", `{"a":"x"}`, "[]", "1,2", `"a","b"`, "1,null", "1,2,3"} {
		all = append(all, "["+element+"]")
	}
	for _, members := range []string{"", `"a":1`, `"a":"1"`, `"a":"x"`, `"a":null`, `"a":{}`, `"a":{"b":true}`, `"a":{"b":2}`, `"b":"x"`, `"a":"x","b":1`, `"1":"x"`, `"-128":"x"`, `"128":"x"`, `" 1":"x"`, `"+1":"x"`, `"vantiq":1`} {
		all = append(all, "{"+members+"}")
	}
	return all
}

func quote(text string) string {
	quoted, _ := json.Marshal(text)
	return string(quoted)
}

func TestTheSchemaAcceptsWhatDecodeConfigAcceptsOfEachValue(t *testing.T) {
	schema := schemaOf[single](t)
	accepted, refused := map[string]int{}, map[string]int{}
	for _, property := range properties {
		for _, value := range values() {
			text := fmt.Sprintf(`{"needed":1,%s:%s}`, quote(property), value)
			if property == "needed" {
				text = fmt.Sprintf(`{"needed":%s}`, value)
			}
			decodes, validates := opinions[single](t, schema, text)
			if (decodes == nil) != (validates == nil) {
				t.Errorf("%s: DecodeConfig says %v, the schema says %v", text, decodes, validates)
			}
			if decodes == nil {
				accepted[property]++
			} else {
				refused[property]++
			}
		}
	}
	for _, property := range properties { // or else the table tells nothing of it
		unknown, anything := property == "unknown" || property == "Bool", property == "any" || property == "raw" || property == "vantiq"
		if accepted[property] < 2 && !unknown || refused[property] < 1 && !anything {
			t.Errorf("%s: %d values are accepted, %d refused", property, accepted[property], refused[property])
		}
	}
}

// A writer writes configurations for richConfig. Now and then something is wrong, missing or too much.
type writer struct {
	t *rapid.T
}

// rarely says yes once in a while: rapid prefers small numbers.
func (w writer) rarely(what string) bool { return rapid.IntRange(0, 80).Draw(w.t, what) == 60 }

func (w writer) oneOf(what string, texts ...string) string {
	return rapid.SampledFrom(texts).Draw(w.t, what)
}

var anyValue = rapid.SampledFrom(values())

// A member is a property with the values that it may have.
type member struct {
	name     string
	required bool
	value    func() string
}

func (w writer) object(members ...member) string {
	var text bytes.Buffer
	add := func(name, value string) {
		if text.Len() > 0 {
			text.WriteByte(',')
		}
		text.WriteString(quote(name) + ":" + value)
	}
	for _, m := range members {
		switch {
		case w.rarely("anything"):
			add(m.name, anyValue.Draw(w.t, "value"))
		case w.rarely("missing"), !m.required && rapid.Bool().Draw(w.t, "optional"):
		case !m.required && w.rarely("null"):
			add(m.name, "null")
		default:
			add(m.name, m.value())
		}
	}
	if w.rarely("unknown") {
		add(w.oneOf("name", "hots", "Host", "vantiq", ""), "{}")
	}
	return "{" + text.String() + "}"
}

func (w writer) list(element func() string) string {
	var elements []string
	for range rapid.IntRange(0, 3).Draw(w.t, "length") {
		if w.rarely("anything") {
			elements = append(elements, anyValue.Draw(w.t, "value"))
		} else {
			elements = append(elements, element())
		}
	}
	return "[" + strings.Join(elements, ",") + "]"
}

func (w writer) mapping(keys []string, element func() string) string {
	var members []member
	for _, key := range keys {
		members = append(members, member{key, false, element})
	}
	return w.object(members...)
}

func (w writer) values(what string, texts ...string) func() string {
	return func() string { return w.oneOf(what, texts...) }
}

func (w writer) rich(depth int) string {
	text := w.values("text", `""`, `"a"`, `"ä\n"`)
	truth := w.values("truth", "true", "false", `"True"`, `" f"`, "1", "0")
	often := w.values("duration", `"30s"`, `"1h30m"`, `" -5ms "`, `"0"`)
	anything := w.values("anything", "1", `"x"`, "[null]", "{}", `{"a":[1.5]}`, "false")
	ratio := w.values("ratio", "1", "-0.5", `"1e3"`, `".5"`, "1e-3")
	poll := func() string {
		return w.object(member{"query", true, text}, member{"every", false, often}, member{"with", false, func() string { return w.mapping([]string{"a", ""}, anything) }})
	}
	return w.object(
		member{"host", true, text},
		member{"port", false, w.values("port", "0", "65535", `"5432"`, `" 1 "`)},
		member{"general", true, func() string {
			return w.object(member{"url", true, text}, member{"timeout", false, often}, member{"retries", false, w.values("retries", "3", `"-3"`)}, member{"verbose", false, truth})
		}},
		member{"tls", false, func() string {
			return w.object(member{"certificate", true, w.values("certificate", `"aGk="`, `""`, "[1,\"2\",255]", "[]")}, member{"verify", false, truth})
		}},
		member{"polls", false, func() string { return w.list(poll) }},
		member{"servers", false, func() string {
			return w.mapping([]string{"a", "b"}, func() string { return w.object(member{"weight", false, ratio}) })
		}},
		member{"ports", false, func() string { return w.mapping([]string{"80", "+1", "0065535"}[:1], text) }},
		member{"mode", false, w.values("mode", `"insert"`, `"update"`)},
		member{"level", false, w.values("level", "-1", `"0"`, `" +2"`)},
		member{"network", false, w.values("network", `"::1"`, `"127.0.0.1"`)},
		member{"ratio", false, ratio},
		member{"exact", false, w.values("exact", "0.10", `"1e5"`, "-7")},
		member{"pair", false, w.values("pair", `["a","b"]`, `["",""]`)},
		member{"matrix", false, func() string { return w.list(func() string { return w.list(ratio) }) }},
		member{"maybe", false, func() string { return w.list(w.values("maybe", "null", `"x"`)) }},
		member{"labels", false, func() string { return w.mapping([]string{"x", "y"}, truth) }},
		member{"further", false, w.values("further", "{}", `{"a":null}`)},
		member{"needed", true, anything},
		member{"tree", false, func() string { return w.tree(depth) }},
		member{"defaults", false, func() string { return w.object(member{"A", true, poll}, member{"B", true, poll}) }},
		member{"vantiq", false, anything},
	)
}

func (w writer) tree(depth int) string {
	members := []member{{"name", true, w.values("name", `"n"`)}}
	if depth > 0 {
		deeper := func() string { return w.tree(depth - 1) }
		members = append(members, member{"left", false, deeper}, member{"branches", false, func() string { return w.mapping([]string{"a", "b"}, deeper) }})
	}
	return w.object(members...)
}

func TestTheSchemaAcceptsWhatDecodeConfigAccepts(t *testing.T) {
	schema := schemaOf[richConfig](t)
	accepted, refused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		text := writer{t}.rich(2)
		decodes, validates := opinions[richConfig](t, schema, text)
		if (decodes == nil) != (validates == nil) {
			t.Fatalf("%s: DecodeConfig says %v, the schema says %v", text, decodes, validates)
		}
		if decodes == nil {
			accepted++
		} else {
			refused++
		}
	})
	t.Logf("%d configurations were accepted, %d refused", accepted, refused)
	if accepted < 3 || refused < 3 {
		t.Errorf("only %d configurations were accepted, and %d refused", accepted, refused)
	}
}
