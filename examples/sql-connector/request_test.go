package main

import (
	"fmt"
	"testing"

	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

var sampleStatements = document{
	"orderById":   "select * from orders where id = $1",
	"insertOrder": "insert into orders (customer, amount) values ($1, $2)",
}

func TestOnlyNamedStatementsRunByDefault(t *testing.T) {
	_, source := start(t, document{"statements": sampleStatements})
	rows, err := source.Query(t.Context(), document{"name": "orderById", "parameters": []any{1}})
	if err != nil || len(rows) != 1 || rows[0].String() != `{"id":1,"customer":"Ada","amount":12.5}` {
		t.Errorf("rows %v (%v)", rows, err)
	}
	for _, refused := range []struct {
		parameters any
		text       string
	}{
		{document{"sql": "select 1"}, "sql is not allowed"},
		{document{"sql": "select 1", "name": "orderById"}, "not both"},
		{document{"name": "orderByName"}, `no statement "orderByName"`},
		{nil, "the name of a statement is missing"},
		{document{"name": 1}, "name"},
		{document{"name": "orderById"}, "missing"},
		{document{"name": "orderById", "parameters": []any{raw(`9223372036854775808`)}}, "parameter 1"},
		{document{"name": "orderById", "parameters": []any{raw(`1e999`)}}, "parameter 1"},
	} {
		fails(t, source, refused.parameters, codeBadRequest, refused.text)
	}
}

func TestPublishErrorsAreReportedIfWanted(t *testing.T) {
	_, source := start(t, document{"general": document{"reportPublishErrors": true}, "statements": sampleStatements})
	for message, want := range map[string]string{
		`{"name":"insertOrder","parameters":[null,1]}`: `{"publishError":{"code":"sql.error","text":"SQLite 1299: constraint failed: NOT NULL constraint failed: orders.customer (1299)","message":{"name":"insertOrder","parameters":[null,1]}}}`,
		`{"sql":"drop table orders"}`:                  `{"publishError":{"code":"sql.badRequest","text":"sql is not allowed: give the name of a statement of the source configuration, or set allowSQL there","message":{"sql":"drop table orders"}}}`,
		`{"batch":[],"name":"insertOrder"}`:            `{"publishError":{"code":"sql.badRequest","text":"a batch stands alone: put the statement beside it into it","message":{"batch":[],"name":"insertOrder"}}}`,
	} {
		send(t, source, raw(message))
		notified(t, source, want)
	}
}

func TestABatchIsDoneWholeOrNotAtAll(t *testing.T) {
	test := func(t *testing.T, source *vantiqtest.Source) {
		insert := func(id any) document { return document{"name": "insert", "parameters": []any{id}} }
		send(t, source, document{"batch": []any{insert(1), insert(2)}})
		send(t, source, document{"batch": []any{insert(3), insert(4), insert(1)}}) // the last one is there already
		send(t, source, document{"batch": []any{insert(5), document{"name": "no such"}}})
		send(t, source, document{"batch": []any{}})
		send(t, source, insert(6))
		notified(t, source, `{"poll":"six","row":{"ids":"1,2,6"}}`) // messages are handled in order
	}
	config := func(url, list string) document {
		return document{
			"general":    document{"url": url, "allowSQL": true},
			"statements": document{"insert": "insert into batches (id) values ($1)"},
			"polls":      []any{document{"name": "six", "every": "50ms", "key": "ids", "start": "", "sql": "select " + list + " as ids from (select id from batches order by id) b where $1 = '' having max(id) = 6"}},
		}
	}
	t.Run("SQLite", func(t *testing.T) {
		url := "file:" + t.TempDir() + "/batches.db"
		_, source := start(t, document{"general": document{"url": url, "allowSQL": true}})
		ask(t, source, "create table batches (id integer primary key)")
		_, source = start(t, config(url, "group_concat(id)"))
		test(t, source)
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		server := withPostgres(t)
		server.table(t, "batches", "id bigint primary key")
		_, source := start(t, config(server.url, "string_agg(id::text, ',')"))
		test(t, source)
	})
}

// Hostile values go in as values and come out as they went in, and nothing else happens.
func TestHostileParametersAreValues(t *testing.T) {
	hostile := []string{
		`'; drop table victims; --`, `' or '1'='1`, `"; delete from victims; --`, `\'; drop table victims; --`, `$1`, `$2`, `?`, `?1`, `:a`,
		`'||(select password from victims)||'`, `$$; drop table victims; $$`, "'\n;\ndrop table victims;\n", `%s%n`, `{0}`, `\x27`, `＇`, `'/*`, `*/`, "\u202e",
	}
	test := func(t *testing.T, source *vantiqtest.Source) {
		for _, value := range hostile {
			send(t, source, document{"name": "insert", "parameters": []any{value}})
			send(t, source, document{"name": value, "parameters": []any{value}}) // there is no such statement
		}
		for i, value := range hostile {
			want := string(appendText([]byte(`{"v":`), value)) + `}`
			notified(t, source, fmt.Sprintf(`{"poll":"inserted","row":{"id":%d,%s}`, i+1, want[1:]))
			rows, err := source.Query(t.Context(), document{"name": "select", "parameters": []any{value}})
			if err != nil || len(rows) != 1 || rows[0].String() != want {
				t.Errorf("%q: rows %v (%v)", value, rows, err)
			}
			fails(t, source, document{"name": value, "parameters": []any{value}}, codeBadRequest, "no statement")
		}
	}
	config := func(url string) document {
		return document{
			"general": document{"url": url},
			"statements": document{
				"insert": "insert into victims (v) values ($1)",
				"select": "select v from victims where v = $1",
			},
			"polls": []any{document{"name": "inserted", "every": "50ms", "key": "id", "start": 0, "sql": "select id, v from victims where id > $1 order by id"}},
		}
	}
	t.Run("SQLite", func(t *testing.T) {
		url := "file:" + t.TempDir() + "/victims.db"
		_, source := start(t, document{"general": document{"url": url, "allowSQL": true}})
		ask(t, source, "create table victims (id integer primary key, v text)")
		_, source = start(t, config(url))
		test(t, source)
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		server := withPostgres(t)
		server.table(t, "victims", "id bigserial primary key, v text")
		_, source := start(t, config(server.url))
		test(t, source)
	})
}
