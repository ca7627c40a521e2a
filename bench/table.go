package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// A table shows the cases of one kind: a row for each case and peer.
type table struct {
	title string
	head  []string
	rows  [][]string
}

// tables returns a table for each group of cases of which there are runs.
func tables(all runs) []table {
	var result []table
	for _, g := range groups {
		t := table{title: g.title, head: []string{"case", "peer"}}
		for _, c := range g.columns {
			t.head = append(t.head, c.head)
		}
		for _, s := range all.subjects() {
			if !g.has(s.Case) {
				continue
			}
			row := []string{s.Name, s.peer}
			for _, column := range g.columns {
				row = append(row, column.cell(all, s))
			}
			t.rows = append(t.rows, row)
		}
		if len(t.rows) > 0 {
			result = append(result, t)
		}
	}
	if t, ok := goalTable(all); ok {
		result = append(result, t)
	}
	return result
}

// print prints the table for a terminal, with or without the bars that make it Markdown.
func (t table) print(w io.Writer, markdown bool) {
	widths := make([]int, len(t.head))
	for _, row := range append([][]string{t.head}, t.rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	left, between, right := "", "  ", ""
	if markdown {
		left, between, right = "| ", " | ", " |"
	}
	line := func(row []string) {
		cells := make([]string, len(row))
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i < 2 { // names
				cells[i] = cell + pad
			} else {
				cells[i] = pad + cell
			}
		}
		_, _ = fmt.Fprintln(w, strings.TrimRight(left+strings.Join(cells, between)+right, " "))
	}
	if markdown {
		_, _ = fmt.Fprintf(w, "\n### %s\n\n", t.title)
	} else {
		_, _ = fmt.Fprintf(w, "\n%s\n", t.title)
	}
	line(t.head)
	if markdown {
		rule := make([]string, len(t.head))
		for i := range rule {
			rule[i] = strings.Repeat("-", widths[i]-1)
			if i < 2 {
				rule[i] += "-"
			} else {
				rule[i] += ":"
			}
		}
		line(rule)
	}
	for _, row := range t.rows {
		line(row)
	}
}
