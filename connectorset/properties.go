package connectorset

import (
	"bytes"
	"iter"
	"strings"

	"github.com/magiconair/properties"
)

// An entry is one property as it stands in a file.
type entry struct {
	line       int
	key, value string
}

// loader unescapes one logical line. A $ in a token must stay what it is, so nothing is expanded.
var loader = properties.Loader{Encoding: properties.UTF8, DisableExpansion: true}

// parseProperties returns the entries of a Java properties file in UTF-8, with or without a byte order mark, and what is
// wrong with its other lines. The library unescapes; the lines are found here, because it does not tell their numbers,
// trips over a continued line that ends in CR LF, and leaks a goroutine at a line without a name.
func parseProperties(file string, data []byte) (entries []entry, problems []*ConfigError) {
	if bytes.IndexByte(data, 0) >= 0 {
		return nil, []*ConfigError{{File: file, Reason: "is not UTF-8 text, perhaps UTF-16: save it as UTF-8"}}
	}
	text := strings.TrimPrefix(string(data), "\uFEFF")
	for line, open := range logicalLines(text) {
		report := func(reason string) {
			problems = append(problems, &ConfigError{File: file, Line: line.number, Reason: reason})
		}
		if open {
			report(`ends in a backslash, which continues the line, but nothing follows: remove it, or write \\ for a backslash`)
			continue
		}
		if line.text[0] == '=' || line.text[0] == ':' {
			report("has no name before the " + line.text[:1])
			continue
		}
		parsed, err := loader.LoadBytes([]byte(line.text))
		if err != nil { // its text may quote the value, which may be a secret
			report(`holds a \u that is not followed by four hexadecimal digits: write \\ for a backslash`)
			continue
		}
		for key, value := range parsed.Map() {
			entries = append(entries, entry{line.number, key, value})
		}
	}
	return entries, problems
}

type logicalLine struct {
	number int // of its first natural line, from 1
	text   string
}

// logicalLines yields the lines of a properties file that are neither blank nor comments, with continued lines joined,
// and whether the file ended where the line should have been continued.
func logicalLines(text string) iter.Seq2[logicalLine, bool] {
	const blanks = " \t\f"
	natural := strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text), "\n")
	return func(yield func(logicalLine, bool) bool) {
		for i := 0; i < len(natural); i++ {
			line := logicalLine{i + 1, strings.TrimLeft(natural[i], blanks)}
			if line.text == "" || line.text[0] == '#' || line.text[0] == '!' {
				continue
			}
			open := continues(line.text)
			for open {
				line.text = line.text[:len(line.text)-1]
				if i++; i == len(natural) {
					break
				}
				line.text += strings.TrimLeft(natural[i], blanks)
				open = continues(line.text)
			}
			if line.text == "" && !open {
				continue
			}
			if !yield(line, open) {
				return
			}
		}
	}
}

// continues reports whether a line ends in an odd number of backslashes.
func continues(line string) bool {
	return (len(line)-len(strings.TrimRight(line, `\`)))%2 == 1
}
