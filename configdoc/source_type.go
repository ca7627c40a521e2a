package configdoc

import (
	"encoding/json"
	"fmt"
	"strings"
)

// sourceTypeOf returns what the Vantiq CLI loads as a source type.
func sourceTypeOf(files Files, rows []row) []byte {
	var properties []string
	for _, row := range rows {
		if row.settable {
			properties = append(properties, row.path)
		}
	}
	return fmt.Appendf(nil, `{
  "name": %s,
  "baseType": "EXTENSION",
  "verticle": "service:extensionSource",
  "config": {},
  "baseConfigProperties": %s,
  "operations": %s
}
`, quoted(files.SourceType), list(properties), list(files.Operations))
}

// list writes texts in one line, or in a line each if that is too long.
func list(texts []string) string {
	const line = 100
	var items []string
	for _, text := range texts {
		items = append(items, quoted(text))
	}
	if short := "[" + strings.Join(items, ", ") + "]"; len(short) <= line {
		return short
	}
	return "[\n    " + strings.Join(items, ",\n    ") + "\n  ]"
}

func quoted(text string) string {
	quoted, _ := json.Marshal(text) // a string always can be
	return string(quoted)
}
