// Package loadserver is the server of a measurement: to its peers it is a Vantiq server with a few sources; it keeps them
// busy, and measures.
//
// It must never be what limits them. It therefore takes as much as there is in one read, answers all of it in one write,
// has the messages of a flood ready in frames, and looks for a few words in what it gets instead of decoding it.
package loadserver

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/gobwas/ws"

	"github.com/vantiq-go/connectorsdk/bench/internal/job"
)

// A server serves the peer of one case.
type server struct {
	job     job.Job
	control *job.Control
	load    load
	tls     *tls.Config // nil for none
	address string
	failed  chan error // the first link that went wrong

	goroutines sync.WaitGroup // that accept and read

	mu         sync.Mutex
	listener   net.Listener
	links      map[*link]bool
	accepts    []time.Time
	configured int
	complete   chan time.Time // gets the time when as many links are configured as there are sources
}

// Serve serves one peer on 127.0.0.1, tells what it has measured, and returns when in ends.
func Serve(ctx context.Context, j job.Job, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l, err := newLoad(j)
	if err != nil {
		return err
	}
	s := &server{
		job: j, control: job.NewControl(ctx, in, out), load: l, address: "127.0.0.1:0",
		failed: make(chan error, 1), links: make(map[*link]bool), complete: make(chan time.Time, 1),
	}
	ready := job.Line{Event: job.Ready}
	scheme := "ws"
	if j.TLS {
		scheme = "wss"
		if s.tls, ready.CA, err = selfSigned(); err != nil {
			return err
		}
	}
	if err := s.open(); err != nil {
		return err
	}
	defer s.goroutines.Wait()
	defer s.close()
	ready.URL = scheme + "://" + s.address + "/api/v1/wsock/websocket"
	if err := s.control.Say(ready); err != nil {
		return err
	}
	if err := s.measure(); !errors.Is(err, job.ErrLeft) {
		return err
	}
	return nil
}

// open accepts links, from the second time on at the same address.
func (s *server) open() error {
	listener, err := net.Listen("tcp", s.address)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.listener = listener
	s.mu.Unlock()
	s.address = listener.Addr().String()
	s.goroutines.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			now := time.Now()
			s.mu.Lock()
			s.accepts = append(s.accepts, now)
			s.mu.Unlock()
			s.goroutines.Go(func() { s.serve(conn) })
		}
	})
	return nil
}

// close closes the listener and resets all links.
func (s *server) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listener.Close()
	for l := range s.links {
		l.reset()
	}
}

// serve serves one link until it ends.
func (s *server) serve(conn net.Conn) {
	l := newLink(conn, s.tls, s.bufferSize())
	s.mu.Lock()
	s.links[l] = true
	s.mu.Unlock()
	err := s.talk(l)
	s.mu.Lock()
	delete(s.links, l)
	s.mu.Unlock()
	l.conn.Close()
	if s.job.Kind == job.Restart {
		return // links end there
	}
	select {
	case s.failed <- err:
	default:
	}
}

func (s *server) bufferSize() int {
	if s.job.Sources > 1 {
		return 1 << 10
	}
	return 256 << 10
}

// talk opens a WebSocket, authenticates the peer, configures its source, and serves it.
func (s *server) talk(l *link) error {
	if _, err := ws.Upgrade(l.conn); err != nil {
		return err
	}
	if err := s.handshake(l); err != nil {
		return err
	}
	for {
		message, err := l.next()
		if err != nil {
			return err
		}
		if err := s.load.message(l, message); err != nil {
			return err
		}
	}
}

func (s *server) handshake(l *link) error {
	for {
		message, err := l.next()
		if err != nil {
			return err
		}
		switch {
		case bytes.Contains(message, []byte(`"validate"`)):
			l.answer(authenticated)
		case bytes.Contains(message, []byte(`"connectExtension"`)):
			source, ok := text(message, `"resourceId"`)
			if !ok {
				return fmt.Errorf("connectExtension without a source: %.200s", message)
			}
			l.answer(configuration(source))
			if err := l.flush(); err != nil {
				return err
			}
			s.isConfigured()
			return nil
		default:
			return fmt.Errorf("neither validate nor connectExtension: %.200s", message)
		}
	}
}

// isConfigured counts the configurations.
func (s *server) isConfigured() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.configured++
	if s.configured == s.job.Sources {
		s.complete <- time.Now()
	}
}

// link returns the only link there is.
func (s *server) link() *link {
	s.mu.Lock()
	defer s.mu.Unlock()
	for l := range s.links {
		return l
	}
	return nil
}
