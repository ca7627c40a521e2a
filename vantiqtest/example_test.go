package vantiqtest_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// While nobody is connected, a publish fails at once, as PUBLISH does in VAIL.
func ExampleSource_Publish() {
	server := vantiqtest.NewServer()
	defer server.Close()
	source := server.Source("EchoSource", map[string]any{"prefix": "> "})

	err := source.Publish(context.Background(), map[string]any{"text": "hello"})

	var status *protocol.StatusError
	if errors.As(err, &status) {
		fmt.Println(status.Details[0].Code)
		fmt.Println(status.Details[0].Message)
	}
	// Output:
	// com.accessg2.ag2rs.streams.source.not_found
	// The EXTENSION source EchoSource (namespace local) has no associated session for operation publish
}

// A gateway in front of Vantiq answers twice instead of Vantiq.
func ExampleServer_InterceptUpgrade() {
	server := vantiqtest.NewServer()
	defer server.Close()
	remove := server.InterceptUpgrade(func(w http.ResponseWriter, _ *http.Request) bool {
		http.Error(w, "no upstream", http.StatusBadGateway)
		return true
	})
	response, err := http.Get(server.URL() + "/api/v1/wsock/websocket")
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = response.Body.Close()
	fmt.Println(response.Status)
	remove()
	// Output: 502 Bad Gateway
}

// A Network carries bytes between a dialler and a listener without a port.
func ExampleNetwork() {
	network := vantiqtest.NewNetwork()
	_, err := network.DialContext(context.Background(), "tcp", "vantiq.test:80")
	fmt.Println(err)

	listener := network.Listen()
	go func() {
		conn, err := listener.Accept()
		if err == nil {
			_, _ = io.WriteString(conn, "hello\n")
			_ = conn.Close()
		}
		_ = listener.Close()
	}()
	conn, err := network.DialContext(context.Background(), "tcp", "vantiq.test:80")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func(conn net.Conn) { _ = conn.Close() }(conn)
	line, _ := bufio.NewReader(conn).ReadString('\n')
	fmt.Print(line)
	// Output:
	// dial tcp vantiq.test:80: connect: connection refused
	// hello
}

// A server on a Network needs no port; its connector dials with the Network's DialContext.
func ExampleWithNetwork() {
	network := vantiqtest.NewNetwork()
	server := vantiqtest.NewServer(vantiqtest.WithNetwork(network))
	defer server.Close()
	fmt.Println(server.URL())
	// Output: http://vantiq.test
}
