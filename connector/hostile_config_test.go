package connector_test

import (
	"context"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/vantiq-go/connectorsdk/connector"
)

// Here the author of a source configuration attacks.

type targetConfig struct {
	Whole   int                 `json:"whole,omitempty"`
	Small   uint8               `json:"small,omitempty"`
	Float   float64             `json:"float,omitempty"`
	Big     *big.Int            `json:"big,omitempty"`
	List    []int               `json:"list,omitempty"`
	Map     map[string]int      `json:"map,omitempty"`
	Any     any                 `json:"any,omitempty"`
	Nested  *targetConfig       `json:"nested,omitempty"`
	Further connector.Document  `json:"further,omitzero"`
	Self    map[string]selfLike `json:"self,omitempty"`
}

type selfLike map[string]selfLike

func TestAHostileConfigurationIsRefusedInFewWords(t *testing.T) {
	digits := strings.Repeat("9", 100_000)
	nested := func(open, middle, end string, levels int) string {
		return strings.Repeat(open, levels) + middle + strings.Repeat(end, levels)
	}
	var unknown, elements strings.Builder
	for n := range 100_000 {
		fmt.Fprintf(&unknown, `"unknown%d":1,`, n)
		elements.WriteString(`"x",`)
	}
	for name, text := range map[string]string{
		"an exponent for an integer":     `{"whole":1e1000000}`,
		"an exponent for a byte":         `{"small":1e2}`,
		"an exponent for a float":        `{"float":1e1000000}`,
		"an exponent for a big integer":  `{"big":1e1000000000}`,
		"digits for an integer":          `{"whole":` + digits + `}`,
		"text for an integer":            `{"whole":"` + strings.Repeat("x", 1_000_000) + `"}`,
		"an exponent in a text":          `{"whole":"1e1000000"}`,
		"a long key":                     `{"` + strings.Repeat("k", 1_000_000) + `":1}`,
		"a long key in a map":            `{"map":{"` + strings.Repeat("k", 1_000_000) + `":"x"}}`,
		"many unknown keys":              `{` + unknown.String() + `"whole":1}`,
		"many wrong elements":            `{"list":[` + elements.String() + `1]}`,
		"a command to the terminal":      `{"\u001b[2J":1}`,
		"the same key twice, wrong last": `{"whole":1,"whole":"x"}`,
		"nesting without a place":        `{"list":` + nested("[", "", "]", 900) + `}`,
		"text for a document":            `{"map":"` + digits + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := connector.DecodeConfig[targetConfig](document(t, text))
			if err == nil {
				t.Fatal("it was accepted")
			}
			if text := err.Error(); len(text) > 10_000 || strings.Contains(text, "\x1b") {
				t.Errorf("the error has %d bytes: %.300q", len(text), text)
			}
		})
	}
	for name, text := range map[string]string{
		"digits for anything":            `{"any":` + digits + `}`,
		"the same key twice, right last": `{"whole":"x","whole":1}`,
		"nesting":                        nested(`{"nested":`, `{}`, `}`, 900),
		"nesting in a map":               `{"self":` + nested(`{"a":`, `{}`, `}`, 900) + `}`,
		"nesting in a document":          `{"further":{"a":` + nested("[", "", "]", 900) + `}}`,
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := connector.DecodeConfig[targetConfig](document(t, text)); err != nil {
				t.Error(err)
			}
		})
	}
}

// What is nested deeper than anybody nests is not a message.
func TestAConfigurationThatIsNestedWithoutEndIsSkipped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, object{"whole": 1}, connector.Options{})
		configs := 0
		b.connect(connector.Handlers{Connect: func(_ context.Context, _ *connector.SourceConnection, config connector.Document) error {
			configs++
			_, err := connector.DecodeConfig[targetConfig](config)
			return err
		}})
		for _, pair := range []string{"[]", "{}"} {
			open := pair[:1]
			if open == "{" {
				open = `{"a":`
			}
			b.must(b.source.SendRaw(`{"op":"configureExtension","object":{"config":` + strings.Repeat(open, 1_000_000) + "1" + strings.Repeat(pair[1:], 1_000_000) + `}}`))
		}
		synctest.Wait()
		if s := b.conn.Stats(); configs != 1 || s.Reconnects != 0 {
			t.Errorf("%d configurations, stats %+v", configs, s)
		}
	})
}
