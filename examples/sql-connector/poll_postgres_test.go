package main

import (
	"fmt"
	"testing"
)

// Keys of all kinds that grow are kept exactly: the next process begins behind the last row, not at it and not after the
// next.
func TestKeysOfEveryKind(t *testing.T) {
	server := withPostgres(t)
	for kind, keys := range map[string][4]string{ // start, and three rows in order
		"bigint":      {`9007199254740992`, `9007199254740993`, `9007199254740994`, `9223372036854775807`},
		"numeric":     {`0`, `0.10000000000000000001`, `0.10000000000000000002`, `123456789012345678901234567890`},
		"timestamptz": {`"-infinity"`, `"2024-01-01T00:00:00.000001+00:00"`, `"2024-01-01T00:00:00.000002+00:00"`, `"2024-01-01T00:00:00.000003+00:00"`},
		"timestamp":   {`"2000-01-01"`, `"2024-01-01T00:00:00.000001"`, `"2024-01-01T00:00:00.000002"`, `"2024-01-01T00:00:00.000003"`},
		"date":        {`"-infinity"`, `"2024-01-01"`, `"2024-01-02"`, `"2024-01-03"`},
		"text":        {`""`, `"'; drop table keyed"`, `"\\"`, `"ä ☃"`},
		"uuid":        {`"00000000-0000-0000-0000-000000000000"`, `"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"`, `"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12"`, `"ffffffff-ffff-ffff-ffff-ffffffffffff"`},
		"bytea":       {`""`, `"AA=="`, `"AAA="`, `"/w=="`},
	} {
		t.Run(kind, func(t *testing.T) {
			server.table(t, "keyed", "k "+kind+" primary key")
			config := server.free(document{"polls": []any{document{"name": "n", "every": "20ms", "key": "k", "start": raw(keys[0]),
				"sql": "select k from keyed where k > $1 order by k limit 1"}}})
			state := t.TempDir()
			for _, key := range keys[1:] {
				running, source := startIn(t, state, config)
				ask(t, source, "insert into keyed values ($1) returning k", raw(key))
				notified(t, source, fmt.Sprintf(`{"poll":"n","row":{"k":%s}}`, key))
				kept(t, state, fmt.Sprintf(`{"after":%s}`, key))
				if err := running.Stop(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// A backlog without end is read page by page, by a statement without a limit, which the database ends after each.
func TestAPageEndsItsStatement(t *testing.T) {
	_, source := start(t, withPostgres(t).free(document{"polls": []any{document{"name": "n", "every": "1h", "key": "id", "start": 0,
		"sql": "select generate_series($1::bigint + 1, 10000000000) as id"}}}))
	receive(t, source, 1, 3*pageRows)
}

func TestPollsGoOnAfterTheDatabaseWasAway(t *testing.T) {
	server := withPostgres(t)
	server.table(t, "outages", "id bigint primary key")
	_, source := start(t, server.free(document{"polls": []any{document{"name": "n", "every": "20ms", "key": "id", "start": 0,
		"sql": "select id from outages where id > $1 order by id"}}}))
	for outage := range 3 {
		server.run(t, fmt.Sprintf("insert into outages select * from generate_series(%d, %d)", 1+10*outage, 10+10*outage))
		if outage > 0 {
			receive(t, source, 1+10*outage, 10)
		}
		server.crash(t)
		server.restart(t)
		if outage == 0 {
			receive(t, source, 1, 10)
		}
	}
}
