package main

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

func TestPrometheusSeesTheSource(t *testing.T) {
	server := vantiqtest.NewServer()
	t.Cleanup(server.Close)
	source := server.Source("SqlSource", document{"sqlConfig": document{"statements": sampleStatements}})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	p := newProcess(t, server)
	p.start("-metrics", address)
	if err := source.WaitConnected(t.Context()); err != nil {
		t.Fatal(err)
	}
	scrape := func() string {
		response, err := http.Get("http://" + address + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for !strings.Contains(scrape(), `vantiq_connector_connected{source="SqlSource"} 1`) {
	}
	if _, err := source.Query(t.Context(), document{"name": "orderById", "parameters": []any{1}}); err != nil {
		t.Error(err)
	}
	if text := scrape(); !strings.Contains(text, `vantiq_connector_queries_received_total{source="SqlSource"} 1`) {
		t.Error(text)
	}
	http.DefaultClient.CloseIdleConnections()
	p.terminate()
}
