package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/connectorset"
	"github.com/vantiq-go/connectorsdk/connectortest"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// withQueryTimeout is what TEST_CONNECTOR_QUERY_TIMEOUT does.
func withQueryTimeout(limit time.Duration) connectortest.Option {
	return connectortest.WithConfig(func(config *connectorset.Config) { config.QueryTimeout = limit })
}

func TestQueryRows(t *testing.T) {
	for name, query := range map[string]struct {
		parameters string
		want       string
	}{
		"echo by default":    {`{"n":9007199254740993,"text":{}}`, `[{"n":9007199254740993,"text":{}}]`},
		"echo":               {`{"do":"echo"}`, `[{"do":"echo"}]`},
		"nothing to echo":    {`{}`, `[]`},
		"one row by default": {`{"do":"rows"}`, `[{"n":0,"pad":""}]`},
		"rows":               {`{"do":"rows","rows":2,"size":1}`, `[{"n":0,"pad":"x"},{"n":1,"pad":"x"}]`},
		"no rows":            {`{"do":"rows","rows":0}`, `[]`},
		"delay":              {`{"do":"delay","delayMs":60000}`, `[{"do":"delay","delayMs":60000}]`},
		"silent":             {`{"do":"silent"}`, `[]`},
		"later":              {`{"do":"later","delayMs":60000}`, `[{"do":"later","delayMs":60000}]`},
	} {
		bubble(t, name, func(t *testing.T) {
			_, source := start(t, nil)
			began := time.Now()
			rows, err := source.Query(t.Context(), parse(t, query.parameters))
			if got := fmt.Sprint(listed(rows)); err != nil || got != query.want {
				t.Errorf("rows %s (%v), want %s", got, err, query.want)
			}
			if took := time.Since(began); (name == "delay" || name == "later") != (took >= time.Minute) {
				t.Errorf("took %v", took)
			}
			if stray := source.Stray(); len(stray) > 0 {
				t.Errorf("stray %v", stray)
			}
		})
	}
}

func listed(rows []protocol.Document) string {
	if len(rows) == 0 {
		return "[]"
	}
	text, _ := json.Marshal(rows) // documents always can
	return string(text)
}

func TestQueryErrors(t *testing.T) {
	for name, query := range map[string]struct {
		parameters string
		code, text string
	}{
		"fail":              {`{"do":"fail","text":"{1}"}`, "test.failed", "failed: {1}"},
		"error":             {`{"do":"error","text":"as told"}`, connector.CodeHandlerError, "as told"},
		"panic":             {`{"do":"panic","text":"as told"}`, connector.CodePanic, "the connector panicked: as told"},
		"forget":            {`{"do":"forget"}`, connector.CodeTimeout, "the connector had no answer within 2m0s"},
		"delay too long":    {`{"do":"delay","delayMs":600000}`, connector.CodeTimeout, "the connector had no answer within 2m0s"},
		"later too late":    {`{"do":"later","delayMs":600000}`, connector.CodeTimeout, "the connector had no answer within 2m0s"},
		"rows that fail":    {`{"do":"rows","rows":9,"failAfter":2}`, connector.CodeHandlerError, "failed after 2 rows"},
		"no rows that fail": {`{"do":"rows","rows":9,"failAfter":0}`, connector.CodeHandlerError, "failed after 0 rows"},
		"rows that fail late": {`{"do":"rows","rows":9,"size":200000,"failAfter":9}`, connector.CodeHandlerError,
			"failed after 9 rows"},
		"unknown": {`{"do":"dance"}`, connector.CodeHandlerError, `a query cannot do "dance": use echo, rows, delay, fail, ` +
			`error, panic, silent, twice, later, forget, hang or stats`},
	} {
		bubble(t, name, func(t *testing.T) {
			_, source := start(t, nil)
			queryFails(t, source, parse(t, query.parameters), query.code, query.text)
			<-time.After(time.Hour) // nothing comes afterwards either
			if stray := source.Stray(); len(stray) > 0 {
				t.Errorf("stray %v", stray)
			}
		})
	}
}

func queryFails(t *testing.T, source *vantiqtest.Source, parameters any, code, text string) {
	t.Helper()
	rows, err := source.Query(t.Context(), parameters)
	var failed protocol.QueryError
	if !errors.As(err, &failed) || failed.Code != code || failed.Message() != text {
		t.Errorf("rows %v (%v), want %s: %s", rows, err, code, text)
	}
}

func TestQueryTwiceIsAnsweredOnce(t *testing.T) {
	_, source := start(t, nil)
	rows, err := source.Query(t.Context(), document{"do": "twice"})
	if got := listed(rows); err != nil || got != `[{"first":true}]` {
		t.Errorf("rows %s (%v)", got, err)
	}
	notified(t, source, `{"secondAnswer":"source TestSource: the query has had its final answer; the second one was not sent"}`)
	if stray := source.Stray(); len(stray) > 0 {
		t.Errorf("stray %v", stray)
	}
}

func TestQueryTimeLimit(t *testing.T) {
	bubble(t, "delay", func(t *testing.T) {
		_, source := start(t, nil, withQueryTimeout(3*time.Second))
		queryFails(t, source, document{"do": "delay", "delayMs": 5_000}, connector.CodeTimeout, "the connector had no answer within 3s")
	})
}

func TestQueryDelayEndsWithItsSession(t *testing.T) {
	bubble(t, "link lost", func(t *testing.T) {
		_, source := start(t, nil)
		failed := make(chan error, 1)
		go func() {
			_, err := source.Query(t.Context(), document{"do": "delay", "delayMs": 100_000})
			failed <- err
		}()
		synctest.Wait() // its handler has begun
		source.Drop(1001)
		var e protocol.QueryError
		if err := <-failed; !errors.As(err, &e) || e.Code != connector.CodeInterrupted {
			t.Errorf("query: %v", err)
		}
	})
}

func TestQueryLaterIsAnsweredInTheNextSession(t *testing.T) {
	bubble(t, "link lost", func(t *testing.T) {
		_, source := start(t, nil)
		answered := make(chan error, 1)
		go func() {
			_, err := source.Query(t.Context(), document{"do": "later", "delayMs": 10_000})
			answered <- err
		}()
		synctest.Wait() // its handler has begun
		source.Drop(1001)
		if err := <-answered; err != nil {
			t.Error(err)
		}
	})
}

func TestQueryStats(t *testing.T) {
	_, source := start(t, nil)
	publish(t, source, document{"x": 1})
	notified(t, source, `{"x":1}`)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var row statsRow
	for row.Acknowledged == 0 { // the acknowledgement is on its way
		rows, err := source.Query(ctx, document{"do": "stats"})
		if err != nil || len(rows) != 1 {
			t.Fatalf("rows %v (%v)", rows, err)
		}
		if err := rows[0].Decode(&row); err != nil {
			t.Fatal(err)
		}
	}
	want := statsRow{Accepted: 1, Sent: 1, Acknowledged: 1, Publishes: 1, Queries: row.Queries, QueriesOpen: 1, Window: row.Window}
	if row != want || row.Queries == 0 || row.Window == 0 {
		t.Errorf("got  %+v\nwant %+v", row, want)
	}
}
