package main

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"
)

// postgresParameter returns the text of a parameter for the type that the statement wants, the reverse of appendPostgres.
// PostgreSQL reads it, and refuses what does not fit.
func postgresParameter(types *pgtype.Map, oid uint32, value json.RawMessage) ([]byte, error) {
	isJSON := oid == pgtype.JSONOID || oid == pgtype.JSONBOID
	switch {
	case string(value) == "null":
		return nil, nil
	case value[0] == '"' && !isJSON:
		return textParameter(oid, value)
	case value[0] == '[' && !isJSON:
		if element, ok := elementOf(types, oid); ok {
			return arrayParameter(types, element, value)
		}
	}
	return value, nil
}

func textParameter(oid uint32, value json.RawMessage) ([]byte, error) {
	var text string
	if err := json.Unmarshal(value, &text); err != nil || oid != pgtype.ByteaOID {
		return []byte(text), err
	}
	decoded, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("a bytea is written in base64: %w", err)
	}
	return []byte(`\x` + hex.EncodeToString(decoded)), nil
}

// arrayParameter writes {…}, with every element in quotes.
func arrayParameter(types *pgtype.Map, element uint32, value json.RawMessage) ([]byte, error) {
	var elements []json.RawMessage
	if err := json.Unmarshal(value, &elements); err != nil {
		return nil, err
	}
	isJSON := element == pgtype.JSONOID || element == pgtype.JSONBOID
	texts := make([]string, len(elements))
	for i, e := range elements {
		if e[0] == '[' && !isJSON { // a dimension more
			inner, err := arrayParameter(types, element, e)
			if err != nil {
				return nil, err
			}
			texts[i] = string(inner)
			continue
		}
		text, err := postgresParameter(types, element, e)
		switch {
		case err != nil:
			return nil, err
		case text == nil:
			texts[i] = "NULL"
		default:
			texts[i] = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(string(text)) + `"`
		}
	}
	return []byte("{" + strings.Join(texts, ",") + "}"), nil
}
