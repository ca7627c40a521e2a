package main

import (
	"fmt"
	"math"
)

// Each of these formats a figure for a table. What is not a number was not measured.

// number formats a count with three digits that say something.
func number(f float64) string {
	switch {
	case math.IsNaN(f):
		return "–"
	case f >= 1e6:
		return fmt.Sprintf("%.2f M", f/1e6)
	case f >= 1e5:
		return fmt.Sprintf("%.0f k", f/1e3)
	case f >= 1e4:
		return fmt.Sprintf("%.1f k", f/1e3)
	case f >= 100 || f == math.Trunc(f):
		return fmt.Sprintf("%.0f", f)
	default:
		return fmt.Sprintf("%.1f", f)
	}
}

// size formats bytes.
func size(bytes float64) string {
	switch {
	case math.IsNaN(bytes):
		return "–"
	case bytes >= 10<<20:
		return fmt.Sprintf("%.0f MiB", bytes/(1<<20))
	default:
		return fmt.Sprintf("%.1f KiB", bytes/(1<<10))
	}
}

func decimal(f float64) string {
	if math.IsNaN(f) {
		return "–"
	}
	return fmt.Sprintf("%.2f", f)
}

func percent(f float64) string {
	if math.IsNaN(f) {
		return "–"
	}
	if f < 0.095 {
		return fmt.Sprintf("%.1f %%", 100*f)
	}
	return fmt.Sprintf("%.0f %%", 100*f)
}

func duration(seconds float64) string {
	switch {
	case math.IsNaN(seconds):
		return "–"
	case seconds < 1e-3:
		return fmt.Sprintf("%.0f µs", seconds*1e6)
	case seconds < 1:
		return fmt.Sprintf("%.1f ms", seconds*1e3)
	default:
		return fmt.Sprintf("%.2f s", seconds)
	}
}
