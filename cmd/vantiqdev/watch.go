package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"syscall"

	"github.com/urfave/cli/v3"
)

// watchCommand is the subcommand watch.
func watchCommand() *cli.Command {
	var f findFlags
	var most int64
	return explained(&cli.Command{
		Name:  "watch",
		Usage: "print the notifications that the local Vantiq receives, one line of JSON each, until Ctrl-C",
		Description: `Watch prints what the connectors of a running "vantiqdev serve" or "vantiqdev run" send from now on:

	{"time":"2026-01-31T12:00:00.123Z","source":"EchoSource","notification":{"text":"hello"}}

If they come faster than they can be printed, some are left out, and the standard error says how many.`,
		Flags: append(f.flags(),
			&cli.Int64Flag{Name: "n", Destination: &most, HideDefault: true, Usage: "end after this `NUMBER` of notifications"}),
		Action: func(ctx context.Context, c *cli.Command) error {
			if c.Args().Present() {
				return misused(c, "watch takes no arguments, but there is %q; a source is named by -source", c.Args().First())
			}
			ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
			defer stop()
			if c.IsSet("n") && most < 1 {
				return misused(c, "invalid value %d for flag -n: it must be 1 or more", most)
			}
			err := watch(ctx, f, most, c.Root().Writer, c.Root().ErrWriter)
			if ctx.Err() != nil {
				return nil // that is how it ends
			}
			return said(c, err)
		},
	}, `
vantiqdev watch                                            of all sources
vantiqdev watch -source A | jq .notification.text          of one, and of that a part
vantiqdev watch -n 1                                       the next one
`)
}

// watch ends with ctx, or with the local Vantiq, or after most notifications unless that is 0.
func watch(ctx context.Context, f findFlags, most int64, out, complaints io.Writer) error {
	vantiq, err := f.find(ctx)
	if err != nil {
		return err
	}
	query := ""
	if f.source != "" {
		if _, err := vantiq.sourceName(ctx, f.source); err != nil {
			return err
		}
		query = "?source=" + url.QueryEscape(f.source)
	}
	response, err := vantiq.do(ctx, http.MethodGet, vantiq.console+"/api/notifications"+query, nil)
	if err != nil {
		return vantiq.lost(ctx, err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return refusalOf(response)
	}
	lines := bufio.NewReaderSize(response.Body, 1<<20)
	for seen := int64(0); most == 0 || seen < most; {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return vantiq.lost(ctx, err)
		}
		var note struct{ Skipped int }
		if json.Unmarshal(line, &note) == nil && note.Skipped > 0 {
			_, _ = fmt.Fprintf(complaints, "vantiqdev watch: %s left out: they came faster than this could be read\n", count(note.Skipped, "notification"))
			continue
		}
		if _, err := out.Write(line); err != nil {
			return err
		}
		seen++
	}
	return nil
}
