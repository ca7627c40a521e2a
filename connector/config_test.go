package connector_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
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
		`polls[0].every: "10" is not a duration`, "general.host:",
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
	if _, err := connector.DecodeConfig[pollConfig](document(t, `{}`)); err == nil || !strings.Contains(err.Error(), "general: missing") || !strings.Contains(err.Error(), "polls: missing") {
		t.Errorf("an empty configuration: %v", err)
	}
	if _, err := connector.DecodeConfig[struct{}](connector.Document{}); err != nil {
		t.Errorf("nothing of nothing: %v", err)
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

func FuzzDecodeConfig(f *testing.F) {
	f.Add([]byte(`{"general":{"host":"10.0.0.1","port":"5432","tls":true},"polls":[{"topic":"a","every":"1m30s"}],"extra":{"a":[1,null]}}`))
	f.Add([]byte(`{"general":null,"polls":[null,1,{"every":[]}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		config, err := protocol.NewDocument(json.RawMessage(text))
		if err != nil {
			return
		}
		if _, err := connector.DecodeConfig[pollConfig](config); err != nil && err.Error() == "" {
			t.Error("an error without a text")
		}
	})
}
