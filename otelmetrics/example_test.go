package otelmetrics_test

import (
	"context"
	"fmt"

	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/connectorset"
	"github.com/vantiq-go/connectorsdk/otelmetrics"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// A connector with metrics, run against the local Vantiq. What is collected here by hand, a periodic reader sends to an
// OpenTelemetry Collector.
func Example() {
	vantiq := vantiqtest.NewServer()
	defer vantiq.Close()
	source := vantiq.Source("Orders", nil)

	reader := sdk.NewManualReader() // or sdk.NewPeriodicReader with an exporter
	provider := sdk.NewMeterProvider(sdk.WithReader(reader))
	metrics, err := otelmetrics.New(provider)
	if err != nil {
		fmt.Println(err)
		return
	}
	set, err := connectorset.New(connectorset.Config{
		Options:      connector.Options{TargetServer: vantiq.URL(), AuthToken: protocol.Secret(vantiq.Token())},
		Sources:      []string{"Orders"},
		TCPProbePort: -1,
	}, connectorset.WithHooks(metrics))
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
	_ = source.Publish(ctx, map[string]int{"order": 17})
	_, _ = source.Notification(ctx)

	var collected metricdata.ResourceMetrics
	if err := reader.Collect(ctx, &collected); err != nil {
		fmt.Println(err)
	}
	for _, m := range collected.ScopeMetrics[0].Metrics {
		if m.Name == "vantiq.connector.notifications.accepted" {
			for _, point := range m.Data.(metricdata.Sum[int64]).DataPoints {
				from, _ := point.Attributes.Value("source")
				fmt.Println(m.Name, from.AsString(), point.Value)
			}
		}
	}
	stop()
	fmt.Println(<-ended)
	fmt.Println(provider.Shutdown(context.Background())) // sends what a periodic reader has not sent yet
	// Output:
	// vantiq.connector.notifications.accepted Orders 1
	// <nil>
	// <nil>
}
