package main

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgtype"
)

// FuzzArrays looks for a list of texts that is not the same when it has been written as PostgreSQL writes arrays, with every
// element in quotes, and read again.
func FuzzArrays(f *testing.F) {
	for _, seed := range []string{"", "a", "a|b", "NULL|null", `"|\|{}|,`, "|", "\x00|\u2028|😀", "{1,2}|[1]", "null||x"} {
		f.Add(seed)
	}
	types := pgtype.NewMap()
	f.Fuzz(func(t *testing.T, text string) {
		var elements []any
		for element := range strings.SplitSeq(strings.ToValidUTF8(text, "?"), "|") {
			if element == "null" {
				elements = append(elements, nil)
				continue
			}
			elements = append(elements, element)
		}
		list, err := json.Marshal(elements)
		if err != nil {
			t.Fatal(err)
		}
		written, err := postgresParameter(types, pgtype.TextArrayOID, list)
		if err != nil {
			t.Fatal(err)
		}
		var got []any
		if read := appendPostgres(nil, types, pgtype.TextArrayOID, string(written)); json.Unmarshal(read, &got) != nil || !reflect.DeepEqual(got, elements) {
			t.Errorf("%s was written %s and read as %s", list, written, read)
		}
	})
}
