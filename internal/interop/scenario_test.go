package interop_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// A scenario is something that happens between Vantiq and a connector that does what interop.Behaviour says. It begins when
// the first session has, and must hold for every SDK.
type scenario struct {
	name string
	play func(t *testing.T, vantiq local)
}

var scenarios = []scenario{
	{"publish", func(t *testing.T, vantiq local) {
		for i := range 20 { // more than the five notifications that the SDK for Java has under way
			message := fmt.Sprintf(`{"n":%d,"big":9007199254740993,"text":"<é☃😀&'\u0000>","list":[null,true,{}]}`, i)
			if err := vantiq.Publish(message); err != nil {
				t.Fatal(err)
			}
			want(t, vantiq.Notification(), `{"published":`+message+`}`)
		}
	}},
	{"publish and query while nobody is connected", func(t *testing.T, vantiq local) {
		vantiq.Refuse(-1)
		vantiq.Drop(vantiqtest.FIN)
		_, queried := vantiq.Query(`{}`)
		for _, err := range []error{vantiq.Publish(`{}`), queried} {
			var failed *failure
			if !errors.As(err, &failed) || failed.Code != "com.accessg2.ag2rs.streams.source.not_found" {
				t.Errorf("got error %+v", err)
			}
		}
		vantiq.Refuse(0)
		began(t, vantiq, 2, firstConfig)
	}},
	{"publishes in a burst", func(t *testing.T, vantiq local) {
		const count = 500
		for i := range count {
			if err := vantiq.Publish(fmt.Sprintf(`{"n":%d}`, i)); err != nil {
				t.Fatal(err)
			}
		}
		for i := range count {
			want(t, vantiq.Notification(), fmt.Sprintf(`{"published":{"n":%d}}`, i))
		}
	}},
	{"query", func(t *testing.T, vantiq local) {
		wantRows(t, vantiq, `{"rows":3}`, 3)
		wantRows(t, vantiq, `{"rows":7,"partial":2}`, 7)
		wantRows(t, vantiq, `{"rows":2000,"partial":7}`, 2000)
		wantRows(t, vantiq, `{"rows":4,"partial":2,"empty":true}`, 4)
		wantRows(t, vantiq, `{}`, 0)
		rows, err := vantiq.Query(`{"row":{"text":"one, not in a list"}}`)
		if err != nil || len(rows) != 1 {
			t.Fatalf("one row that is in no list: %v, %v", rows, err)
		}
		want(t, rows[0], `{"text":"one, not in a list"}`)
	}},
	{"query error", func(t *testing.T, vantiq local) {
		for _, parameters := range []string{`{"error":"{0} é"}`, `{"error":"{0} é","rows":2,"partial":1}`} {
			rows, err := vantiq.Query(parameters)
			var failed *failure
			if !errors.As(err, &failed) || failed.Code != "interop.asked" || len(rows) > 0 ||
				!strings.HasSuffix(failed.Message, "it was asked to fail: {0} é") || !reflect.DeepEqual(failed.Parameters, []any{"{0} é"}) {
				t.Errorf("got rows %v and error %+v", rows, err)
			}
		}
		wantRows(t, vantiq, `{"rows":1}`, 1)
	}},
	{"reconnect required", func(t *testing.T, vantiq local) {
		vantiq.RequireReconnect()
		began(t, vantiq, 2, firstConfig)
		vantiq.RequireReconnect()
		began(t, vantiq, 3, firstConfig)
	}},
	{"changed configuration", func(t *testing.T, vantiq local) {
		for i, config := range []string{`{"general":{"prefix":"> ","on":"true"}}`, `{}`, `{"list":[1,"2"]}`} {
			vantiq.Reconfigure(config)
			began(t, vantiq, i+2, config)
		}
	}},
	{"reactivation window", func(t *testing.T, vantiq local) {
		vantiq.Reactivate(9)
		began(t, vantiq, 2, firstConfig)
	}},
	{"refused", func(t *testing.T, vantiq local) {
		vantiq.Refuse(3)
		vantiq.Drop(vantiqtest.FIN)
		began(t, vantiq, 2, firstConfig)
	}},
	{"dropped", func(t *testing.T, vantiq local) {
		for i, how := range []vantiqtest.Drop{1000, 1001, 1012, 4000, vantiqtest.FIN, vantiqtest.RST} {
			vantiq.Drop(how)
			began(t, vantiq, i+2, firstConfig)
			wantRows(t, vantiq, `{"rows":2,"partial":1}`, 2)
		}
	}},
	{"outage", func(t *testing.T, vantiq local) {
		vantiq.Outage()
		began(t, vantiq, 2, firstConfig)
	}},
}

// play sends a connector that begins to connect through all scenarios, each with a local Vantiq and a connector of its own.
func play(t *testing.T, each func(t *testing.T, name string, play func(t *testing.T, vantiq local))) {
	t.Helper()
	for _, s := range scenarios {
		each(t, s.name, func(t *testing.T, vantiq local) {
			vantiq.WaitSession(1)
			want(t, vantiq.Notification(), `{"configured":`+firstConfig+`}`)
			s.play(t, vantiq)
		})
	}
}

// began waits for session n of a connector, which has served all sessions before, to begin with config.
func began(t *testing.T, vantiq local, n int, config string) {
	t.Helper()
	vantiq.WaitSession(n)
	want(t, vantiq.Notification(), fmt.Sprintf(`{"closed":%d}`, n-1))
	want(t, vantiq.Notification(), `{"configured":`+config+`}`)
	if got := vantiq.Sessions(); got != n {
		t.Fatalf("there were %d sessions, want %d", got, n)
	}
}

// want compares JSON, however it is spelled.
func want(t *testing.T, got, wanted string) {
	t.Helper()
	if !reflect.DeepEqual(meaning(t, got), meaning(t, wanted)) {
		t.Fatalf("got %s, want %s", got, wanted)
	}
}

func meaning(t *testing.T, text string) (value any) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return value
}

func wantRows(t *testing.T, vantiq local, parameters string, count int) {
	t.Helper()
	var wanted []string
	for n := range count {
		wanted = append(wanted, fmt.Sprintf(`{"n":%d}`, n))
	}
	rows, err := vantiq.Query(parameters)
	for i, row := range rows {
		rows[i] = strings.ReplaceAll(row, " ", "")
	}
	if err != nil || !slices.Equal(rows, wanted) {
		t.Fatalf("query %s: %d rows (%v), %v; want %d", parameters, len(rows), rows[:min(len(rows), 3)], err, count)
	}
}
