package main

import (
	"strings"
	"testing"
)

// What the rows of a file become, in events of up to 100 rows.
func TestFormats(t *testing.T) {
	long := strings.Repeat("x", 1000)
	csv := func(more document) document { return document{"format": "csv", "eventBytes": 500, "csv": more} }
	jsonl := document{"format": "jsonl", "eventBytes": 500}
	for _, test := range []struct {
		name      string
		directory document
		text      string
		want      []string
	}{
		{"JSON lines keep every byte", jsonl, `{"n":1.50, "big":12345678901234567890,"b":"\u00e9\/","b":2}` + "\n" + ` { "a" : [ 1 ] } ` + "\n",
			[]string{`f 1 {"n":1.50, "big":12345678901234567890,"b":"\u00e9\/","b":2} { "a" : [ 1 ] } last`}},
		{"JSON lines with CRLF, empty lines, and none at the end", jsonl, "\r\n{\"a\":1}\r\n\n\r\n{\"a\":2}", []string{`f 1 {"a":1} {"a":2} last`}},
		{"a byte order mark", jsonl, "\xEF\xBB\xBF{\"a\":1}\n", []string{`f 1 {"a":1} last`}},
		{"an empty file", jsonl, "", []string{"f 1 last"}},
		{"nothing but empty lines", jsonl, "\n\n", []string{"f 1 last"}},
		{"JSON lines that are wrong", jsonl, "{\"a\":1}\n{\"a\":\n[1]\n\"\xFF\"\n{\"a\":2}\n{\"a\":\"" + long + "\"}\n{\"a\":3}\n",
			[]string{
				`f 1 {"a":1}`,
				`f 2 (2: line 2: not JSON: {"a":) (3: line 3: not a JSON object: [1]) (4: line 4: not UTF-8: "` + "\uFFFD" + `")`,
				`f 5 {"a":2}`,
				`f 6 (6: line 6: longer than 500 bytes, which eventBytes allows: {"a":"` + long[:194] + `)`,
				`f 7 {"a":3} last`,
			}},
		{"JSON that would break out of the event", jsonl, `{}],"last":[{}` + "\n", []string{`f 1 (1: line 1: not JSON: {}],"last":[{}) last`}},
		{"JSON that is nested too deep for a message", document{"format": "jsonl"}, deep(997) + deep(996),
			[]string{`f 1 (1: line 1: nested deeper than 998 levels: ` + deep(997)[:200] + `)`, `f 2 ` + strings.TrimSpace(deep(996)) + ` last`}},
		{"nothing but a line that is wrong", jsonl, "nonsense", []string{"f 1 (1: line 1: not JSON: nonsense) last"}},
		{"UTF-16", jsonl, "\xFF\xFE{\x00}\x00\n\x00", []string{"f 1 (1: line 1: the file cannot be read: it is UTF-16; only UTF-8 is read: \uFFFD{\x00}\x00) last"}},

		{"CSV stays text", csv(nil), "id,amount,note\n007,1.50,\n8,-1e3,\" a \"\n", []string{`f 1 {"id":"007","amount":"1.50","note":""} {"id":"8","amount":"-1e3","note":" a "} last`}},
		{"CSV with CRLF, quotes, empty lines, and no line break at the end", csv(nil), "\r\na,\"b \"\"c\"\"\"\r\n\r\n\"1,\n2\",\"\"\"\"\r\n3,4",
			[]string{`f 1 {"a":"1,\n2","b \"c\"":"\""} {"a":"3","b \"c\"":"4"} last`}},
		{"CSV without a header", csv(document{"columns": []string{"a", "b"}}), "1,2\n3,4\n", []string{`f 1 {"a":"1","b":"2"} {"a":"3","b":"4"} last`}},
		{"CSV with a byte order mark", csv(nil), "\xEF\xBB\xBFa\n1\n", []string{`f 1 {"a":"1"} last`}},
		{"CSV with another delimiter and without quotes", csv(document{"delimiter": "\t", "quotes": false}), "a\tb\n5\" pipe\t\"x\n", []string{`f 1 {"a":"5\" pipe","b":"\"x"} last`}},
		{"a delimiter of several bytes", csv(document{"delimiter": "§"}), "a§b\n1§2\n", []string{`f 1 {"a":"1","b":"2"} last`}},
		{"CSV with types", csv(document{"types": document{"n": "number", "ok": "boolean"}}),
			"n,ok,t\n12345678901234567890.10,TRUE,1\n , ,\n-0,false,x\n1,5\n007,true,x\n1,yes,x\n",
			[]string{
				`f 1 {"n":12345678901234567890.10,"ok":true,"t":"1"} {"n":null,"ok":null,"t":""} {"n":-0,"ok":false,"t":"x"}`,
				`f 4 (4: line 5: it has 2 fields for 3 columns: 1,5) (5: line 6: n: "007" is not a number: 007,true,x) (6: line 7: ok: "yes" is not a boolean: 1,yes,x) last`,
			}},
		{"a header only", csv(nil), "a,b\n", []string{"f 1 last"}},
		{"a header that is wrong", csv(nil), "a,a\n1,2\n", []string{`f 1 (1: line 1: the file cannot be read: its header: two columns are called "a": a,a) last`}},
		{"a header without a name", csv(nil), "a,\n", []string{`f 1 (1: line 1: the file cannot be read: its header: column 2 has no name: a,) last`}},
		{"a header that is too long", csv(nil), long + "\n1\n", []string{`f 1 (1: line 1: the file cannot be read: its header: it is longer than eventBytes allows: ` + long[:200] + `) last`}},
		{"CSV that is not UTF-8", csv(nil), "a\n\xE9\n1\n", []string{"f 1 (1: line 2: not UTF-8: \uFFFD)", `f 2 {"a":"1"} last`}},
		{"a quote that is not closed does not hide the rows behind it", csv(nil), "a,b\n\"1,2\n3,4\n\"5\",6\n",
			[]string{`f 1 (1: line 2: a quote is not closed, or only behind more than eventBytes: "1,2)`, `f 2 {"a":"3","b":"4"} {"a":"5","b":"6"} last`}},
		{"a quote in the middle of a field", csv(nil), "a,b\n5\" pipe,1\n6\" pipe,2\n3,4\n",
			[]string{"f 1 (1: line 2: bare \" in non-quoted-field, at byte 2: 5\" pipe,1) (2: line 3: a quote is not closed, or only behind more than eventBytes: 6\" pipe,2)", `f 3 {"a":"3","b":"4"} last`}},
		{"a quote that is closed too far away", csv(nil), "a\n\"" + long[:400] + "\n" + long[:400] + "\"\n1\n",
			[]string{
				`f 1 (1: line 2: a quote is not closed, or only behind more than eventBytes: "` + long[:199] + `)`,
				`f 2 (2: line 3: a quote is not closed, or only behind more than eventBytes: ` + long[:200] + `)`,
				`f 3 {"a":"1"} last`,
			}},
		{"a record that becomes longer as JSON", csv(nil), "a\n" + strings.Repeat("\x01", 100) + "\n1\n",
			[]string{"f 1 (1: line 2: longer than 500 bytes, which eventBytes allows: " + strings.Repeat("\x01", 100) + ")", `f 2 {"a":"1"} last`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			work(t, test.directory, func(d *desk) {
				d.write("f", test.text)
				d.start()
				d.pass()
				d.receives(test.want...)
				d.holds("done/f")
			})
		})
	}
}

// deep returns a line with an object that is nested so deep.
func deep(levels int) string {
	return `{"a":` + strings.Repeat("[", levels-1) + strings.Repeat("]", levels-1) + "}\n"
}
