package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"
)

// An intake is the HTTP server.
type intake struct {
	address           string
	certFile, keyFile string // empty: plain HTTP
	handler           http.Handler
	log               *slog.Logger
}

// How long a client may take, and how many there may be. Whoever trickles is cut off; whoever comes when there are too many
// waits until another has gone.
const (
	headerTime     = 5 * time.Second  // for a request up to its body
	requestTime    = 10 * time.Second // for all of it
	answerTime     = maxAnswerWithin + requestTime + 10*time.Second
	idleTime       = time.Minute // between two requests
	maxHeader      = 16 << 10    // bytes
	maxConnections = 1000
	leaveTime      = 5 * time.Second // for the requests that run at the end
)

// serveBefore serves requests while set runs. When ctx ends, the intake ends first: it closes the listener and lets the
// requests that run finish, while the set can still deliver what they brought. Then the set drains. If one of the two ends
// by itself, so does the other.
func (i intake) serveBefore(ctx context.Context, listener net.Listener, set func(ctx context.Context) error) error {
	taking, stopTaking := context.WithCancel(ctx)
	running, drain := context.WithCancel(context.WithoutCancel(ctx))
	served := make(chan error, 1)
	go func() {
		defer drain()
		served <- i.serve(taking, listener)
	}()
	err := set(running)
	stopTaking()
	return errors.Join(err, <-served)
}

// serve serves requests until ctx ends.
func (i intake) serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler:           i.handler,
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       requestTime,
		WriteTimeout:      answerTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(i.log.Handler(), slog.LevelDebug), // clients that go, handshakes that fail
	}
	left := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(left)
		leaving, cancel := context.WithTimeout(context.Background(), leaveTime)
		defer cancel()
		if server.Shutdown(leaving) != nil {
			_ = server.Close() // what still runs is cut off, and will be sent again by whoever sent it
		}
	})
	i.log.Info("listening for requests", "address", listener.Addr().String(), "tls", i.certFile != "")
	listener = netutil.LimitListener(listener, maxConnections)
	var err error
	if i.certFile != "" || i.keyFile != "" {
		err = server.ServeTLS(listener, i.certFile, i.keyFile)
	} else {
		err = server.Serve(listener)
	}
	if !stop() {
		<-left
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
