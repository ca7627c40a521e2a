package peer

import (
	"context"
	"encoding/json"
	"iter"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	gojson "github.com/goccy/go-json"

	"github.com/vantiq-go/connectorsdk/bench/internal/job"
	"github.com/vantiq-go/connectorsdk/bench/internal/record"
	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/connectorset"
	"github.com/vantiq-go/connectorsdk/protocol"
)

// sdk is a connector as its author would write it, with default options.
func sdk(ctx context.Context, j job.Job) error {
	config := connectorset.Config{
		Options: connector.Options{
			TargetServer: j.URL,
			AuthToken:    protocol.Secret(j.Token),
			Logger:       slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
		},
		TLSCAFile:    j.CAFile,
		TCPProbePort: -1,
	}
	for i := range j.Sources {
		config.Sources = append(config.Sources, job.SourceName(i))
	}
	set, err := connectorset.New(config)
	if err != nil {
		return err
	}
	set.SetHandlers(handlers(j))
	return set.Run(ctx)
}

func handlers(j job.Job) connector.Handlers {
	switch j.Kind {
	case job.Publish:
		return connector.Handlers{Publish: countPublishes(j)}
	case job.Query:
		return connector.Handlers{Query: answerQueries(j)}
	case job.Notify:
		return connector.Handlers{Connect: func(_ context.Context, c *connector.SourceConnection, _ connector.Document) error {
			return c.Go(func(ctx context.Context) error { return sendNotifications(ctx, j, c) })
		}}
	case job.Rows:
		return connector.Handlers{Query: answerRows(j)}
	default:
		return connector.Handlers{}
	}
}

// countPublishes reports every so many messages; as a struct, it decodes them as well.
func countPublishes(j job.Job) func(context.Context, *connector.SourceConnection, connector.Document) error {
	var handled atomic.Int64
	return func(ctx context.Context, c *connector.SourceConnection, message connector.Document) error {
		if j.Peer == job.SDKStruct {
			var r record.Record
			if err := message.Decode(&r); err != nil {
				return err
			}
		}
		n := handled.Add(1)
		if n%int64(j.ReportEvery) != 0 {
			return nil
		}
		return c.SendNotification(ctx, map[string]int64{"handled": n})
	}
}

// A row is what queries are answered with.
type row struct {
	Machine     string  `json:"machine"`
	Temperature float64 `json:"temperature"`
	Running     bool    `json:"running"`
}

func answerQueries(j job.Job) func(context.Context, *connector.SourceConnection, *connector.Query) error {
	return func(ctx context.Context, _ *connector.SourceConnection, q *connector.Query) error {
		if j.Delay > 0 {
			time.Sleep(j.Delay)
		}
		return q.Complete(ctx, []row{{Machine: "machine-000017", Temperature: 21.5, Running: true}})
	}
}

// answerRows streams rows: of JSON that is there already, or of a struct.
func answerRows(j job.Job) func(context.Context, *connector.SourceConnection, *connector.Query) error {
	r := record.New(j.Size)
	text := json.RawMessage(record.Encode(r))
	return func(ctx context.Context, _ *connector.SourceConnection, q *connector.Query) error {
		switch j.Peer {
		case job.SDKStruct:
			return connector.Rows(ctx, q, times(j.Rows, r))
		case job.SDKVouch:
			return connector.Rows(ctx, q, times(j.Rows, connector.Encoded(text)))
		}
		return connector.Rows(ctx, q, times(j.Rows, text))
	}
}

// times yields a row so many times.
func times[T any](n int, row T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for range n {
			if !yield(row, nil) {
				return
			}
		}
	}
}

// sendNotifications sends as fast as the outbox takes it.
func sendNotifications(ctx context.Context, j job.Job, c *connector.SourceConnection) error {
	var r record.Record
	if err := json.Unmarshal(j.Record, &r); err != nil {
		return err
	}
	for ctx.Err() == nil { // which SendNotification looks at only while it waits for room
		var event any = j.Record
		switch j.Peer {
		case job.SDKStruct:
			event = &r
		case job.SDKCodec:
			text, err := gojson.Marshal(&r)
			if err != nil {
				return err
			}
			event = connector.Encoded(text)
		case job.SDKVouch:
			event = connector.Encoded(j.Record)
		}
		if err := c.SendNotification(ctx, event); err != nil {
			return err
		}
	}
	return ctx.Err()
}
