package main

import (
	"testing"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/connectorset"
	"github.com/vantiq-go/connectorsdk/connectortest"
)

func TestSQLiteValues(t *testing.T) {
	_, source := start(t, document{"general": document{"allowSQL": true}})
	ask(t, source, "create table v (anything, i integer, b boolean, d date, dt datetime, ts timestamp, t text)")
	for sql, want := range map[string]string{
		`select null as v`:                  `{"v":null}`,
		`select 9223372036854775807 as v`:   `{"v":9223372036854775807}`,
		`select 0.1 + 0.2 as v`:             `{"v":0.30000000000000004}`,
		`select 1e300 as v`:                 `{"v":1e+300}`,
		`select 9e999 as v, -9e999 as w`:    `{"v":"Infinity","w":"-Infinity"}`,
		`select x'00ff10' as v, x'' as w`:   `{"v":"AP8Q","w":""}`,
		`select '☃ "quoted" \' as v`:        `{"v":"☃ \"quoted\" \\"}`,
		`select 1 as id, 2 as id, count(*)`: `{"id":1,"id_2":2,"count(*)":1}`,
		`select json('{"a": [1]}') as v`:    `{"v":"{\"a\":[1]}"}`,
		`insert into v (anything) values (1), (1.5), ('a'), (x'01'), (null) returning anything as v`:                          "{\"v\":1}\n{\"v\":1.5}\n{\"v\":\"a\"}\n{\"v\":\"AQ==\"}\n{\"v\":null}",
		`insert into v (i, b) values ('text in an integer', 5) returning i, b`:                                                `{"i":"text in an integer","b":5}`,
		`insert into v (d, dt, ts) values ('2024-02-29', '2024-02-29 23:59:59', '2024-02-29 23:59:59.5') returning d, dt, ts`: `{"d":"2024-02-29","dt":"2024-02-29 23:59:59","ts":"2024-02-29 23:59:59.5"}`,
		`insert into v (d, dt, ts) values ('tomorrow', '2024-02-29 23:59:59+05:30', 1709251199) returning d, dt, ts`:          `{"d":"tomorrow","dt":"2024-02-29 23:59:59+05:30","ts":1709251199}`,
	} {
		if got := ask(t, source, sql); got != want {
			t.Errorf("%s: %s, want %s", sql, got, want)
		}
	}
}

func TestSQLiteParameters(t *testing.T) {
	_, source := start(t, document{"general": document{"allowSQL": true}})
	for parameter, want := range map[string]string{
		`9223372036854775807`:    `{"v":9223372036854775807,"t":"integer"}`,
		`-0.1`:                   `{"v":-0.1,"t":"real"}`,
		`1e3`:                    `{"v":1000,"t":"real"}`,
		`null`:                   `{"v":null,"t":"null"}`,
		`true`:                   `{"v":1,"t":"integer"}`,
		`"12345678901234567890"`: `{"v":"12345678901234567890","t":"text"}`,
		`{"a":[1,null]}`:         `{"v":"{\"a\":[1,null]}","t":"text"}`,
	} {
		if got := ask(t, source, "select $1 as v, typeof($1) as t", raw(parameter)); got != want {
			t.Errorf("%s came back as %s", parameter, got)
		}
	}
	if got := ask(t, source, "select ? as a, ?2 as b, unhex($3) as c", 1, "two", "00ff"); got != `{"a":1,"b":"two","c":"AP8="}` {
		t.Error(got)
	}
}

func TestParametersOfASQLiteURL(t *testing.T) {
	_, source := start(t, document{"general": document{"url": "file:" + t.TempDir() + "/x.db?_pragma=journal_mode(wal)", "allowSQL": true}})
	if got := ask(t, source, "select * from pragma_journal_mode, pragma_busy_timeout"); got != `{"journal_mode":"wal","timeout":10000}` {
		t.Error(got)
	}
}

func TestASlowSQLiteQueryIsCut(t *testing.T) {
	_, source := start(t, document{"general": document{"allowSQL": true}}, withQueryTimeout(200*time.Millisecond))
	fails(t, source, document{"sql": `with recursive n(i) as (select 1 union all select i + 1 from n) select max(i) from n`}, connector.CodeTimeout)
	if got := ask(t, source, "select customer from orders where id = 1"); got != `{"customer":"Ada"}` {
		t.Error(got)
	}
}

func TestASQLiteFileThatCannotBeOpened(t *testing.T) {
	running, _ := start(t, nil, connectortest.WithoutWaiting(),
		connectortest.WithSource("Wrong", document{"sqlConfig": document{"general": document{"url": "file:/no/such/directory/x.db"}}}))
	refusedWith(t, running.Source("Wrong"), "unable to open database file")
}

func withQueryTimeout(limit time.Duration) connectortest.Option {
	return connectortest.WithConfig(func(config *connectorset.Config) { config.QueryTimeout = limit })
}
