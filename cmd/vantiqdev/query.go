package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/vantiq-go/connectorsdk/protocol"
)

// queryCommand is the subcommand query.
func queryCommand() *cli.Command {
	var f findFlags
	var lines bool
	var timeout time.Duration
	return explained(&cli.Command{
		Name:      "query",
		Usage:     "query a source of the local Vantiq, as SELECT does in VAIL, and show the rows",
		ArgsUsage: "[JSON]",
		Description: `Query sends a query to the connector that is connected to the source of a running "vantiqdev serve" or "vantiqdev run",
and waits for its answer. JSON is an object, what VAIL has behind WITH.`,
		Flags: append(f.flags(),
			&cli.BoolFlag{Name: "json", Destination: &lines, Usage: "show each row as a line of JSON, for pipes"},
			&cli.DurationFlag{Name: "timeout", Value: 150 * time.Second, DefaultText: "2m30s", Destination: &timeout,
				Usage: "give up after this `DURATION`"}),
		Action: func(ctx context.Context, c *cli.Command) error {
			var parameters protocol.Document
			if c.Args().Len() > 1 {
				return misused(c, "there is more than one JSON: write it in single quotes, like '{\"limit\":3}'")
			}
			if text := c.Args().First(); text != "" {
				var err error
				if parameters, err = objectOf(json.RawMessage(text)); err != nil {
					return misused(c, "%w: write it like '{\"limit\":3}', in single quotes", err)
				}
			}
			if timeout <= 0 {
				return misused(c, "invalid value %q for flag -timeout: it must be more than 0, like 30s", timeout)
			}
			ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
			defer stop()
			rows, err := query(ctx, f, parameters, timeout)
			if err != nil {
				return said(c, err)
			}
			write := writeTable
			if lines {
				write = writeLines
			}
			return said(c, write(c.Root().Writer, rows))
		},
	}, `
vantiqdev query                                       all there is
vantiqdev query -source A '{"limit":3}'               SELECT … FROM SOURCE A WITH limit: 3
vantiqdev query -json '{"limit":3}' | jq .name        one line for each row
`)
}

func query(ctx context.Context, f findFlags, parameters protocol.Document, timeout time.Duration) ([]json.RawMessage, error) {
	vantiq, err := f.find(ctx)
	if err != nil {
		return nil, err
	}
	source, err := vantiq.sourceName(ctx, f.source)
	if err != nil {
		return nil, err
	}
	var answer struct{ Rows []json.RawMessage }
	path := pathOf(source, "query") + "?timeout=" + url.QueryEscape(timeout.String())
	err = vantiq.call(ctx, http.MethodPost, path, parameters.Raw(), &answer)
	return answer.Rows, err
}

func writeLines(out io.Writer, rows []json.RawMessage) error {
	for _, row := range rows {
		var line bytes.Buffer
		if err := json.Compact(&line, row); err != nil {
			return err
		}
		line.WriteByte('\n')
		if _, err := out.Write(line.Bytes()); err != nil {
			return err
		}
	}
	return nil
}

// writeTable shows rows under the names of their members, in the order in which they first appear.
func writeTable(out io.Writer, rows []json.RawMessage) error {
	var columns []string
	var cells []map[string]string
	for _, row := range rows {
		members, err := membersOf(row)
		if err != nil {
			return err
		}
		line := map[string]string{}
		for _, m := range members {
			if !slices.Contains(columns, m.name) {
				columns = append(columns, m.name)
			}
			line[m.name] = m.text
		}
		cells = append(cells, line)
	}
	if len(columns) > 0 {
		table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		_, _ = fmt.Fprintln(table, strings.Join(columns, "\t"))
		for _, line := range cells {
			for i, column := range columns {
				if i > 0 {
					_, _ = io.WriteString(table, "\t")
				}
				_, _ = io.WriteString(table, line[column])
			}
			_, _ = io.WriteString(table, "\n")
		}
		if err := table.Flush(); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(out, "(%s)\n", count(len(rows), "row"))
	return err
}

// A member of a row, as a cell shows it.
type member struct{ name, text string }

// membersOf returns the members of a row, in their order. A row that is no object has one, as the console shows it.
func membersOf(row json.RawMessage) (members []member, err error) {
	decoder := json.NewDecoder(bytes.NewReader(row))
	switch first, err := decoder.Token(); {
	case err != nil:
		return nil, err
	case first != json.Delim('{'):
		return []member{{"value", cell(row)}}, nil
	}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, err
		}
		members = append(members, member{protocol.Printable(fmt.Sprint(name)), cell(value)})
	}
	return members, nil
}

// cell returns a value as a cell shows it: a text without its quotes, and everything on one line that is not too long.
func cell(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) != nil || string(value) == "null" {
		return shorten(value)
	}
	if runes := []rune(text); len(runes) > maxShown {
		text = string(runes[:maxShown]) + "…"
	}
	return protocol.Printable(text)
}
