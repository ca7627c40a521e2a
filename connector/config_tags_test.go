package connector_test

import (
	"encoding/json"
	"math/big"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/protocol"
)

type pool struct {
	Size int           `json:"size" default:"4"`
	Idle time.Duration `json:"idle" default:"5m"`
	Name string        `json:"name"` // required, if there is a pool
}

type defaults struct {
	Text     string             `json:"text" default:" as it is "`
	Whole    int8               `json:"whole" default:"-10"`
	Natural  uint16             `json:"natural" default:"10"`
	Ratio    float64            `json:"ratio" default:"0.5"`
	On       bool               `json:"on" default:"true"`
	Every    time.Duration      `json:"every" default:"30s"`
	Address  netip.Addr         `json:"address" default:"::1"`
	At       time.Time          `json:"at" default:"2026-01-02T03:04:05Z"`
	Big      *big.Int           `json:"big" default:"12345678901234567890"`
	Pointer  *int               `json:"pointer" default:"7"`
	Exact    json.Number        `json:"exact" default:"0.10"`
	Bytes    []byte             `json:"bytes" default:"aGk="`
	Words    []string           `json:"words" default:"[\"a\",\"b\"]"`
	Pair     [2]int             `json:"pair" default:"[1,\"2\"]"`
	Labels   map[string]int     `json:"labels" default:"{\"a\":1}"`
	Document connector.Document `json:"document" default:"{\"b\":2}"`
	Raw      json.RawMessage    `json:"raw" default:"[3]"`
	Any      any                `json:"any" default:"10"`
	Pools    []pool             `json:"pools" default:"[{\"name\":\"first\",\"size\":\"9\"}]"`
	Empty    string             `json:"empty" default:""`
}

func TestDefaultsStandForWhatIsMissing(t *testing.T) {
	seven := 7
	large, _ := new(big.Int).SetString("12345678901234567890", 10)
	want := defaults{
		Text: " as it is ", Whole: -10, Natural: 10, Ratio: 0.5, On: true, Every: 30 * time.Second,
		Address: netip.MustParseAddr("::1"), At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Big: large, Pointer: &seven,
		Exact: "0.10", Bytes: []byte("hi"), Words: []string{"a", "b"}, Pair: [2]int{1, 2}, Labels: map[string]int{"a": 1},
		Document: document(t, `{"b":2}`), Raw: json.RawMessage(`[3]`), Any: "10", Pools: []pool{{9, 5 * time.Minute, "first"}},
	}
	for _, text := range []string{`{}`, `{"text":null,"whole":null,"address":null,"words":null,"document":null,"pools":null,"any":null}`} {
		got, err := connector.DecodeConfig[defaults](document(t, text))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s became\n%+v, want\n%+v (%v)", text, got, want, err)
		}
	}
	got, err := connector.DecodeConfig[defaults](document(t, `{"text":"","whole":0,"on":"false","every":"0","words":[],"labels":{},"pools":[],"empty":"x"}`))
	if err != nil || got.Text != "" || got.Whole != 0 || got.On || got.Every != 0 || len(got.Words) != 0 || len(got.Labels) != 0 || len(got.Pools) != 0 || got.Empty != "x" {
		t.Errorf("what is there was replaced: %+v, %v", got, err)
	}
	if _, err := connector.DecodeConfig[defaults](document(t, `{"whole":"x"}`)); err == nil || !strings.Contains(err.Error(), "whole: ") {
		t.Errorf("a wrong value was replaced by the default: %v", err)
	}
}

func TestDefaultsReachEverywhere(t *testing.T) {
	type embedded struct {
		Port int `json:"port" default:"80"`
	}
	type config struct {
		embedded
		Optional pool            `json:"optional,omitzero"`
		Pointer  *pool           `json:"pointer"`
		Given    *pool           `json:"given,omitempty"`
		List     []pool          `json:"list"`
		Map      map[string]pool `json:"map"`
		Deep     struct {
			Deeper struct {
				Pool pool `json:"pool"`
			} `json:"deeper"`
		} `json:"deep,omitzero"`
	}
	got, err := connector.DecodeConfig[config](document(t, `{"given":{"name":"g"},"list":[{"name":"a"},{"name":"b","size":1}],"map":{"x":{"name":"c","idle":"1s"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := config{
		embedded: embedded{80},
		Optional: pool{4, 5 * time.Minute, ""},
		Given:    &pool{4, 5 * time.Minute, "g"},
		List:     []pool{{4, 5 * time.Minute, "a"}, {1, 5 * time.Minute, "b"}},
		Map:      map[string]pool{"x": {4, time.Second, "c"}},
	}
	want.Deep.Deeper.Pool = want.Optional
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v, want\n%+v", got, want)
	}
	_, err = connector.DecodeConfig[config](document(t, `{"optional":{},"pointer":{},"list":[{}],"map":{"x":{}},"deep":{"deeper":{}}}`))
	for _, want := range []string{"optional.name: missing", "pointer.name: missing", "list[0].name: missing", "map[x].name: missing", "deep.deeper.pool.name: missing"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not reported in: %v", want, err)
		}
	}
}

// Whoever configures nothing is told what to configure, not which struct the program keeps it in.
func TestAStructIsMissingAsFarAsItsFieldsAre(t *testing.T) {
	type limits struct {
		Rows int    `json:"rows" default:"100"`
		Tag  string `json:"tag,omitempty"`
	}
	type config struct {
		Outer struct {
			Limits limits `json:"limits"`
			Deep   struct {
				Limits limits `json:"limits"`
			} `json:"deep"`
		} `json:"outer"`
	}
	for _, text := range []string{`{}`, `{"outer":null}`, `{"outer":{"limits":null}}`, `{"outer":{"deep":{}}}`} {
		got, err := connector.DecodeConfig[config](document(t, text))
		if err != nil || got.Outer.Limits.Rows != 100 || got.Outer.Deep.Limits.Rows != 100 {
			t.Errorf("%s became %+v, %v", text, got, err)
		}
	}
	type strict struct {
		Outer struct {
			config
			Inner struct {
				Name string `json:"name"`
			} `json:"inner"`
		} `json:"outer"`
	}
	_, err := connector.DecodeConfig[strict](document(t, `{}`))
	if err == nil || err.Error() != "source configuration: outer.inner.name: missing" {
		t.Errorf("nothing at all: %v", err)
	}
}

func TestAnEnumListsAllValues(t *testing.T) {
	type config struct {
		Mode    string     `json:"mode" enum:"insert, update" default:"update"`
		Level   *int8      `json:"level,omitempty" enum:"-1,0,1"`
		Address netip.Addr `json:"address,omitzero" enum:"::1,127.0.0.1"`
	}
	for text, want := range map[string]string{
		`{}`:                      "",
		`{"mode":"insert"}`:       "",
		`{"level":-1}`:            "",
		`{"level":" +01 "}`:       "",
		`{"address":"127.0.0.1"}`: "",
		`{"mode":"Insert"}`:       `mode: "Insert" is not one of insert, update`,
		`{"mode":5}`:              `mode: 5 is not text`,
		`{"level":2}`:             `level: 2 is not one of -1, 0, 1`,
		`{"level":"x"}`:           `level: "x" is not a whole number`,
		`{"address":"::2"}`:       `address: "::2" is not one of`,
	} {
		_, err := connector.DecodeConfig[config](document(t, text))
		if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n")) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

type endless struct {
	More []endless `json:"more" default:"[{}]"`
}

func TestTagsThatMakeNoSenseAreReportedForEveryDocument(t *testing.T) {
	mistake := func(err error) string {
		if err == nil {
			return ""
		}
		return err.Error()
	}
	decode := map[string]func(connector.Document) error{
		`.Port: the default "http" cannot be used: "http" is not a whole number`: decodes[struct {
			Port int `default:"http"`
		}],
		`.Port: the default "70000" cannot be used`: decodes[struct {
			Port *uint16 `default:"70000"`
		}],
		`.Every: the default "30" cannot be used`: decodes[struct {
			In []struct {
				Every time.Duration `default:"30"`
			}
		}],
		`.Pool: the default "{}" cannot be used: name: missing`: decodes[struct {
			Pools map[string]*struct {
				Pool pool `default:"{}"`
			}
		}],
		`.List: the default "a,b" cannot be used: "a,b" is not a list`: decodes[struct {
			List []string `default:"a,b"`
		}],
		`.List: the default "null" cannot be used`: decodes[struct {
			List []string `default:"null"`
		}],
		`.Pair: the default "[1]" cannot be used: a list of 1, and not of 2`: decodes[struct {
			Pair [2]int `default:"[1]"`
		}],
		`.Address: the default "localhost" cannot be used`: decodes[struct {
			Address netip.Addr `default:"localhost"`
		}],
		`endless.More: the default "[{}]" cannot be used`: decodes[endless],
		`.Common: a default or an enum, but the field is no member`: decodes[struct {
			Common `default:"{}"`
		}],
		`.Hidden: a default or an enum, but the field is no member`: decodes[struct {
			Hidden int `json:"-" default:"1"`
		}],
		`.Mode: the default "c" cannot be used: "c" is not one of a, b`: decodes[struct {
			Mode string `enum:"a,b" default:"c"`
		}],
		`.Level: "x" of the enum cannot be used`: decodes[struct {
			Level int `enum:"1,x"`
		}],
		`.Key: an enum is for text and whole numbers, and the field is a protocol.Secret`: decodes[struct {
			Key protocol.Secret `enum:"a,b"`
		}],
		`.Port: the option "string" of its json tag: leave it out`: decodes[struct {
			In *struct {
				Port int `json:"port,string"`
			}
		}],
		`.Ratio: an enum is for text and whole numbers, and the field is a float64`: decodes[struct {
			Ratio float64 `enum:"1,2"`
		}],
	}
	for want, decode := range decode {
		for _, text := range []string{`{}`, `{"Port":1,"Pools":{},"Mode":"a","unknown":true}`} {
			got := mistake(decode(document(t, text)))
			if !strings.Contains(got, want) || !strings.HasPrefix(got, "a mistake in the connector, not in the source configuration: ") {
				t.Errorf("%s: %s\nwant %s", text, got, want)
			}
		}
	}
}

func decodes[T any](config connector.Document) error {
	_, err := connector.DecodeConfig[T](config)
	return err
}
