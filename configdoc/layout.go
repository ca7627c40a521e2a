package configdoc

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
)

// The parts of a schema in the order in which they are read.
type parts struct {
	Schema, Title string
	Root          *jsonschema.Schema
	Definitions   map[string]*jsonschema.Schema
}

// layout writes a schema so that a person can read it.
func layout(p parts) ([]byte, error) {
	root, err := marshal(p.Root)
	if err != nil {
		return nil, err
	}
	text := fmt.Sprintf(`{"$schema":%s,"title":%s,%s`, quoted(p.Schema), quoted(p.Title), root[1:])
	if len(p.Definitions) > 0 {
		definitions, err := marshal(p.Definitions)
		if err != nil {
			return nil, err
		}
		text = strings.TrimSuffix(text, "}") + `,"$defs":` + definitions + "}"
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	n, err := parse(decoder)
	if err != nil {
		return nil, err
	}
	var laidOut bytes.Buffer
	n.write(&laidOut, "", 0)
	laidOut.WriteByte('\n')
	return laidOut.Bytes(), nil
}

func marshal(value any) (string, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return strings.TrimSpace(text.String()), err
}

// A node is a JSON value with its members in their order.
type node struct {
	text        string // all of it, in one line
	open, close string // if it is an object or a list
	keys        []string
	members     []node
}

func parse(decoder *json.Decoder) (node, error) {
	token, err := decoder.Token()
	if err != nil {
		return node{}, err
	}
	delim, ok := token.(json.Delim)
	if !ok {
		text, err := marshal(token)
		return node{text: text}, err
	}
	n := node{open: "{", close: "}"}
	if delim == '[' {
		n = node{open: "[", close: "]"}
	}
	var items []string
	for decoder.More() {
		key := ""
		if delim == '{' {
			name, err := decoder.Token()
			if err != nil {
				return node{}, err
			}
			if key, err = marshal(name); err != nil {
				return node{}, err
			}
			key += ": "
		}
		member, err := parse(decoder)
		if err != nil {
			return node{}, err
		}
		n.keys, n.members = append(n.keys, key), append(n.members, member)
		items = append(items, key+member.text)
	}
	n.text = n.open + strings.Join(items, ", ") + n.close
	_, err = decoder.Token()
	return n, err
}

// write writes a value in one line if that is not long, else a member a line. column is where it begins.
func (n node) write(to *bytes.Buffer, indent string, column int) {
	const width = 120
	if column+len(n.text) < width || len(n.members) == 0 {
		to.WriteString(n.text)
		return
	}
	to.WriteString(n.open)
	deeper := indent + "  "
	for i, member := range n.members {
		if i > 0 {
			to.WriteByte(',')
		}
		to.WriteString("\n" + deeper + n.keys[i])
		member.write(to, deeper, len(deeper)+len(n.keys[i]))
	}
	to.WriteString("\n" + indent + n.close)
}
