package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/urfave/cli/v3"
)

// publishCommand is the subcommand publish.
func publishCommand() *cli.Command {
	var f findFlags
	return explained(&cli.Command{
		Name:      "publish",
		Usage:     "publish messages to a source of the local Vantiq, as PUBLISH does in VAIL",
		ArgsUsage: "JSON…",
		Description: `Publish sends each JSON object to the connector that is connected to the source of a running "vantiqdev serve" or
"vantiqdev run". For - it sends each JSON object that comes from the standard input.`,
		Flags: f.flags(),
		Action: func(ctx context.Context, c *cli.Command) error {
			if !c.Args().Present() {
				return misused(c, `JSON is missing: write it like '{"text":"hello"}', in single quotes, or - for the standard input`)
			}
			messages, err := messagesOf(c.Args().Slice())
			if err != nil {
				return &usageError{c.FullName(), err}
			}
			ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
			defer stop()
			return said(c, publish(ctx, f, messages, c.Reader))
		},
	}, `
vantiqdev publish '{"text":"hello"}'                  to the only source
vantiqdev publish -source A '{"n":1}' '{"n":2}'       two messages, to one of several
jq -c '.[]' messages.json | vantiqdev publish -       as many as come
`)
}

// said shows an error of a command as that of vantiqdev.
func said(c *cli.Command, err error) error {
	if err == nil {
		return nil
	}
	newScreen(c.Root().Writer, c.Root().ErrWriter).complain(c.FullName(), err)
	return errSaid
}

// messagesOf returns the messages of a command line; one that is nil stands for those of the standard input.
func messagesOf(texts []string) (messages []json.RawMessage, err error) {
	for _, text := range texts {
		var message documentFlag
		switch {
		case text == "-":
			messages = append(messages, nil)
			continue
		case strings.TrimSpace(text) == "null":
			return nil, errors.New("null is no message: a JSON object is, like {}")
		}
		if err := message.Set(text); err != nil {
			return nil, err
		}
		messages = append(messages, message.Raw())
	}
	return messages, nil
}

func publish(ctx context.Context, f findFlags, messages []json.RawMessage, in io.Reader) error {
	vantiq, err := f.find(ctx)
	if err != nil {
		return err
	}
	source, err := vantiq.sourceName(ctx, f.source)
	if err != nil {
		return err
	}
	send := func(message json.RawMessage) error {
		return vantiq.call(ctx, http.MethodPost, pathOf(source, "publish"), message, nil)
	}
	for i, message := range messages {
		if message == nil {
			err = eachOf(ctx, in, send)
		} else {
			err = send(message)
			if err != nil && i > 0 {
				err = fmt.Errorf("message %d: %w", i+1, err)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// eachOf does something with each JSON object that comes, until ctx ends.
func eachOf(ctx context.Context, in io.Reader, do func(json.RawMessage) error) error {
	type item struct {
		message json.RawMessage
		err     error
	}
	items := make(chan item)
	go func() { // ends with the input, or with the process: nothing interrupts its reading
		decoder := json.NewDecoder(in)
		for {
			var next item
			if next.err = decoder.Decode(&next.message); next.err == nil {
				_, next.err = objectOf(next.message)
			}
			select {
			case items <- next:
			case <-ctx.Done():
				return
			}
			if next.err != nil {
				return
			}
		}
	}()
	for n := 1; ; n++ {
		var next item
		select {
		case next = <-items:
		case <-ctx.Done():
			return errInterrupted
		}
		if errors.Is(next.err, io.EOF) {
			return nil
		}
		if next.err == nil {
			next.err = do(next.message)
		}
		if next.err != nil {
			return fmt.Errorf("message %d of the standard input: %w", n, next.err)
		}
	}
}
