package connectorset_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/connectorset"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// A connector configured in Go, run against the local Vantiq until main has seen enough.
func ExampleNew() {
	server := vantiqtest.NewServer() // your Vantiq
	defer server.Close()
	source := server.Source("EchoSource", nil)

	set, err := connectorset.New(connectorset.Config{
		Options: connector.Options{
			TargetServer: server.URL(),
			AuthToken:    protocol.Secret(server.Token()),
		},
		Sources:      []string{"EchoSource"},
		TCPProbePort: -1, // no health port
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	set.SetHandlers(connector.Handlers{
		Publish: func(ctx context.Context, c *connector.SourceConnection, message connector.Document) error {
			return c.SendNotification(ctx, message)
		},
	})
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- set.Run(ctx) }()

	_ = source.WaitConnected(ctx)
	_ = source.Publish(ctx, map[string]string{"text": "hello"})
	event, _ := source.Notification(ctx)
	fmt.Println(event)
	stop()
	fmt.Println(<-ended)
	// Output:
	// {"text":"hello"}
	// <nil>
}

// What is wrong with a configuration comes all at once, each with its place and what is accepted.
func ExampleConfigError() {
	directory, _ := os.MkdirTemp("", "")
	defer func() { _ = os.RemoveAll(directory) }()
	file := filepath.Join(directory, "server.config")
	_ = os.WriteFile(file, []byte("targetServer=https://dev.vantiq.com\nauthToken=abc\nmaxQueries=many\n"), 0o600)

	_, err := connectorset.Load(connectorset.WithFile(file))
	var problem *connectorset.ConfigError
	if errors.As(err, &problem) {
		fmt.Printf("line %d: %s %s\n", problem.Line, problem.Key, problem.Reason)
	}
	// Output:
	// line 3: maxQueries is not accepted: use a whole number from 1 to 1000000000
}

// One source lives in another namespace, and its token in another place.
func ExampleEach() {
	connectorset.Each(func(source string, o *connector.Options) {
		if source == "Remote" {
			o.AuthToken = protocol.Secret(os.Getenv("REMOTE_AUTH_TOKEN"))
		}
	})
}
