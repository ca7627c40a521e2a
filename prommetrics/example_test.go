package prommetrics_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/connectorset"
	"github.com/vantiq-go/connectorsdk/prommetrics"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// run is a connector that serves its metrics for as long as it runs.
func run(ctx context.Context, config connectorset.Config, listener net.Listener) (err error) {
	metrics := prommetrics.New()
	set, err := connectorset.New(config, connectorset.WithHooks(metrics))
	if err != nil {
		return err
	}
	set.SetHandlers(connector.Handlers{
		Publish: func(ctx context.Context, c *connector.SourceConnection, message connector.Document) error {
			return c.SendNotification(ctx, message)
		},
	})

	prometheus.MustRegister(metrics) // beside what client_golang registers there: Go's memory, the process's files
	server := &http.Server{Handler: promhttp.Handler(), ReadHeaderTimeout: 5 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	defer func() { // when the set has drained: Prometheus sees that as well
		err = errors.Join(err, server.Close())
		if end := <-served; !errors.Is(end, http.ErrServerClosed) {
			err = errors.Join(err, end)
		}
	}()
	return set.Run(ctx)
}

// A connector with an endpoint for Prometheus, run against the local Vantiq and scraped once.
func Example() {
	vantiq := vantiqtest.NewServer()
	defer vantiq.Close()
	source := vantiq.Source("Orders", nil)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	listener, err := net.Listen("tcp", "127.0.0.1:0") // a connector takes a port that Prometheus knows
	if err != nil {
		fmt.Println(err)
		return
	}
	ended := make(chan error)
	go func() {
		ended <- run(ctx, connectorset.Config{
			Options:      connector.Options{TargetServer: vantiq.URL(), AuthToken: protocol.Secret(vantiq.Token())},
			Sources:      []string{"Orders"},
			TCPProbePort: -1,
		}, listener)
	}()

	_ = source.WaitConnected(ctx)
	_ = source.Publish(ctx, map[string]int{"order": 17})
	_, _ = source.Notification(ctx)

	response, err := http.Get("http://" + listener.Addr().String() + "/metrics")
	if err != nil {
		fmt.Println(err)
		return
	}
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "vantiq_connector_notifications_accepted_total") {
			fmt.Println(lines.Text())
		}
	}
	_ = response.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	stop()
	fmt.Println(<-ended)
	// Output:
	// vantiq_connector_notifications_accepted_total{source="Orders"} 1
	// <nil>
}
