package main

import (
	"encoding/hex"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"
)

// appendPostgres appends a value as JSON, from its text and its type. What has no form of its own in JSON, like a uuid, a
// date, an interval or a range, is a string of the text.
func appendPostgres(dst []byte, types *pgtype.Map, oid uint32, text string) []byte {
	switch oid {
	case pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID, pgtype.OIDOID, pgtype.NumericOID, pgtype.Float4OID, pgtype.Float8OID:
		return appendNumber(dst, text)
	case pgtype.BoolOID:
		if text == "t" {
			return append(dst, "true"...)
		}
		return append(dst, "false"...)
	case pgtype.JSONOID, pgtype.JSONBOID:
		return append(dst, text...)
	case pgtype.ByteaOID:
		value, _ := hex.DecodeString(strings.TrimPrefix(text, `\x`)) // as bytea_output says
		return appendBytes(dst, value)
	case pgtype.TimestampOID, pgtype.TimestamptzOID:
		return appendText(dst, isoTime(text, oid == pgtype.TimestamptzOID))
	}
	if element, ok := elementOf(types, oid); ok {
		return appendArray(dst, text, func(dst []byte, text string) []byte {
			return appendPostgres(dst, types, element, text)
		})
	}
	return appendText(dst, text)
}

// isoTime makes 2006-01-02 15:04:05.999999+00 what RFC 3339 wants. Infinities and years before Christ it leaves alone.
func isoTime(text string, zone bool) string {
	if strings.HasSuffix(text, "infinity") || strings.HasSuffix(text, "BC") {
		return text
	}
	text = strings.Replace(text, " ", "T", 1)
	if sign := len(text) - 3; zone && (text[sign] == '+' || text[sign] == '-') {
		text += ":00"
	}
	return text
}

// elementOf returns the type of an array's elements. Boxes are left out: they alone are separated by semicolons.
func elementOf(types *pgtype.Map, oid uint32) (element uint32, ok bool) {
	t, known := types.TypeForOID(oid)
	if !known || oid == pgtype.BoxArrayOID {
		return 0, false
	}
	if codec, isArray := t.Codec.(*pgtype.ArrayCodec); isArray {
		return codec.ElementType.OID, true
	}
	return 0, false
}

// appendArray appends an array of any dimensions as JSON. PostgreSQL writes {1,NULL}, {{"a b"},{"\"NULL\""}}, and with
// bounds that do not begin at 1, [0:1]={1,2}.
func appendArray(dst []byte, text string, appendElement func(dst []byte, text string) []byte) []byte {
	text = text[strings.IndexByte(text, '{'):]
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '{':
			dst = append(dst, '[')
		case '}':
			dst = append(dst, ']')
		case ',':
			dst = append(dst, ',')
		case '"':
			var element []byte
			for i++; text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
				element = append(element, text[i])
			}
			dst = appendElement(dst, string(element))
		default:
			end := i + strings.IndexAny(text[i:], ",}")
			if element := text[i:end]; element == "NULL" {
				dst = append(dst, "null"...)
			} else {
				dst = appendElement(dst, element)
			}
			i = end - 1
		}
	}
	return dst
}
