package boltoutbox_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/vantiq-go/connectorsdk/boltoutbox"
	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// What a process has accepted and not delivered, the next one delivers.
func Example() {
	directory, err := os.MkdirTemp("", "outbox")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(directory)
	server := vantiqtest.NewServer()
	defer server.Close()
	orders := server.Source("Orders", nil)

	process := func(work func(ctx context.Context, c *connector.SourceConnection) error) error {
		outbox, err := boltoutbox.Open(filepath.Join(directory, "outbox.db"), boltoutbox.Options{})
		if err != nil {
			return err
		}
		defer outbox.Close() //nolint:errcheck // what is accepted is on the disk already
		c, err := connector.New("Orders", connector.Options{
			TargetServer: server.URL(),
			AuthToken:    "local-token",
			Outbox:       outbox,
		})
		if err != nil {
			return err
		}
		return work(context.Background(), c)
	}

	// One process accepts a notification, and ends before it has connected.
	err = process(func(ctx context.Context, c *connector.SourceConnection) error {
		if err := c.SendNotification(ctx, map[string]int{"order": 17}); err != nil {
			return err
		}
		return c.Close(ctx)
	})
	fmt.Println(err, len(orders.Notifications()))

	// The next one delivers it.
	err = process(func(ctx context.Context, c *connector.SourceConnection) error {
		go c.Run(ctx) //nolint:errcheck // Close returns the same
		if err := c.Flush(ctx); err != nil {
			return err
		}
		return c.Close(ctx)
	})
	fmt.Println(err, len(orders.Notifications()))
	// Output:
	// <nil> 0
	// <nil> 1
}
