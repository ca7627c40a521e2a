package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/vantiq-go/connectorsdk/protocol"
)

// maxShown is how much of a JSON text is shown.
const maxShown = 200

// shorten returns a JSON text on one line, as much of it as a person wants to read.
func shorten(text json.RawMessage) string {
	var compact bytes.Buffer
	if json.Compact(&compact, text) != nil {
		compact.Reset()
		compact.Write(text)
	}
	runes := []rune(protocol.Printable(compact.String()))
	if len(runes) <= maxShown {
		return string(runes)
	}
	return fmt.Sprintf("%s… (%s)", string(runes[:maxShown]), count(compact.Len(), "byte"))
}

// harmless returns a line that has words of others in it as a terminal can show it, and no more of it than a person reads.
func harmless(line string) string {
	const limit = 2000
	if len(line) > limit {
		line = strings.ToValidUTF8(line[:limit], "") + "…"
	}
	return protocol.Printable(line)
}

// short returns a duration with no more digits than say something.
func short(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		return d.Round(time.Second).String()
	case d >= time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d >= 10*time.Millisecond:
		return d.Round(time.Millisecond).String()
	}
	return d.Round(10 * time.Microsecond).String()
}

func count(n int, what string) string {
	switch n {
	case 0:
		return "no " + what + "s"
	case 1:
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// sourceList lists some names of sources, but not a hundred of them.
func sourceList(names []string) string {
	const listed = 5
	switch {
	case len(names) == 0:
		return "no sources"
	case len(names) == 1:
		return "source " + names[0]
	case len(names) > listed:
		return fmt.Sprintf("sources %s … (%d)", strings.Join(names[:listed], ", "), len(names))
	}
	return "sources " + strings.Join(names, ", ")
}

// shortPath returns how a person here would call a file.
func shortPath(file string) string {
	here, err := os.Getwd()
	if err != nil {
		return file
	}
	if relative, err := filepath.Rel(here, file); err == nil && filepath.IsLocal(relative) {
		return relative
	}
	return file
}
