package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// Every secret of these tests ends like this, so that it is easily found where it must not be.
const hush = "that-nobody-may-see"

const (
	goodToken   = "token-" + hush
	wrongToken  = "wrong-token-" + hush
	fixedSecret = "secret-" + hush
	password    = "pass word-" + hush
)

// A patient is a directory with a configuration, which doctor examines.
type patient struct {
	*testing.T
	lines []string // of server.config
	file  string
}

// configure adds lines to the configuration, which has what is required but for the targetServer.
func (p *patient) configure(lines ...string) { p.lines = append(p.lines, lines...) }

// target sets the targetServer.
func (p *patient) target(url string) { p.configure("targetServer=" + url) }

// value returns what a property was set to last.
func (p *patient) value(name string) (value string) {
	for _, line := range p.lines {
		if after, ok := strings.CutPrefix(line, name+"="); ok {
			value = after
		}
	}
	return value
}

// without removes a property.
func (p *patient) without(name string) {
	var kept []string
	for _, line := range p.lines {
		if !strings.HasPrefix(line, name+"=") {
			kept = append(kept, line)
		}
	}
	p.lines = kept
}

// write writes a file beside the configuration and returns its name.
func (p *patient) write(name, text string) string {
	p.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		p.Fatal(err)
	}
	return name
}

// vantiq starts a local Vantiq with a source EchoSource, and makes it the targetServer.
func (p *patient) vantiq(options ...vantiqtest.Option) (*vantiqtest.Server, *vantiqtest.Source) {
	server := vantiqtest.NewServer(append(options, vantiqtest.WithToken(goodToken))...)
	p.Cleanup(server.Close)
	p.target(server.URL())
	return server, server.Source("EchoSource", map[string]any{"general": map[string]any{"password": password}, "prefix": "> "})
}

// listen calls serve with each connection to a port, and returns the address. The connections are closed at the end.
func (p *patient) listen(serve func(net.Conn)) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		p.Fatal(err)
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			p.Cleanup(func() { _ = c.Close() })
			serve(c)
		}
	}()
	p.Cleanup(func() {
		_ = listener.Close()
		<-over
	})
	return listener.Addr().String()
}

// web starts an HTTP server, and makes it the targetServer.
func (p *patient) web(handle http.HandlerFunc) {
	server := httptest.NewServer(handle)
	p.Cleanup(server.Close)
	p.target(server.URL)
}
