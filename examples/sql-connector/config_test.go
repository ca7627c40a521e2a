package main

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/vantiq-go/connectorsdk/configdoc"
	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/connectortest"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// Whoever writes a wrong source configuration is told everything that is wrong with it, by the next query.
func TestEveryWrongPathIsTold(t *testing.T) {
	for name, wrong := range map[string]struct {
		config string
		paths  []string
	}{
		"types": {
			`{"general": {"allowSQL": "perhaps", "timeout": "soon", "urll": "x"}, "statements": {"a": 1}, "polls": [{"every": 1}]}`,
			[]string{"general.allowSQL", "general.timeout", "general.urll", "statements[a]", "polls[0].every", "polls[0].name", "polls[0].sql"},
		},
		"values": {
			`{"general": {"url": "mysql://u:not-to-be-seen@h/d", "timeout": "-1s"}, "statements": {"a": " "}, "polls": [
				{"name": "p", "every": "0s", "sql": "", "key": "id", "rowsPerEvent": 1001},
				{"name": "p", "every": "1s", "sql": "select 1", "start": 0, "rowsPerEvent": -1}]}`,
			[]string{"general.url", "general.timeout", "statements.a", "polls[0].every", "polls[0].sql", "polls[0].start", "polls[0].rowsPerEvent",
				"polls[1].name", "polls[1].key", "polls[1].rowsPerEvent"},
		},
		"a URL that PostgreSQL's driver does not understand": {
			`{"general": {"url": "postgres://user:not-to-be-seen@host:port/database"}}`,
			[]string{"general.url"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			running, _ := start(t, nil, connectortest.WithoutWaiting(),
				connectortest.WithSource("Wrong", document{"sqlConfig": raw(wrong.config)}))
			told := refusedWith(t, running.Source("Wrong"), "source configuration")
			for _, path := range wrong.paths {
				if !strings.Contains(told, "sqlConfig."+path+":") {
					t.Errorf("nothing is said about %s in\n%s", path, told)
				}
			}
			if strings.Contains(told, password) {
				t.Errorf("the password is shown in\n%s", told)
			}
		})
	}
}

// refusedWith waits until queries are refused with a text because of the configuration, and returns all that is said.
func refusedWith(t *testing.T, source *vantiqtest.Source, text string) string {
	t.Helper()
	if err := source.WaitConnected(t.Context()); err != nil {
		t.Fatal(err)
	}
	for { // the configuration may still be on its way to the handler
		_, err := source.Query(t.Context(), nil)
		var failed protocol.QueryError
		if !errors.As(err, &failed) || failed.Code != connector.CodeNotConfigured && failed.Code != codeUnavailable {
			t.Fatalf("a query: %v, want %s", err, text)
		}
		if strings.Contains(failed.Message(), text) {
			return failed.Message()
		}
	}
}

func TestTheDemo(t *testing.T) {
	text, err := os.ReadFile("vantiqdev.json")
	if err != nil {
		t.Fatal(err)
	}
	var demo struct {
		Config struct {
			SQLConfig document `json:"sqlConfig"`
		} `json:"config"`
		Publish json.RawMessage `json:"publish"`
		Query   json.RawMessage `json:"query"`
	}
	if err := json.Unmarshal(text, &demo); err != nil {
		t.Fatal(err)
	}
	_, source := start(t, demo.Config.SQLConfig)
	send(t, source, demo.Publish)
	notified(t, source, `{"poll":"newOrders","row":{"id":4,"customer":"Margaret","amount":42.195}}`)
	rows, err := source.Query(t.Context(), demo.Query)
	if err != nil || len(rows) != 1 || rows[0].String() != `{"id":2,"customer":"Grace","amount":99.99}` {
		t.Errorf("rows %v (%v)", rows, err)
	}
}

//go:generate go test -run ^TestConfigurationIsDocumented$ . -update

func TestConfigurationIsDocumented(t *testing.T) {
	configdoc.Check[config](t, configdoc.Files{SourceType: "SQL"})
}
