package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// A connector may call the members of its rows what it likes: that must neither move the cursor nor break the table.
func TestNamesOfMembersAreShownAsTheyAre(t *testing.T) {
	var out strings.Builder
	rows := []json.RawMessage{json.RawMessage(`{"a\u001b[2J":1,"b\tc\nd":2,"e\u202e":3}`)}
	if err := writeTable(&out, rows); err != nil {
		t.Fatal(err)
	}
	const want = "a␛[2J  b␉c␊d  e\ufffd\n1      2      3\n(1 row)\n"
	if out.String() != want {
		t.Errorf("got\n%q, want\n%q", &out, want)
	}
}
