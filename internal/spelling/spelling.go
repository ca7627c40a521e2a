// Package spelling finds out what was meant by a name that is not known.
package spelling

import (
	"strings"
)

// Nearest returns the candidate that is spelled like name, whatever the case, or an empty string if there is none.
func Nearest(name string, candidates []string) string {
	best, least := "", max(1, len(name)/4)+1
	if len(name) < 2 { // it is like every other letter
		return ""
	}
	for _, candidate := range candidates {
		if d := distance(strings.ToLower(name), strings.ToLower(candidate)); d < least {
			best, least = candidate, d
		}
	}
	return best
}

// distance counts the bytes to insert, delete, replace, or swap with the next to make b of a.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1) // distances of each a[:i] to each b[:j]
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		for j := range rows[i] {
			switch {
			case i == 0 || j == 0:
				rows[i][j] = i + j
				continue
			case a[i-1] == b[j-1]:
				rows[i][j] = rows[i-1][j-1]
			default:
				rows[i][j] = 1 + min(rows[i-1][j-1], rows[i-1][j], rows[i][j-1])
			}
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], 1+rows[i-2][j-2])
			}
		}
	}
	return rows[len(a)][len(b)]
}
