package connector_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/protocol"
)

type poll struct {
	Topic string        `json:"topic"`
	Every time.Duration `json:"every"`
	Limit int           `json:"limit,omitempty"`
}

type pollConfig struct {
	General struct {
		Host    netip.Addr        `json:"host"`
		Port    uint16            `json:"port"`
		TLS     bool              `json:"tls"`
		Ratio   float64           `json:"ratio,omitzero"`
		ID      int64             `json:"id,omitempty"`
		Labels  map[string]string `json:"labels,omitempty"`
		Comment *string           `json:"comment,omitempty"`
	} `json:"general"`
	Polls []poll         `json:"polls"`
	Extra map[string]any `json:"extra,omitempty"`
}

func (c *pollConfig) Validate() error {
	if c.General.Port == 1 {
		return errors.New("general.port: 1 is reserved")
	}
	return nil
}

func document(t testing.TB, text string) connector.Document {
	t.Helper()
	d, err := protocol.NewDocument(json.RawMessage(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDecodeConfigTakesValuesAsTheEditorSendsThem(t *testing.T) {
	for _, text := range []string{
		`{"general":{"host":"10.0.0.1","port":5432,"tls":true,"id":9007199254740993},"polls":[{"topic":"a","every":"1m30s"}]}`,
		`{"general":{"host":"10.0.0.1","port":" 5432 ","tls":"True","id":"9007199254740993"},"polls":[{"topic":"a","every":"1m30s"}]}`,
	} {
		config, err := connector.DecodeConfig[pollConfig](document(t, text))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if config.General.Port != 5432 || !config.General.TLS || config.General.ID != 9007199254740993 || config.Polls[0].Every != 90*time.Second || config.General.Host.String() != "10.0.0.1" {
			t.Errorf("%s: %+v", text, config)
		}
	}
}

func TestDecodeConfigReportsEverythingAtOnceWithPaths(t *testing.T) {
	_, err := connector.DecodeConfig[pollConfig](document(t, `{"genral":{},"general":{"host":"nowhere","port":"70000","tls":"maybe","extra":1,"ratio":"x"},"polls":[{"topic":"a","every":10},{"evry":"1s","limit":"3"}]}`))
	for _, want := range []string{
		"genral: unknown", "general.extra: unknown", "polls[1].evry: unknown", "polls[1].topic: missing", "polls[1].every: missing",
		`general.port: "70000" is not a whole number from 0 on of 16 bits`, `general.tls: "maybe" is not true or false`, `general.ratio: "x" is not a number`,
		`polls[0].every: 10 is not a duration`, "general.host:",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not reported in: %v", want, err)
		}
	}
	if strings.Contains(err.Error(), "limit") || strings.Contains(err.Error(), "comment") {
		t.Errorf("an optional field is reported: %v", err)
	}
	_, err = connector.DecodeConfig[pollConfig](document(t, `{"general":{"host":"::1","port":1,"tls":false},"polls":[]}`))
	if err == nil || !strings.Contains(err.Error(), "general.port: 1 is reserved") {
		t.Errorf("Validate is not asked: %v", err)
	}
	if _, err := connector.DecodeConfig[pollConfig](document(t, `{}`)); err == nil || !strings.Contains(err.Error(), "general.host: missing") || !strings.Contains(err.Error(), "polls: missing") {
		t.Errorf("an empty configuration: %v", err)
	}
	if _, err := connector.DecodeConfig[struct{}](connector.Document{}); err != nil {
		t.Errorf("nothing of nothing: %v", err)
	}
}

// Only numbers in quotation marks were checked: 70000 became 4464.
func TestDecodeConfigRefusesNumbersThatDoNotFit(t *testing.T) {
	type config struct {
		Port  uint16  `json:"port,omitempty"`
		Small int8    `json:"small,omitempty"`
		Ratio float32 `json:"ratio,omitempty"`
	}
	for text, want := range map[string]string{
		`{"port":70000}`:    `port: 70000 is not a whole number from 0 on of 16 bits`,
		`{"port":"70000"}`:  `port: "70000" is not a whole number from 0 on of 16 bits`,
		`{"port":-1}`:       `port: -1 is not`,
		`{"port":1.5}`:      `port: 1.5 is not`,
		`{"port":1e3}`:      `port: 1e3 is not`,
		`{"small":128}`:     `small: 128 is not a whole number of 8 bits`,
		`{"small":-129}`:    `small: -129 is not`,
		`{"ratio":1e39}`:    `ratio: 1e39 is not a number`,
		`{"ratio":"inf"}`:   `ratio: "inf" is not a number`,
		`{"ratio":"NaN"}`:   `ratio: "NaN" is not a number`,
		`{"ratio":"0x1p2"}`: `ratio: "0x1p2" is not a number`,
		`{"ratio":"1_000"}`: `ratio: "1_000" is not a number`,
	} {
		if got, err := connector.DecodeConfig[config](document(t, text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s became %+v, %v", text, got, err)
		}
	}
	got, err := connector.DecodeConfig[config](document(t, `{"port":65535,"small":-128,"ratio":1e38}`))
	if err != nil || got != (config{65535, -128, 1e38}) {
		t.Errorf("the largest numbers became %+v, %v", got, err)
	}
}

// null was taken for a value, and became 0 or "".
func TestDecodeConfigTakesNullForMissing(t *testing.T) {
	type config struct {
		Port uint16             `json:"port"`
		Name string             `json:"name"`
		Any  any                `json:"any"`
		Sub  struct{ A int }    `json:"sub"`
		List []int              `json:"list"`
		Opt  *int               `json:"opt,omitempty"`
		More map[string]float64 `json:"more,omitzero"`
	}
	_, err := connector.DecodeConfig[config](document(t, `{"port":null,"name":null,"any":null,"sub":null,"list":null,"opt":null,"more":null}`))
	for _, field := range []string{"port", "name", "any", "sub.A", "list"} {
		if err == nil || !strings.Contains(err.Error(), field+": missing") {
			t.Errorf("%s is not reported as missing: %v", field, err)
		}
	}
	if err != nil && (strings.Contains(err.Error(), "opt") || strings.Contains(err.Error(), "more")) {
		t.Errorf("an optional field is reported: %v", err)
	}
}

// A Document was taken for a struct without fields: every member of it was unknown.
func TestDecodeConfigKeepsADocumentAsItIs(t *testing.T) {
	type config struct {
		Extra connector.Document   `json:"extra"`
		Maybe *connector.Document  `json:"maybe,omitempty"`
		All   []connector.Document `json:"all,omitempty"`
		Raw   json.RawMessage      `json:"raw,omitempty"`
	}
	got, err := connector.DecodeConfig[config](document(t, `{"extra":{"a":9007199254740993},"maybe":{"b":[1,null]},"all":[{"c":"x"},{}],"raw":{"d":1}}`))
	if err != nil {
		t.Fatal(err)
	}
	if got.Extra.String() != `{"a":9007199254740993}` || got.Maybe == nil || got.Maybe.String() != `{"b":[1,null]}` || len(got.All) != 2 || got.All[0].String() != `{"c":"x"}` || string(got.Raw) != `{"d":1}` {
		t.Errorf("it became %+v", got)
	}
}

type Common struct {
	Name string `json:"name"`
	Port uint16 `json:"port,omitempty"`
}

// A struct that is embedded by a pointer stayed nil, and what was meant for it was lost without an error.
func TestDecodeConfigTakesEmbeddedStructs(t *testing.T) {
	type byValue struct {
		Common
		Own int `json:"own"`
	}
	type byPointer struct {
		*Common
		Own int `json:"own"`
	}
	type list struct {
		All []byPointer `json:"all"`
	}
	const text = `{"name":"n","port":99,"own":1}`
	value, err := connector.DecodeConfig[byValue](document(t, text))
	if err != nil || value != (byValue{Common{"n", 99}, 1}) {
		t.Errorf("by value: %+v, %v", value, err)
	}
	pointer, err := connector.DecodeConfig[byPointer](document(t, text))
	if err != nil || pointer.Common == nil || *pointer.Common != (Common{"n", 99}) || pointer.Own != 1 {
		t.Errorf("by pointer: %+v, %v", pointer, err)
	}
	several, err := connector.DecodeConfig[list](document(t, `{"all":[`+text+`]}`))
	if err != nil || len(several.All) != 1 || several.All[0].Common == nil || *several.All[0].Common != (Common{"n", 99}) {
		t.Errorf("in a list: %+v, %v", several, err)
	}
	_, err = connector.DecodeConfig[byPointer](document(t, `{"port":70000,"own":1,"nombre":"n"}`))
	for _, want := range []string{"name: missing", "nombre: unknown", `port: 70000 is not`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not reported in: %v", want, err)
		}
	}
}

func TestAWrongConfigurationIsToldToTheAuthorOfTheQuery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, object{"general": object{"port": "x"}}, connector.Options{})
		calls := 0
		b.run(connector.SessionHandlers[pollConfig]{
			Connect: func(_ context.Context, _ *connector.SourceConnection, config connector.Document) (pollConfig, error) {
				calls++
				return connector.DecodeConfig[pollConfig](config)
			},
			Query: func(ctx context.Context, _ *connector.SourceConnection, config pollConfig, q *connector.Query) error {
				return q.Complete(ctx, object{"port": config.General.Port})
			},
		}.Handlers())
		b.must(b.source.WaitSession(b.soon(), 1))
		pass(time.Minute)
		_, err := b.source.Query(b.soon(), nil)
		if e := queryError(t, err); e.Code != connector.CodeNotConfigured || !strings.Contains(e.Message(), "general.host: missing") || !strings.Contains(e.Message(), "polls: missing") {
			t.Error(e)
		}
		if calls != 1 {
			t.Errorf("the handler was called %d times for a configuration that cannot get better", calls)
		}
		b.source.Reconfigure(object{"general": object{"host": "::1", "port": "99", "tls": "false"}, "polls": []object{}})
		b.must(b.conn.WaitConnected(b.soon()))
		rows, err := b.source.Query(b.soon(), nil)
		if err != nil || rows[0].String() != `{"port":99}` {
			t.Errorf("%v, %v", rows, err)
		}
	})
}

// A plainConfig has nothing that only DecodeConfig can read, so that encoding/json can be asked for a second opinion.
type plainConfig struct {
	Name   string              `json:"name"`
	Port   uint16              `json:"port"`
	ID     int64               `json:"id,omitempty"`
	Ratio  *float32            `json:"ratio,omitempty"`
	On     bool                `json:"on,omitempty"`
	Labels map[string]string   `json:"labels,omitempty"`
	Counts []int8              `json:"counts,omitempty"`
	Pair   [2]string           `json:"pair,omitzero"`
	Data   []byte              `json:"data,omitempty"`
	At     time.Time           `json:"at,omitzero"`
	Any    any                 `json:"any,omitempty"`
	Extra  connector.Document  `json:"extra,omitzero"`
	More   *plainConfig        `json:"more,omitempty"`
	Deeper map[string][]Common `json:"deeper,omitempty"`
}

// FuzzDecodeConfig looks for a configuration that panics, that is read otherwise than by encoding/json, or that changes
// when it is written and read again.
func FuzzDecodeConfig(f *testing.F) {
	for _, seed := range []string{
		`{"name":"n","port":"5432","id":" -7 ","ratio":"0.5","on":"True","labels":{"a":"b"},"counts":[1,"-2"],"data":"aGk=","any":[1,null,{"b":2}],"extra":{"c":1}}`,
		`{"name":"n","port":1,"ratio":1.5,"on":false,"pair":["a","b"],"at":"2026-01-02T03:04:05Z","more":{"name":"m","port":2},"deeper":{"x":[{"name":"y"}]}}`,
		`{"name":5,"port":70000,"id":1.5,"ratio":"NaN","on":"maybe","labels":[],"counts":{},"pair":"x","data":5,"at":"x","extra":[],"more":"m","deeper":{"x":{}}}`,
		`{"name":null,"port":null,"vantiq":{"packageRows":"true"},"unknown":1,"more":{"vantiq":1}}`, `{"Name":"n","PORT":1,"name":"n","port":1}`,
		`{"port":true,"on":1,"ratio":1e39,"counts":[128,null],"labels":{"a":1,"b":null}}`, `{}`, `{"port":1,"port":2,"name":"a","name":"b"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		config, err := protocol.NewDocument(json.RawMessage(text))
		if err != nil {
			return
		}
		got, err := connector.DecodeConfig[plainConfig](config)
		_, _ = connector.DecodeConfig[pollConfig](config)
		_, _ = connector.DecodeConfig[defaults](config)
		if err != nil {
			if err.Error() == "" {
				t.Error("an error without a text")
			}
			return
		}
		var want plainConfig
		decoder := json.NewDecoder(strings.NewReader(config.String()))
		decoder.UseNumber()
		if decoder.Decode(&want) == nil && !reflect.DeepEqual(got, want) {
			t.Errorf("%s became\n%+v, encoding/json has\n%+v", config, got, want)
		}
		written, err := protocol.NewDocument(got)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := connector.DecodeConfig[plainConfig](written); err != nil || !reflect.DeepEqual(again, got) {
			t.Errorf("%s became\n%+v, and %s that\n%+v, %v", config, got, written, again, err)
		}
	})
}

func TestDecodeConfigLeavesVantiqsOwnMemberAlone(t *testing.T) {
	type plain struct {
		A int `json:"a"`
	}
	type curious struct {
		A      int            `json:"a"`
		Vantiq map[string]any `json:"vantiq"`
	}
	config := document(t, `{"a":"1","vantiq":{"packageRows":"true"}}`)
	if got, err := connector.DecodeConfig[plain](config); err != nil || got.A != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := connector.DecodeConfig[curious](config); err != nil || got.Vantiq["packageRows"] != "true" {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := connector.DecodeConfig[*pollConfig](document(t, `{"general":{"host":"::1","port":1,"tls":false},"polls":[]}`)); err == nil {
		t.Error("Validate of a pointer type is not called")
	}
}

// What only encoding/json noticed came alone and without a path, or not at all: a list that was too long lost its end, and
// null in a list became an empty struct.
func TestDecodeConfigReportsEveryMistakeWithItsPath(t *testing.T) {
	type config struct {
		Ports   map[uint16]string    `json:"ports,omitempty"`
		Hosts   map[netip.Addr]bool  `json:"hosts,omitempty"`
		Key     []byte               `json:"key,omitempty"`
		Fixed   [2]byte              `json:"fixed,omitzero"`
		Pair    [2]int               `json:"pair,omitzero"`
		Exact   json.Number          `json:"exact,omitempty"`
		List    []Common             `json:"list,omitempty"`
		Labels  map[string]string    `json:"labels,omitempty"`
		Further []connector.Document `json:"further,omitempty"`
	}
	_, err := connector.DecodeConfig[config](document(t, `{"ports":{"70000":"a"},"hosts":{"nowhere":true},"key":"%","fixed":"aGk=","pair":[1,2,3],"exact":"ten","list":[null],"labels":{"a":null},"further":[[1],null]}`))
	for _, want := range []string{
		"ports[70000]: the key does not fit", "hosts[nowhere]: the key does not fit", `key: "%" is not base64`, `fixed: "aGk=" is not a list`,
		"pair: a list of 3, and not of 2", `exact: "ten" is not a number`, "list[0]: missing", "labels[a]: missing", "further[0]: a list is not an object", "further[1]: missing",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not reported in: %v", want, err)
		}
	}
	got, err := connector.DecodeConfig[config](document(t, `{"ports":{"80":"a"},"hosts":{"::1":"true"},"key":"aGk=","fixed":[1,"2"],"pair":[1,2],"exact":0.10,"further":[{}]}`))
	if err != nil || got.Ports[80] != "a" || !got.Hosts[netip.IPv6Loopback()] || string(got.Key) != "hi" || got.Fixed != [2]byte{1, 2} || got.Exact != "0.10" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestDecodeConfigShowsNoSecret(t *testing.T) {
	type config struct {
		Password protocol.Secret `json:"password"`
	}
	got, err := connector.DecodeConfig[config](document(t, `{"password":"12345"}`))
	if err != nil || string(got.Password) != "12345" {
		t.Errorf("%q, %v", string(got.Password), err)
	}
	if _, err := connector.DecodeConfig[config](document(t, `{"password":12345}`)); err == nil || err.Error() != "source configuration: password: not text, put it in quotes" {
		t.Errorf("%v", err)
	}
}

func TestADocumentIsDecodedWhole(t *testing.T) {
	const text = `{"a":1,"vantiq":{"packageRows":true}}`
	if got, err := connector.DecodeConfig[connector.Document](document(t, text)); err != nil || !got.Equal(document(t, text)) {
		t.Errorf("%s, %v", got.Raw(), err)
	}
}

// Of two fields with one name, encoding/json fills the one that is embedded less deeply; the other was checked.
func TestDecodeConfigChecksTheFieldThatIsFilled(t *testing.T) {
	type inner struct {
		Port string `json:"port"`
	}
	type Deep struct{ inner }
	type Flat struct {
		Port int `json:"port"`
	}
	type config struct {
		Deep
		Flat
	}
	if got, err := connector.DecodeConfig[config](document(t, `{"port":"80"}`)); err != nil || got.Flat.Port != 80 {
		t.Errorf("%+v, %v", got, err)
	}
}

// Of two that are embedded equally deeply, it fills the one whose tag names it, and neither if both or none do.
func TestDecodeConfigChecksTheFieldThatIsNamed(t *testing.T) {
	type Named struct {
		Number int `json:"Port"`
	}
	type Unnamed struct{ Port string }
	type config struct {
		Unnamed
		Named
	}
	if got, err := connector.DecodeConfig[config](document(t, `{"Port":"80"}`)); err != nil || got.Number != 80 {
		t.Errorf("%+v, %v", got, err)
	}
	type Other struct{ Port string }
	type neither struct {
		Unnamed
		Other
	}
	if got, err := connector.DecodeConfig[neither](document(t, `{"Port":"80"}`)); err == nil || !strings.Contains(err.Error(), "Port: unknown") {
		t.Errorf("%+v, %v", got, err)
	}
}

type manyProblems struct{ Name string }

func (m manyProblems) Validate() error {
	var problems []error
	for range 100 {
		problems = append(problems, errors.New("name: "+m.Name))
	}
	return errors.Join(problems...)
}

type wrapped struct{}

func (wrapped) Validate() error {
	one, two := errors.New("one"), errors.New("two")
	return errors.Join(errors.Join(one, two), fmt.Errorf("both %w and %w", one, two))
}

func TestWhatValidateSaysKeepsItsWords(t *testing.T) {
	if _, err := connector.DecodeConfig[wrapped](document(t, `{}`)); err == nil || err.Error() != "source configuration: one\ntwo\nboth one and two" {
		t.Errorf("%v", err)
	}
}

func TestWhatValidateSaysIsBounded(t *testing.T) {
	for name, want := range map[string]int{"a": 500, strings.Repeat("\x1b", 1_000_000): 200_000} {
		config, err := protocol.NewDocument(map[string]any{"Name": name})
		if err != nil {
			t.Fatal(err)
		}
		_, err = connector.DecodeConfig[manyProblems](config)
		if err == nil || len(err.Error()) > want || !strings.Contains(err.Error(), "and 50 more") || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%d bytes: %.300q", len(err.Error()), err)
		}
	}
}
