package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// parseYAML reads the part of YAML that deploy/kubernetes.yaml is written in: documents of maps and lists by indentation,
// plain and double-quoted scalars, and block scalars. Anything else is an error. Scalars are strings.
func parseYAML(text string) (documents []map[string]any, err error) {
	for document := range strings.SplitSeq(text, "\n---\n") {
		p := yamlParser{lines: strings.Split(document, "\n")}
		value, err := p.node(0)
		if err == nil && p.peek() >= 0 {
			err = fmt.Errorf("%q is indented unexpectedly", p.lines[0])
		}
		object, ok := value.(map[string]any)
		if err != nil || !ok {
			return nil, fmt.Errorf("document %d: %w", len(documents)+1, err)
		}
		documents = append(documents, object)
	}
	return documents, nil
}

type yamlParser struct{ lines []string }

// peek skips blank lines and comments, and returns the indentation of the next line, or -1 at the end.
func (p *yamlParser) peek() int {
	for len(p.lines) > 0 {
		content := strings.TrimLeft(p.lines[0], " ")
		if content != "" && content[0] != '#' {
			return len(p.lines[0]) - len(content)
		}
		p.lines = p.lines[1:]
	}
	return -1
}

// node reads the map or list that is indented by at least the given number of blanks.
func (p *yamlParser) node(least int) (any, error) {
	indent := p.peek()
	if indent < least {
		return nil, fmt.Errorf("nothing where a value is expected")
	}
	if strings.HasPrefix(p.lines[0][indent:], "- ") {
		return p.list(indent)
	}
	return p.object(indent)
}

func (p *yamlParser) list(indent int) (all []any, err error) {
	for p.peek() == indent && strings.HasPrefix(p.lines[0][indent:], "- ") {
		item := p.lines[0][indent+2:]
		var value any
		if key, _, isObject := strings.Cut(item, ":"); isObject && !strings.ContainsAny(key, `" `) {
			p.lines[0] = strings.Repeat(" ", indent+2) + item
			value, err = p.object(indent + 2)
		} else {
			p.lines = p.lines[1:]
			value, err = scalar(item)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, value)
	}
	return all, nil
}

func (p *yamlParser) object(indent int) (map[string]any, error) {
	object := map[string]any{}
	for p.peek() == indent && !strings.HasPrefix(p.lines[0][indent:], "- ") {
		key, rest, ok := strings.Cut(p.lines[0][indent:], ":")
		if _, again := object[key]; !ok || again || rest != "" && rest[0] != ' ' {
			return nil, fmt.Errorf("%q is not a new key", p.lines[0])
		}
		p.lines = p.lines[1:]
		var value any
		var err error
		switch rest = strings.TrimSpace(rest); rest {
		case "":
			value, err = p.node(indent + 1)
		case "|":
			value = p.block(indent)
		default:
			value, err = scalar(rest)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		object[key] = value
	}
	return object, nil
}

// block reads the lines of a block scalar.
func (p *yamlParser) block(above int) string {
	var text strings.Builder
	indent := p.peek()
	for indent > above && len(p.lines) > 0 && strings.HasPrefix(p.lines[0], strings.Repeat(" ", indent)) {
		text.WriteString(p.lines[0][indent:] + "\n")
		p.lines = p.lines[1:]
	}
	return text.String()
}

func scalar(text string) (string, error) {
	switch {
	case text[0] == '"':
		return strconv.Unquote(text)
	case strings.ContainsAny(text[:1], "[]{}&*!|>'%@`") || strings.Contains(text, ": ") || strings.Contains(text, " #"):
		return "", fmt.Errorf("%q needs more than this reader knows", text)
	}
	return text, nil
}

// at returns what stands at a path of keys and list positions.
func at(t *testing.T, value any, path ...any) any {
	t.Helper()
	for i, step := range path {
		var ok bool
		switch step := step.(type) {
		case string:
			var object map[string]any
			if object, ok = value.(map[string]any); ok {
				value, ok = object[step]
			}
		case int:
			var list []any
			if list, ok = value.([]any); ok && step < len(list) {
				value = list[step]
			}
		}
		if !ok {
			t.Fatalf("nothing at %v", path[:i+1])
		}
	}
	return value
}

func TestParseYAML(t *testing.T) {
	documents, err := parseYAML("# c\na: 1\nb:\n  c: \"x: y\"\n  d: |\n    l1\n     l2\n  e:\n    - f: 1\n      g:\n        - h\n    - f: 2\n---\na: b\n")
	if err != nil || len(documents) != 2 {
		t.Fatalf("%v (%v)", documents, err)
	}
	got := []any{at(t, documents[0], "b", "c"), at(t, documents[0], "b", "d"), at(t, documents[0], "b", "e", 0, "g", 0), at(t, documents[0], "b", "e", 1, "f")}
	if want := []any{"x: y", "l1\n l2\n", "h", "2"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, bad := range []string{"a: [1]", "a: 1\na: 2", "a:\n  b: 1\n    c: 2", "a"} {
		if documents, err := parseYAML(bad); err == nil {
			t.Errorf("%q is read as %v", bad, documents)
		}
	}
}
