package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// A served is an intake that serves on a network in memory, in virtual time.
type served struct {
	t       *testing.T
	network *vantiqtest.Network
	leave   context.CancelFunc // as SIGTERM does
	drained chan struct{}      // closed when the set is told to drain
	ended   chan error
}

// serveTest starts an intake with a set that drains at once when it is told to.
func serveTest(t *testing.T, handler http.Handler) *served {
	t.Helper()
	ctx, leave := context.WithCancel(t.Context())
	s := &served{t: t, network: vantiqtest.NewNetwork(), leave: leave, drained: make(chan struct{}), ended: make(chan error, 1)}
	listener := s.network.Listen()
	i := intake{handler: handler, log: slog.New(slog.DiscardHandler)}
	go func() {
		s.ended <- i.serveBefore(ctx, listener, func(ctx context.Context) error {
			<-ctx.Done()
			close(s.drained)
			return nil
		})
	}()
	return s
}

func (s *served) end() {
	s.t.Helper()
	s.leave()
	if err := <-s.ended; err != nil {
		s.t.Errorf("serving ended with %v", err)
	}
}

func (s *served) dial() net.Conn {
	s.t.Helper()
	conn, err := s.network.DialContext(s.t.Context(), "tcp", "server:80")
	if err != nil {
		s.t.Fatal(err)
	}
	return conn
}

// trickle sends text and then a byte each second, until the server has had enough. It returns what the server said, and
// after how long it closed the connection.
func (s *served) trickle(text string) (said string, after time.Duration) {
	s.t.Helper()
	conn := s.dial()
	defer conn.Close()
	began := time.Now()
	writing := make(chan struct{})
	go func() {
		defer close(writing)
		for _, err := io.WriteString(conn, text); err == nil; _, err = io.WriteString(conn, "x") {
			time.Sleep(time.Second)
		}
	}()
	answer, _ := io.ReadAll(conn)
	after = time.Since(began)
	conn.Close()
	<-writing
	return string(answer), after
}

// A client that trickles used to be the end of many servers.
func TestAClientThatTricklesIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, source, hooks := startOne(t, nil)
		s := serveTest(t, hooks)
		if said, after := s.trickle("POST /hooks/a HTTP/1.1\r\nHost: a\r\nX-Slow: "); after > headerTime+time.Second {
			t.Errorf("headers: after %v the server said %q", after, said)
		}
		request := "POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\nContent-Type: text/plain\r\n\r\n"
		said, after := s.trickle(fmt.Sprintf(request, "/hooks/a"))
		if !strings.HasPrefix(said, "HTTP/1.1 408 ") || after > requestTime+time.Second {
			t.Errorf("body: after %v the server said %q", after, said)
		}
		said, after = s.trickle(fmt.Sprintf(request, "/hooks/unknown"))
		if !strings.HasPrefix(said, "HTTP/1.1 404 ") || after > requestTime+time.Second {
			t.Errorf("a body that nobody wants: after %v the server said %q", after, said)
		}
		if said, after = s.trickle(""); after > headerTime+2*time.Second {
			t.Errorf("nothing that HTTP knows: after %v the server said %q", after, said)
		}
		s.end()
		if got := source.Notifications(); len(got) > 0 {
			t.Errorf("%v arrived", got)
		}
	})
}

func TestAClientThatDoesNotReadIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTest(t, http.NotFoundHandler())
		conn := s.dial()
		defer conn.Close()
		began := time.Now()
		var err error
		for err == nil { // one request after the other, and no answer is read
			_, err = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		}
		if after := time.Since(began); after > answerTime+time.Second {
			t.Errorf("it was cut off after %v with %v", after, err)
		}
		s.end()
	})
}

func TestAClientThatGoesIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		running, source, hooks := startOne(t, object{"general": object{"answer": "acknowledged", "answerWithin": "60s"}})
		s := serveTest(t, hooks)
		source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
		conn := s.dial()
		if _, err := io.WriteString(conn, "POST /hooks/a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}"); err != nil {
			t.Fatal(err)
		}
		next(t, source)
		conn.Close()
		synctest.Wait()
		began := time.Now()
		s.end()
		if after := time.Since(began); after > time.Second { // it looks every half a second whether requests have ended
			t.Errorf("the request was waited for %v", after)
		}
		source.SetAcknowledgements(vantiqtest.Acknowledgements{})
		if err := running.Connection("a").Flush(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestAnIdleConnectionIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, _, hooks := startOne(t, nil)
		s := serveTest(t, hooks)
		conn := s.dial()
		if _, err := io.WriteString(conn, "POST /hooks/a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}"); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		answer, err := io.ReadAll(conn)
		if after := time.Since(began); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 202 ") || after != idleTime {
			t.Errorf("after %v: %s (%v)", after, answer, err)
		}
		conn.Close()
		s.end()
	})
}

// The deadline for the request must not end the wait for Vantiq as well.
func TestARequestMayWaitForVantiqLongerThanItMayTakeToArrive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		running, source, hooks := startOne(t, object{"general": object{"answer": "acknowledged", "answerWithin": "15s"}})
		s := serveTest(t, hooks)
		conn := s.dial()
		defer conn.Close()
		answers := bufio.NewReader(conn)
		send := func(wait time.Duration, want int) {
			t.Helper()
			if _, err := io.WriteString(conn, "POST /hooks/a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}"); err != nil {
				t.Fatal(err)
			}
			next(t, source)
			time.Sleep(wait)
			source.ReleaseAcknowledgements(1)
			response, err := http.ReadResponse(answers, nil)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, response.Body)
			if response.StatusCode != want {
				t.Errorf("after %v it was answered %s", wait, response.Status)
			}
		}
		send(0, http.StatusOK)
		source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
		send(requestTime+4*time.Second, http.StatusOK)
		send(requestTime+4*time.Second, http.StatusOK) // on the same connection
		send(requestTime+6*time.Second, http.StatusGatewayTimeout)
		source.SetAcknowledgements(vantiqtest.Acknowledgements{})
		if err := running.Connection("a").Flush(t.Context()); err != nil {
			t.Error(err)
		}
		s.end()
	})
}

// The set drains when the requests that run have been answered, and not before: it delivers what they bring.
func TestTheIntakeEndsBeforeTheSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun, finish := make(chan struct{}), make(chan struct{})
		s := serveTest(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			close(begun)
			<-finish
			w.WriteHeader(http.StatusAccepted)
		}))
		conn := s.dial()
		defer conn.Close()
		if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		<-begun
		s.leave()
		synctest.Wait()
		if _, err := s.network.DialContext(t.Context(), "tcp", "server:80"); err == nil {
			t.Error("the listener is open")
		}
		time.Sleep(leaveTime / 2)
		select {
		case <-s.drained:
			t.Error("the set drains while a request runs")
		default:
		}
		close(finish)
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || response.StatusCode != http.StatusAccepted {
			t.Errorf("the request was answered %v (%v)", response, err)
		}
		s.end()
		<-s.drained
	})
}

func TestARequestThatHangsDoesNotHoldUpTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := make(chan struct{})
		s := serveTest(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			close(begun)
			<-r.Context().Done()
		}))
		conn := s.dial()
		defer conn.Close()
		if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		<-begun
		began := time.Now()
		s.end()
		if after := time.Since(began); after > leaveTime+time.Second {
			t.Errorf("it took %v", after)
		}
	})
}

// When the sources have ended, requests are of no use, and so are sources without requests.
func TestIntakeAndSetEndTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rejected := errors.New("the token was rejected")
		i := intake{handler: http.NotFoundHandler(), log: slog.New(slog.DiscardHandler)}
		err := i.serveBefore(t.Context(), vantiqtest.NewNetwork().Listen(), func(context.Context) error { return rejected })
		if !errors.Is(err, rejected) {
			t.Errorf("when the set ends: %v", err)
		}
		listener := vantiqtest.NewNetwork().Listen()
		listener.Close()
		err = i.serveBefore(t.Context(), listener, func(ctx context.Context) error {
			<-ctx.Done()
			return nil
		})
		if err == nil {
			t.Error("the intake cannot listen, and nobody is told")
		}
	})
}

// Connections beyond the limit wait for their turn.
func TestConnectionsAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, _, hooks := startOne(t, nil)
		s := serveTest(t, hooks)
		var held []net.Conn
		for range maxConnections {
			held = append(held, s.dial())
		}
		synctest.Wait()
		began := time.Now()
		conn := s.dial()
		defer conn.Close()
		if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || response.StatusCode != http.StatusNotFound {
			t.Errorf("it was answered %v (%v)", response, err)
		}
		if after := time.Since(began); after < headerTime || after > headerTime+time.Second {
			t.Errorf("it was answered after %v", after)
		}
		for _, conn := range held {
			conn.Close()
		}
		s.end()
	})
}
