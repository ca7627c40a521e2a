package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/connectorset"
)

// badConnector is the main function of a connector that goes wrong in one way, and returns its exit code.
func badConnector(behaviour string, args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	switch behaviour {
	case "exits":
		fmt.Println("all is lost")
		code, _ := strconv.Atoi(args[0])
		return code
	case "never-connects":
		<-ctx.Done()
		return 0
	case "has-no-manners": // the signal kills it
		stop()
		return serve(context.Background(), echo())
	case "ends-badly":
		_ = serve(ctx, echo())
		return 5
	case "ignores-signals":
		return ignoreSignals(args[0])
	case "echoes": // a good one
		return serve(ctx, echo())
	case "answers":
		return serve(ctx, connector.Handlers{Query: answer})
	case "drains-slowly":
		h := echo()
		h.Close = func(context.Context, *connector.SourceConnection, error) error {
			<-time.After(200 * time.Millisecond)
			return nil
		}
		return serve(ctx, h)
	case "is-quiet":
		return serve(ctx, connector.Handlers{Publish: ignore, Query: echo().Query})
	case "never-answers":
		return serve(ctx, connector.Handlers{Publish: ignore, Query: queryReturns(connector.ErrAnswerLater)})
	case "fails-queries":
		return serve(ctx, connector.Handlers{Publish: ignore, Query: queryReturns(errors.New("not today"))})
	case "takes-a-while": // its Connect handler fails at first
		h := echo()
		failures := 3
		h.Connect = func(context.Context, *connector.SourceConnection, connector.Document) error {
			if failures--; failures >= 0 {
				return errors.New("the machine is warming up")
			}
			return nil
		}
		h.Publish = ignore
		return serve(ctx, h)
	case "has-the-wrong-token":
		config := must(connectorset.ReadConfig(""))
		config.AuthToken = "wrong"
		if err := must(connectorset.New(config)).Run(ctx); err != nil {
			fmt.Println(err)
			return 1
		}
		return 0
	}
	panic("there is no such behaviour: " + behaviour)
}

func echo() connector.Handlers {
	return connector.Handlers{
		Publish: func(ctx context.Context, c *connector.SourceConnection, message connector.Document) error {
			return c.SendNotification(ctx, message)
		},
		Query: func(ctx context.Context, _ *connector.SourceConnection, q *connector.Query) error {
			return q.Complete(ctx, q.Parameters())
		},
	}
}

func ignore(context.Context, *connector.SourceConnection, connector.Document) error { return nil }

func queryReturns(err error) func(context.Context, *connector.SourceConnection, *connector.Query) error {
	return func(context.Context, *connector.SourceConnection, *connector.Query) error { return err }
}

// answer does what the query's parameters say.
func answer(ctx context.Context, _ *connector.SourceConnection, q *connector.Query) error {
	switch q.Parameters().String() {
	case `{"fail":true}`:
		return connector.QueryError{Code: "answers.later", Template: "not today, but {0}", Parameters: []any{"tomorrow"}}
	case `{"never":true}`:
		return connector.ErrAnswerLater
	case `{"empty":true}`:
		return q.Empty(ctx)
	}
	if err := q.Partial(ctx, json.RawMessage(`[{"name":"A","n":1,"more":{"x":[]}}]`)); err != nil {
		return err
	}
	return q.Complete(ctx, json.RawMessage(`[{"n":2,"name":"\tB\u001b","more":null,"b":true}]`))
}

func serve(ctx context.Context, handlers connector.Handlers) int {
	set := must(connectorset.Load(connectorset.WithLogger(slog.New(slog.NewTextHandler(os.Stderr, nil)))))
	set.SetHandlers(handlers)
	if err := set.Run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// ignoreSignals starts a child of its own, and both hold a connection to an address for as long as they live.
func ignoreSignals(address string) int {
	signal.Ignore(os.Interrupt, syscall.SIGTERM)
	conn := must(net.Dial("tcp", address))
	if len(os.Args) < 5 {
		child := exec.Command(must(os.Executable()), "as-connector", "ignores-signals", address, "as its child")
		if err := child.Start(); err != nil {
			panic(err)
		}
	}
	_, _ = io.Copy(io.Discard, conn)
	return 0
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}
