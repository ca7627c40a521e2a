package peer

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/gorilla/websocket"

	"github.com/vantiq-go/connectorsdk/bench/internal/job"
)

// loop is a peer by hand: one goroutine that reads, and one write per message.
func loop(ctx context.Context, j job.Job) error {
	dialer, err := dialerFor(j)
	if err != nil {
		return err
	}
	if j.Kind == job.Sources || j.Kind == job.Restart {
		return rawSources(ctx, dialer, j)
	}
	c, err := connect(ctx, dialer, j, job.SourceName(0))
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = c.Close() })()
	defer func() { _ = c.Close() }()
	kind := kinds[j.Peer][j.Kind]
	if kind == nil {
		return fmt.Errorf("it cannot do %s", j.Kind)
	}
	err = kind(j, c)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

var kinds = map[string]map[job.Kind]func(job.Job, *websocket.Conn) error{
	job.Raw: {
		job.Publish: rawPublishes,
		job.Query:   rawQueries,
		job.Notify:  rawNotifications,
		job.Rows:    rawRows,
	},
	job.JSON: {
		job.Publish: jsonPublishes,
		job.Query:   jsonQueries,
		job.Notify:  jsonNotifications,
	},
}

func dialerFor(j job.Job) (*websocket.Dialer, error) {
	d := *websocket.DefaultDialer
	if j.CAFile != "" {
		pem, err := os.ReadFile(j.CAFile)
		if err != nil {
			return nil, err
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s: there is no certificate in it", j.CAFile)
		}
		d.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	switch j.Kind {
	case job.Rows:
		d.WriteBufferSize = partialSize + 1<<10 // a message is one frame
	case job.Sources, job.Restart:
		d.ReadBufferSize, d.WriteBufferSize, d.WriteBufferPool = 1<<10, 1<<10, new(sync.Pool)
	}
	return &d, nil
}

// connect opens a link and goes through the handshake for one source.
func connect(ctx context.Context, dialer *websocket.Dialer, j job.Job, source string) (*websocket.Conn, error) {
	c, response, err := dialer.DialContext(ctx, j.URL, nil)
	if err != nil {
		return nil, err
	}
	_ = response.Body.Close()
	steps := []map[string]any{
		{"op": "validate", "resourceName": "system.credentials", "object": j.Token},
		{
			"op": "connectExtension", "resourceName": "sources", "resourceId": source,
			"parameters": map[string]any{"reconnectSecret": source + "_" + j.Token},
		},
	}
	for _, step := range steps {
		var answer struct {
			Op     string
			Status int
		}
		if err := errors.Join(c.WriteJSON(step), c.ReadJSON(&answer)); err != nil {
			_ = c.Close()
			return nil, err
		}
		if answer.Status != 200 && answer.Op != "configureExtension" {
			_ = c.Close()
			return nil, fmt.Errorf("%s was answered with status %d, op %q", step["op"], answer.Status, answer.Op)
		}
	}
	return c, nil
}

// discard reads messages until the link ends: acknowledgements, of which it counts no more than that they come.
func discard(c *websocket.Conn) error {
	for {
		if _, _, err := c.NextReader(); err != nil {
			return err
		}
	}
}

// read reads a message into buffer, or into a larger one.
func read(c *websocket.Conn, buffer []byte) ([]byte, error) {
	_, r, err := c.NextReader()
	if err != nil {
		return nil, err
	}
	for n := 0; ; {
		if n == cap(buffer) {
			buffer = append(buffer[:n], make([]byte, max(n, 4096))...)
		}
		m, err := r.Read(buffer[n:cap(buffer)])
		n += m
		if errors.Is(err, io.EOF) {
			return buffer[:n], nil
		}
		if err != nil {
			return nil, err
		}
	}
}
