package connector_test

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// The tests named TestFiguresOf… show what the policies and limits of this package amount to: they measure a figure of
// docs/reliability.md, hold it to a bound, and log it as Markdown. Without a flag they measure just enough for the bounds;
// with it, all that the document reports:
//
//	go test -run TestFiguresOf -v -timeout 30m ./connector -figures
//
// Time is virtual in all of them but TestFiguresOfClosing.
var figures = flag.Bool("figures", false, "measure as much as docs/reliability.md reports")

// measured returns how often something is to be measured: full with -figures, else brief.
func measured(full, brief int) int {
	if *figures {
		return full
	}
	return brief
}

// figure logs a line of Markdown.
func figure(t *testing.T, format string, args ...any) {
	t.Helper()
	_, _ = fmt.Fprintf(t.Output(), format+"\n", args...)
}

// A spread is a number of durations of the same thing.
type spread []time.Duration

// within returns the duration that this share of all do not exceed: 0.5 for the median, 1 for the longest.
func (s spread) within(share float64) time.Duration {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	return sorted[min(int(share*float64(len(sorted))), len(sorted)-1)]
}

// cells returns a spread as columns of a table.
func (s spread) cells() string {
	return fmt.Sprintf("%d | %s | %s | %s", len(s), brief(s.within(0.5)), brief(s.within(0.95)), brief(s.within(1)))
}

const spreadColumns = "measured | median | 95 % within | longest"

// brief writes a duration with three digits, as a document does: 1.25 s.
func brief(d time.Duration) string {
	value, unit := float64(d)/float64(time.Second), "s"
	switch {
	case d < time.Millisecond:
		value, unit = float64(d)/float64(time.Microsecond), "µs"
	case d < time.Second:
		value, unit = float64(d)/float64(time.Millisecond), "ms"
	}
	text := fmt.Sprintf("%.3g", value)
	if value >= 100 {
		text = fmt.Sprintf("%.0f", value)
	}
	return text + " " + unit
}

// bar draws a value as a bar that is width runes long at full.
func bar(value, full float64, width int) string {
	return strings.Repeat("█", int(value/full*float64(width)+0.5))
}
