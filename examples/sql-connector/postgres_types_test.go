package main

import (
	"strings"
	"testing"
)

// What PostgreSQL holds, and how VAIL sees it.
func TestPostgresValues(t *testing.T) {
	server := withPostgres(t)
	server.run(t, "drop domain if exists amount", "create domain amount as bigint check (value > 0)",
		"drop type if exists mood", "create type mood as enum ('sad', 'ok')")
	_, source := start(t, server.free(nil))
	for expression, want := range map[string]string{
		`null::bigint`:                   `null`,
		`9223372036854775807`:            `9223372036854775807`,
		`(-9223372036854775808)::bigint`: `-9223372036854775808`,
		`32767::smallint`:                `32767`,
		`4294967295::oid`:                `4294967295`,
		`123456789012345678901234567890.0123450::numeric`: `123456789012345678901234567890.0123450`,
		`'NaN'::numeric`:            `"NaN"`,
		`'-Infinity'::numeric`:      `"-Infinity"`,
		`0.1::float8 + 0.2::float8`: `0.30000000000000004`,
		`1e300::float8`:             `1e+300`,
		`5e-324::float8`:            `5e-324`,
		`0.1::float4`:               `0.1`,
		`'-0'::float8`:              `-0`,
		`'NaN'::float8`:             `"NaN"`,
		`'Infinity'::float8`:        `"Infinity"`,
		`'-Infinity'::float4`:       `"-Infinity"`,
		`true`:                      `true`,
		`false`:                     `false`,
		`'tab	 "quote" \ <é> ☃ 😀'`:  `"tab\t \"quote\" \\ <é> ☃ 😀"`,
		`''`:                        `""`,
		`'a'::char(3)`:              `"a  "`,
		`timestamptz '2024-02-29 23:59:59.123456+05:30'`:                     `"2024-02-29T18:29:59.123456+00:00"`,
		`timestamptz '1890-01-01 00:00:00+00:53:28'`:                         `"1889-12-31T23:06:32+00:00"`,
		`timestamptz 'infinity'`:                                             `"infinity"`,
		`timestamp '2024-02-29 23:59:59.5'`:                                  `"2024-02-29T23:59:59.5"`,
		`timestamp '-infinity'`:                                              `"-infinity"`,
		`timestamp '0044-03-15 12:00:00 BC'`:                                 `"0044-03-15 12:00:00 BC"`,
		`date '2024-02-29'`:                                                  `"2024-02-29"`,
		`time '23:59:59.000001'`:                                             `"23:59:59.000001"`,
		`interval '1 year 2 mons 3 days 04:05:06.789'`:                       `"P1Y2M3DT4H5M6.789S"`,
		`interval '-1 day'`:                                                  `"P-1D"`,
		`uuid 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'`:                        `"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"`,
		`'\x00ff10'::bytea`:                                                  `"AP8Q"`,
		`''::bytea`:                                                          `""`,
		`'{"n": 1.50, "big": 12345678901234567890, "a": [null, {}]}'::json`:  `{"n": 1.50, "big": 12345678901234567890, "a": [null, {}]}`,
		`'{"n": 1.50, "big": 12345678901234567890, "a": [null, {}]}'::jsonb`: `{"a": [null, {}], "n": 1.50, "big": 12345678901234567890}`,
		`'null'::jsonb`:                                                      `null`,
		`array[1, null, 9223372036854775807]`:                                `[1,null,9223372036854775807]`,
		`array[]::int[]`:                                                     `[]`,
		`array[[1,2],[3,4]]`:                                                 `[[1,2],[3,4]]`,
		`'[0:1]={5,6}'::int[]`:                                               `[5,6]`,
		`array['a,b', '', 'NULL', null, '"\{}', ' ☃']`:                       `["a,b","","NULL",null,"\"\\{}"," ☃"]`,
		`array['x'::bytea]`:                                                  `["eA=="]`,
		`array['{"a": [1]}'::jsonb, '"text"']`:                               `[{"a": [1]},"text"]`,
		`array[timestamptz '2024-01-01 00:00:00+00']`:                        `["2024-01-01T00:00:00+00:00"]`,
		`array[true, false]`:                                                 `[true,false]`,
		`'(1,1),(0,0)'::box`:                                                 `"(1,1),(0,0)"`,
		`array['(1,1),(0,0)'::box]`:                                          `"{(1,1),(0,0)}"`,
		`int4range(1, 5)`:                                                    `"[1,5)"`,
		`inet '10.0.0.1/8'`:                                                  `"10.0.0.1/8"`,
		`9007199254740993::amount`:                                           `9007199254740993`,
		`'ok'::mood`:                                                         `"ok"`,
		`array['ok', null]::mood[]`:                                          `"{ok,NULL}"`,
		`row(1, 'a')`:                                                        `"(1,a)"`,
	} {
		if got := ask(t, source, "select "+expression+" as v"); got != `{"v":`+want+`}` {
			t.Errorf("%s: %s, want %s", expression, got, want)
		}
	}
}

func TestPostgresTimeZoneOfTheURL(t *testing.T) {
	server := withPostgres(t)
	_, source := start(t, document{"general": document{"url": server.url + "&timezone=Asia/Kolkata", "allowSQL": true}})
	if got := ask(t, source, `select timestamptz '2024-01-01 00:00:00+00' as v`); got != `{"v":"2024-01-01T05:30:00+05:30"}` {
		t.Error(got)
	}
}

func TestPostgresColumnNames(t *testing.T) {
	_, source := start(t, withPostgres(t).free(nil))
	for sql, want := range map[string]string{
		`select 1 as id, 2 as id, 3 as id_2, 4 as id`: `{"id":1,"id_2":2,"id_2_2":3,"id_3":4}`,
		`select 1, 2, 3 as "a ""b"""`:                 `{"column1":1,"column2":2,"a \"b\"":3}`,
		`select`:                                      `{}`,
		`select 1 as v where false`:                   ``,
	} {
		if got := ask(t, source, sql); got != want {
			t.Errorf("%s: %s, want %s", sql, got, want)
		}
	}
}

// What VAIL sends arrives as it is: it comes back the same.
func TestPostgresParameters(t *testing.T) {
	_, source := start(t, withPostgres(t).free(nil))
	for _, parameter := range []struct{ kind, json string }{
		{"bigint", `9223372036854775807`},
		{"bigint", `null`},
		{"numeric", `-123456789012345678901234567890.1234567890`},
		{"numeric", `"NaN"`},
		{"float8", `0.1`},
		{"float8", `"Infinity"`},
		{"boolean", `true`},
		{"boolean", `false`},
		{"text", `"'; drop table x; -- \\ \" $1 ☃"`},
		{"text", `""`},
		{"timestamptz", `"2024-02-29T18:29:59.123456+00:00"`},
		{"timestamptz", `"infinity"`},
		{"timestamp", `"2024-02-29T23:59:59.5"`},
		{"timestamp", `"0044-03-15 12:00:00 BC"`},
		{"date", `"2024-02-29"`},
		{"interval", `"P1Y2M3DT4H5M6.789S"`},
		{"uuid", `"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"`},
		{"bytea", `"AP8Q"`},
		{"bytea", `""`},
		{"json", `{"n": 1.50, "deep": [[{"a": null}]]}`},
		{"jsonb", `{"a": [1, 2], "n": 12345678901234567890.5}`},
		{"jsonb", `[1, "two", null]`},
		{"jsonb", `"text"`},
		{"jsonb", `12345678901234567890`},
		{"bigint[]", `[1,null,9223372036854775807]`},
		{"int[]", `[[1,2],[3,4]]`},
		{"int[]", `[]`},
		{"text[]", `["a,b","","NULL",null,"\"\\{}","it's"]`},
		{"bytea[]", `["AP8Q"]`},
		{"jsonb[]", `[{"a": [1]},"text",[2]]`},
		{"uuid[]", `["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"]`},
	} {
		if got := ask(t, source, "select $1::"+parameter.kind+" as v", raw(parameter.json)); strings.ReplaceAll(got, " ", "") != strings.ReplaceAll(`{"v":`+parameter.json+`}`, " ", "") {
			t.Errorf("%s %s came back as %s", parameter.kind, parameter.json, got)
		}
	}
	if got := ask(t, source, "select $1 as t, $2::text as o", raw(`42.10`), raw(`{"a":1}`)); got != `{"t":"42.10","o":"{\"a\":1}"}` {
		t.Error(got)
	}
}

func TestPostgresRefusals(t *testing.T) {
	server := withPostgres(t)
	server.table(t, "refusals", "id bigint primary key")
	_, source := start(t, server.free(nil))
	for sql, want := range map[string][]string{
		`select * from no_such_table`:   {codeRefused, "42P01", "no_such_table"},
		`selec 1`:                       {codeRefused, "42601"},
		`select 1; drop table refusals`: {codeRefused, "42601"},
		`select 1 / (i - 5) as v from generate_series(1,9) i`: {codeRefused, "22012", "division by zero"},
	} {
		fails(t, source, document{"sql": sql}, want[0], want[1:]...)
	}
	for json, want := range map[string][]string{
		`[]`:                    {codeBadRequest, "takes 1 parameters, and 0 are given"},
		`[1, 2]`:                {codeBadRequest, "takes 1 parameters, and 2 are given"},
		`["x"]`:                 {codeRefused, "22P02"},
		`[1.5]`:                 {codeRefused, "22P02"},
		`[9223372036854775808]`: {codeRefused, "22003"},
		`[{"a":1}]`:             {codeRefused, "22P02"},
		`{}`:                    {codeBadRequest, "parameters"},
	} {
		fails(t, source, document{"sql": "select $1::bigint as v", "parameters": raw(json)}, want[0], want[1:]...)
	}
	fails(t, source, document{"sql": "select $1::bytea as v", "parameters": []any{"no base64!"}}, codeBadRequest, "parameter 1")
}
