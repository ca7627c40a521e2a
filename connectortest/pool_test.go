package connectortest_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/connectortest"
)

// What follows is a connector with real state, as its author would write it: a pool that Connect opens from a typed
// configuration, Publish, Query and a poller use, and Close closes. It serves any number of sources without a map or a
// lock of its own.

type poolConfig struct {
	Database struct {
		URL  string `json:"url"`
		Size int    `json:"size"`
		TLS  bool   `json:"tls"`
	} `json:"database"`
	Poll struct {
		Every time.Duration `json:"every"`
		Limit int           `json:"limit,omitempty"`
	} `json:"poll"`
}

func (c *poolConfig) Validate() error {
	if c.Database.Size < 1 {
		return fmt.Errorf("database.size: %d, use at least 1", c.Database.Size)
	}
	return nil
}

var poolHandlers = connector.SessionHandlers[*pool]{
	Connect: func(ctx context.Context, c *connector.SourceConnection, document connector.Document) (*pool, error) {
		config, err := connector.DecodeConfig[poolConfig](document)
		if err != nil {
			return nil, err
		}
		p, err := openPool(ctx, config.Database.URL, config.Database.Size)
		if err != nil {
			return nil, err
		}
		return p, c.Go(func(ctx context.Context) error { return poll(ctx, c, p, config.Poll.Every) })
	},
	Publish: func(ctx context.Context, _ *connector.SourceConnection, p *pool, message connector.Document) error {
		return p.insert(ctx, message)
	},
	Query: func(ctx context.Context, _ *connector.SourceConnection, p *pool, q *connector.Query) error {
		rows, err := p.count(ctx)
		if err != nil {
			return err
		}
		return q.Complete(ctx, map[string]any{"url": p.url, "rows": rows})
	},
	Close: func(_ context.Context, _ *connector.SourceConnection, p *pool, _ error) error {
		return p.close()
	},
}

func poll(ctx context.Context, c *connector.SourceConnection, p *pool, every time.Duration) error {
	for ticker := time.NewTicker(every); ; {
		select {
		case <-ticker.C:
			rows, err := p.count(ctx)
			if err != nil {
				return err
			}
			if err := c.SendNotification(ctx, map[string]any{"rows": rows}); err != nil {
				return err
			}
		case <-ctx.Done():
			ticker.Stop()
			return nil
		}
	}
}

// A pool stands for one of a real database. It notices if it is used when it is closed.
type pool struct {
	url    string
	rows   atomic.Int64
	closed atomic.Bool
}

var poolsOpen atomic.Int64

func openPool(ctx context.Context, url string, _ int) (*pool, error) {
	poolsOpen.Add(1)
	return &pool{url: url}, ctx.Err()
}

func (p *pool) check(ctx context.Context) error {
	if p.closed.Load() {
		return errors.New("the pool is used after it was closed")
	}
	return ctx.Err()
}

func (p *pool) insert(ctx context.Context, _ connector.Document) error {
	p.rows.Add(1)
	return p.check(ctx)
}

func (p *pool) count(ctx context.Context) (int64, error) { return p.rows.Load(), p.check(ctx) }

func (p *pool) close() error {
	if p.closed.Swap(true) {
		return errors.New("the pool is closed twice")
	}
	poolsOpen.Add(-1)
	return nil
}

func TestFiftySourcesWithAPoolEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const sources = 50
		configuration := func(n, version int) map[string]any { // as the editor sends it: everything a string
			return map[string]any{
				"database": map[string]any{"url": fmt.Sprintf("db%d/v%d", n, version), "size": "5", "tls": "true"},
				"poll":     map[string]any{"every": "10s"},
			}
		}
		name := func(n int) string { return fmt.Sprintf("com.example.Pool%d", n) }
		var opts []connectortest.Option
		for n := range sources {
			opts = append(opts, connectortest.WithSource(name(n), configuration(n, 1)))
		}
		running := connectortest.Start(t, poolHandlers.Handlers(), opts...)

		use := func(version int) {
			for n := range sources {
				source := running.Source(name(n))
				for range n {
					if err := source.Publish(t.Context(), map[string]any{"n": n}); err != nil {
						t.Fatal(err)
					}
				}
				if err := source.Publish(t.Context(), map[string]any{}); err != nil {
					t.Fatal(err)
				}
			}
			synctest.Wait()
			for n := range sources {
				rows, err := running.Source(name(n)).Query(t.Context(), nil)
				if want := fmt.Sprintf(`[{"rows":%d,"url":"db%d/v%d"}]`, n+1, n, version); err != nil || fmt.Sprint(rows) != want {
					t.Errorf("%v, %v; want %s", rows, err, want)
				}
				event, err := running.Source(name(n)).Notification(t.Context())
				if want := fmt.Sprintf(`{"rows":%d}`, n+1); err != nil || event.String() != want {
					t.Errorf("polled %v, %v; want %s", event, err, want)
				}
			}
			if open := poolsOpen.Load(); open != sources {
				t.Errorf("%d pools are open", open)
			}
		}
		use(1)
		for n := range sources {
			running.Source(name(n)).Reconfigure(configuration(n, 2))
		}
		for n := range sources {
			if err := running.Source(name(n)).WaitSession(t.Context(), 2); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		for n := range sources {
			running.Source(name(n)).Notifications()
		}
		use(2)
		if err := running.Stop(); err != nil {
			t.Error(err)
		}
		if open := poolsOpen.Load(); open != 0 {
			t.Errorf("%d pools are left open", open)
		}
	})
}
