// Package shown knows how much of a value that may hold a secret can be shown.
package shown

import (
	"regexp"
	"strings"
)

const redacted = "[redacted]"

var scheme = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*://`)

// URL returns as much of a text as may be shown that is meant to be a URL, whether it is one or not: neither what stands
// before an @, which may be a password, nor a query, nor a fragment.
func URL(text string) string {
	text = strings.TrimSpace(text)
	beginning := scheme.FindString(text)
	address := text[len(beginning):]
	at, end := strings.LastIndexByte(address, '@'), strings.IndexAny(address, "?#")
	switch {
	case end >= 0 && at > end: // a query with an @, or a password with a question mark
		return beginning + redacted
	case end >= 0:
		address = address[:end+1] + redacted
	}
	if at >= 0 {
		address = redacted + address[at:]
	}
	return beginning + address
}
